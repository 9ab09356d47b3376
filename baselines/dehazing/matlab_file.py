"""Variables of a MATLAB file (MAT-file level 5), read by hand.

SciPy's reader, compiled code that trusts the sizes and types in the file, dies of damaged ones, and
the process with it. Here each size is compared with what is there before anything is read.
Numbers, text, cells and structures are read; sparse arrays, objects and functions are refused.
Layout: "MAT-File Format", The MathWorks, chapter 1.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_HEADER = 128
_TYPES = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"},
    **{16: "u1", 17: "u2", 18: "u4"},
}
"""NumPy's name of the numbers that a data type holds; the last three are text in Unicode."""
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCTURE, _TEXT = 1, 2, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
_CLASSES |= {14: "i8", 15: "u8"}
"""NumPy's name of the numbers of an array, which the file may hold as smaller ones."""
_COMPLEX = 0x0800
DEEPEST = 16
"""Levels of cells and structures inside each other."""
MOST_BYTES = 1 << 30
"""Of an unpacked variable."""


@dataclass(frozen=True, slots=True)
class _Element:
    kind: int
    content: memoryview


@dataclass(frozen=True, slots=True)
class _Reader:
    """Elements of one file, in its order of bytes (`<` or `>`)."""

    order: str

    def elements(self, content: memoryview) -> Iterator[_Element]:
        """The elements that follow each other to the end."""
        position = 0
        while position < len(content):
            if position + 8 > len(content):
                raise ValueError("an element is cut off")
            first, size = struct.unpack_from(f"{self.order}II", content, position)
            if first >> 16:  # up to four bytes stand in the head itself
                size, first, start, step = first >> 16, first & 0xFFFF, position + 4, 8
                if size > 4:
                    raise ValueError(f"a short element of {size} bytes")
            else:
                start, step = position + 8, 8 + size
                # Compressed elements are the only ones that are not filled up to eight bytes.
                step += 0 if first == _COMPRESSED else -size % 8
            if start + size > len(content):
                raise ValueError("an element is cut off")
            yield _Element(first, content[start : start + size])
            position += step

    def numbers(self, element: _Element) -> np.ndarray:
        """The numbers of an element, in one dimension."""
        if element.kind not in _TYPES:
            raise ValueError(f"expected numbers, found an element of type {element.kind}")
        kind = np.dtype(f"{self.order}{_TYPES[element.kind]}")
        if len(element.content) % kind.itemsize:
            raise ValueError(f"{len(element.content)} bytes hold no numbers of {kind.itemsize}")
        return np.frombuffer(element.content, kind)

    def variable(self, element: _Element, room: int = DEEPEST) -> tuple[str, Any]:
        """Name and value of a variable.

        Returns:
            An array of numbers; text; a list for cells; a list of dicts for structures.
        """
        if element.kind != _MATRIX or not room:
            raise ValueError(f"expected a variable, found an element of type {element.kind}")
        if not len(element.content):
            return "", np.zeros((0, 0))
        parts = self.elements(element.content)
        try:
            flags, sizes = self.numbers(next(parts)), self.numbers(next(parts))
            name = bytes(next(parts).content).decode("ascii", "replace")
            shape = [int(size) for size in sizes]
            count = math.prod(shape)
            if len(flags) < 1 or len(shape) < 2 or min(shape) < 0:
                raise ValueError(f"no array has the sizes {shape[:8]}")
            kind = int(flags[0]) & 0xFF
            if kind == _CELL:
                cells = [self.variable(next(parts), room - 1)[1] for _ in range(count)]
                return name, cells
            if kind == _STRUCTURE:
                return name, self._structures(parts, count, room)
            values = self.numbers(next(parts))
            if kind in _CLASSES and int(flags[0]) & _COMPLEX:
                raise ValueError(f"{name!r} holds complex numbers")
        except StopIteration:
            raise ValueError("a variable is cut off") from None
        if len(values) != count:
            raise ValueError(f"expected {count} numbers in {name!r}, found {len(values)}")
        if kind == _TEXT:
            return name, "".join(map(chr, values[values < 0x110000].tolist()))
        if kind not in _CLASSES:
            raise ValueError(f"{name!r} is of a class that is not read here ({kind})")
        return name, values.astype(_CLASSES[kind]).reshape(shape, order="F")

    def _structures(self, parts: Iterator[_Element], count: int, room: int) -> list[dict[str, Any]]:
        length = self.numbers(next(parts))
        names = bytes(next(parts).content)
        if len(length) != 1 or not 0 < int(length[0]) <= 64:
            raise ValueError("names of fields of no length")
        each = int(length[0])
        fields = [
            names[start : start + each].split(b"\0")[0].decode("ascii", "replace")
            for start in range(0, len(names), each)
        ]
        return [
            {field: self.variable(next(parts), room - 1)[1] for field in fields}
            for _ in range(count)
        ]


def read_variables(path: Path) -> dict[str, Any]:
    """All variables of a file by name, see `_Reader.variable`.

    Raises:
        OSError: it cannot be read.
        ValueError: not a MAT-file of level 5, damaged, or with other kinds of variables.
    """
    content = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    if order is None:
        raise ValueError("no header of a MAT-file of level 5")
    reader = _Reader(order)
    variables = {}
    for element in reader.elements(content[_HEADER:]):
        for inner in _unpacked(reader, element):
            name, value = reader.variable(inner)
            variables[name] = value
    return variables


def _unpacked(reader: _Reader, element: _Element) -> Iterator[_Element]:
    if element.kind != _COMPRESSED:
        yield element
        return
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(element.content, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"a compressed variable: {error}") from error
    if not stream.eof:
        raise ValueError(f"a compressed variable is cut off, or above {MOST_BYTES >> 20} MiB")
    yield from reader.elements(memoryview(content))
