"""What the fuzz test knows of a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Reader:
    """One reader."""

    make: Callable[[], Mapping[str, bytes]]
    """Sound files by name."""
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...]
    """By which it may refuse a file."""
    text: bool = False
    """JSON: its structure is damaged too."""
    lines: int = 1
    """Of a message."""

    def prepare(self, folder: Path) -> None:
        """Write the sound files."""
        (folder / "sound").mkdir(parents=True, exist_ok=True)
        for name, content in self.make().items():
            (folder / "sound" / name).write_bytes(content)

    def files(self, folder: Path) -> list[Path]:
        """The sound files."""
        return sorted((folder / "sound").iterdir())

    def place(self, folder: Path, source: Path) -> Path:
        """Where the damaged copy of a file goes."""
        return folder / source.name
