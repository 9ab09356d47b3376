"""Files appear under their final name only when they are complete."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LONGEST_STEM = 120
"""Bytes of a name that its temporary file repeats: file systems take 255, and the name may too."""
_TEMPORARY = re.compile(r"\..*\.[a-z0-9_]{8}\.partial(\..*)?")
"""Names of the temporary files of `atomic_path`."""
_UMASK = threading.Lock()
"""The umask can be read only by setting it: two threads at once would leave the wrong one."""


def usual_mode() -> int:
    """Permissions of a new file."""
    with _UMASK:
        umask = os.umask(0)
        os.umask(umask)
    return 0o666 & ~umask


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` on success.

    The folder is made if needed. When the block fails the temporary file is removed and whatever
    stood under `path` stays as it was. The content is flushed to the disk before the rename, so
    that a power cut leaves the old file or the new one.

    Raises:
        OSError: the disk is full or not writable; the message names `path`.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stem = os.fsencode(path.stem)[:_LONGEST_STEM].decode("utf-8", "ignore")
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{stem}.", suffix=f".partial{path.suffix[:_LONGEST_STEM]}"
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes private files; results are to be read by everyone the umask allows.
        temporary.chmod(usual_mode())
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | Path) -> list[Path]:
    """Remove the temporary files below a folder that killed processes have left there.

    For a time when nothing writes there: the file of a living process would go too.

    Returns:
        What was removed.

    Raises:
        OSError: a file cannot be removed.
    """
    found = []
    for parent, _, names in os.walk(folder):
        found += [Path(parent, name) for name in names if _TEMPORARY.fullmatch(name)]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON with sorted keys atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")
