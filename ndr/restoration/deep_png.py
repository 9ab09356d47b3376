"""Writing PNG files of 16 bits per channel, some rows at a time; Pillow writes 8 bits of colour.

After the W3C recommendation "Portable Network Graphics (PNG) Specification", third edition.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ndr.restoration.photo import Photo
from ndr.restoration.row_blocks import channel_count, row_blocks

COMPRESSION = 6
"""zlib level, its own default."""
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type by the number of channels."""
_METRES_PER_INCH = 0.0254


def write_deep_png(path: Path, photo: Photo, exif: bytes) -> None:
    """Write a 16-bit PNG file.

    Args:
        path: written in place; the caller cares for the final name.
        photo: of 16 bits.
        exif: EXIF block in TIFF form, or empty.
    """
    metadata = photo.metadata
    channels = channel_count(photo)
    header = struct.pack(
        ">IIBBBBB", photo.width, photo.height, 16, _COLOUR_TYPES[channels], 0, 0, 0
    )
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        _write_chunk(file, b"IHDR", header)
        if metadata.icc_profile:
            profile = b"ICC profile\x00\x00" + zlib.compress(metadata.icc_profile)
            _write_chunk(file, b"iCCP", profile)
        if metadata.dots_per_inch:
            per_metre = [round(value / _METRES_PER_INCH) for value in metadata.dots_per_inch]
            _write_chunk(file, b"pHYs", struct.pack(">IIB", *per_metre, 1))
        if exif:
            _write_chunk(file, b"eXIf", exif)
        compressor = zlib.compressobj(COMPRESSION)
        above = np.zeros((1, 2 * photo.width * channels), dtype=np.uint8)
        for block in row_blocks(photo):
            rows = block.astype(">u2").view(np.uint8).reshape(len(block), -1)
            # Filter type 2: each byte less the one above it, modulo 256.
            differences = rows - np.concatenate([above, rows[:-1]])
            filtered = np.pad(differences, ((0, 0), (1, 0)), constant_values=2)
            _write_chunk(file, b"IDAT", compressor.compress(filtered.tobytes()))
            above = rows[-1:]
        _write_chunk(file, b"IDAT", compressor.flush())
        _write_chunk(file, b"IEND", b"")


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    if not content and kind == b"IDAT":
        return
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(kind + content)))
