"""The rows of a large manifest in two buffers instead of a million objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np

from ndr.data.manifest import COLUMNS, ManifestRow

_SEPARATOR = "\x1f"
"""Unit separator: it stands in no name, path or JSON text."""
_NUMBERS = [
    number
    for number, column in enumerate(COLUMNS)
    if column in ("width", "height", "clean_bytes", "degraded_bytes")
]


class CompactRows(Sequence[ManifestRow]):
    """Rows of a manifest, put together when they are asked for.

    Reading an object of the parent writes its reference count, which makes a forked worker copy
    the page that it lies on: over an epoch of 72,135 names each worker copied 68 MB of rows. One
    `bytes` object is read without writing to it.

    Args:
        rows: what to hold; they are passed once.

    Raises:
        ValueError: a text with the character that separates the columns here.
    """

    def __init__(self, rows: Iterable[ManifestRow]) -> None:
        lines = []
        for row in rows:
            line = _SEPARATOR.join(str(getattr(row, column)) for column in COLUMNS)
            if line.count(_SEPARATOR) != len(COLUMNS) - 1:
                raise ValueError(f"row {row.name!r}: a text holds the control character 0x1F")
            lines.append(line.encode())
        self._ends = np.cumsum([0, *map(len, lines)], dtype=np.int64)
        self._text = b"".join(lines)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _row(self, index: int) -> ManifestRow:
        line = self._text[self._ends[index] : self._ends[index + 1]].decode()
        values: list[str | int] = [*line.split(_SEPARATOR)]
        for number in _NUMBERS:
            values[number] = int(values[number])
        return ManifestRow(*values)  # type: ignore[arg-type]

    @overload
    def __getitem__(self, index: int) -> ManifestRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ManifestRow, ...]: ...
    def __getitem__(self, index: int | slice) -> ManifestRow | tuple[ManifestRow, ...]:
        if isinstance(index, slice):
            return tuple(self._row(number) for number in range(*index.indices(len(self))))
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._row(number)
