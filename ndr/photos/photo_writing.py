"""Writing a photograph as PNG, JPEG, TIFF, WebP or BMP; complete or not at all."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont, TiffTags
from PIL import TiffImagePlugin as Tiff

from ndr.atomic_file import atomic_path
from ndr.image_decoding import Samples
from ndr.photos.photo_reading import (
    EXIF_FOLDERS,
    EXIF_MARKER,
    Photo,
    PhotoError,
    exif_for_size,
    loaded_exif,
    to_8_bit,
)

logger = logging.getLogger(__name__)

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
"""Endings of file names, lower case, and the format that they mean."""
LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
"""Pixels; libjpeg and libwebp refuse longer sides."""
LARGEST_TIFF = 2**32 - 2**20
"""Bytes of pixels; positions in a classic TIFF file have 32 bits."""
DEFAULT_QUALITY = 95

ROWS = 64
"""Rows of a block of pixels."""
DEFLATE_LEVEL = 6
"""zlib level, its own default."""
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type by the number of channels."""
_METRES_PER_INCH = 0.0254
_DEFLATE, _HORIZONTAL, _GREY, _RGB, _CONTIGUOUS, _UNASSOCIATED = 8, 2, 1, 2, 1, 2

LONGEST_COMPARISON_SIDE = 2048
"""Pixels of each half; larger photographs are reduced, or the picture could not be looked at."""
LABELS = ("before", "after")
_GAP = 4
"""Pixels of white between the halves."""


def row_blocks(photo: Photo) -> Iterator[Samples]:
    """Blocks of `ROWS` rows, (rows, W, C), transparency as the last channel."""
    for start in range(0, photo.height, ROWS):
        rows = slice(start, start + ROWS)
        block = photo.pixels[rows]
        block = block[..., None] if block.ndim == 2 else block
        if photo.alpha is not None:
            block = np.concatenate([block, photo.alpha[rows, :, None]], axis=2)
        yield block


def channel_count(photo: Photo) -> int:
    """1 for grey, 2 with transparency, 3 for RGB, 4 with transparency."""
    return (1 if photo.is_grey else 3) + (photo.alpha is not None)


def write_deep_png(path: Path, photo: Photo, exif: bytes) -> None:
    """Write a 16-bit PNG file in place, with an EXIF block in TIFF form or none."""
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
        compressor = zlib.compressobj(DEFLATE_LEVEL)
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


def write_tiff(path: Path, photo: Photo, exif: bytes) -> None:
    """Write a TIFF file in place: 8 or 16 bits, deflated, least significant byte first.

    The entries of the EXIF block become the file's own.
    """
    strips = [zlib.compress(_predicted(block), DEFLATE_LEVEL) for block in row_blocks(photo)]
    lengths = [len(strip) for strip in strips]
    channels = channel_count(photo)
    entries = _described(exif)
    if photo.metadata.icc_profile:
        entries[Tiff.ICCPROFILE] = photo.metadata.icc_profile
    if photo.metadata.dots_per_inch:
        entries[Tiff.RESOLUTION_UNIT] = 2
        entries[Tiff.X_RESOLUTION], entries[Tiff.Y_RESOLUTION] = photo.metadata.dots_per_inch
    entries[Tiff.IMAGEWIDTH] = photo.width
    entries[Tiff.IMAGELENGTH] = photo.height
    entries[Tiff.BITSPERSAMPLE] = (8 * photo.pixels.itemsize,) * channels
    entries[Tiff.COMPRESSION] = _DEFLATE
    entries[Tiff.PREDICTOR] = _HORIZONTAL
    entries[Tiff.PHOTOMETRIC_INTERPRETATION] = _GREY if photo.is_grey else _RGB
    entries[Tiff.SAMPLESPERPIXEL] = channels
    entries[Tiff.PLANAR_CONFIGURATION] = _CONTIGUOUS
    if photo.alpha is not None:
        entries[Tiff.EXTRASAMPLES] = _UNASSOCIATED
    entries[Tiff.ROWSPERSTRIP] = ROWS
    entries.tagtype[Tiff.STRIPOFFSETS] = entries.tagtype[Tiff.STRIPBYTECOUNTS] = TiffTags.LONG
    # From the end of the entries on; Pillow adds their length.
    entries[Tiff.STRIPOFFSETS] = tuple([0, *accumulate(lengths)][:-1])
    entries[Tiff.STRIPBYTECOUNTS] = tuple(lengths)
    with path.open("wb") as file:
        entries.save(file)
        for strip in strips:
            file.write(strip)


def _described(exif: bytes) -> Tiff.ImageFileDirectory_v2:
    """The entries of an EXIF block, those of its folders in folders of their own."""
    entries = Tiff.ImageFileDirectory_v2()
    block = loaded_exif(exif)
    for number, value in block.items():
        if number not in EXIF_FOLDERS:
            entries[number] = value
    for folder in EXIF_FOLDERS:
        found = dict(block.get_ifd(folder))
        if found:
            entries.tagtype[folder] = TiffTags.LONG
            entries[folder] = found
    return entries


def _predicted(block: Samples) -> bytes:
    """Each sample less that of the pixel to its left, modulo 2^8 or 2^16."""
    differences = block.copy()
    differences[:, 1:] -= block[:, :-1]
    return differences.astype(block.dtype.newbyteorder("<")).tobytes()


def output_format(path: str | Path) -> str:
    """Pillow's name of the format that a file name asks for.

    Raises:
        PhotoError: an ending that is none of `SUFFIXES`.

    >>> output_format("holiday.JPG")
    'JPEG'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise PhotoError(
            f"{path}: cannot tell the format to write from {suffix!r}; use one of "
            f"{', '.join(SUFFIXES)}"
        )
    return SUFFIXES[suffix]


def check_writable(path: str | Path, photo: Photo, scale: int = 1) -> None:
    """Refuse before the work what the format of `path` cannot hold of the photo times `scale`.

    Raises:
        PhotoError: transparency in a JPEG or BMP file, or too many pixels for the format.
    """
    kind = output_format(path)
    if photo.alpha is not None and kind in ("JPEG", "BMP"):
        raise PhotoError(
            f"{path}: {kind} holds no transparency, which the photo has; write PNG, TIFF or WebP"
        )
    longest = scale * max(photo.height, photo.width)
    if longest > LONGEST_SIDE.get(kind, longest):
        raise PhotoError(
            f"{path}: {kind} holds at most {LONGEST_SIDE[kind]} pixels per side, the result has "
            f"{longest}; write PNG or TIFF"
        )
    samples = channel_count(photo) * photo.height * photo.width
    size = scale**2 * samples * photo.pixels.itemsize
    if kind == "TIFF" and size > LARGEST_TIFF:
        raise PhotoError(f"{path}: the result has more than 4 GiB, too much for TIFF; write PNG")


def write_photo(path: str | Path, photo: Photo, quality: int = DEFAULT_QUALITY) -> None:
    """Write a photograph in the format that the name asks for.

    PNG and TIFF keep 16 bits; the others get them rounded to 8. WebP has no grey: it gets three
    equal channels. JPEG is written without subsampling of colour. BMP holds pixels and resolution
    alone. The file appears when it is complete.

    Raises:
        PhotoError: see `check_writable`.
        OSError: the disk is full or not writable; the message names `path`.
    """
    check_writable(path, photo)
    kind = output_format(path)
    exif = exif_for_size(photo.metadata.exif, photo.width, photo.height)
    try:
        _write(path, kind, photo, exif, quality)
    except (KeyError, OverflowError, TypeError, ValueError, struct.error) as error:
        if not exif:
            raise
        # Entries of a strange type, or more of them than 64 KB in JPEG: the pixels count more.
        logger.warning("%s: the EXIF block cannot be written (%s) and is not kept", path, error)
        _write(path, kind, photo, b"", quality)


def _write(path: str | Path, kind: str, photo: Photo, exif: bytes, quality: int) -> None:
    with atomic_path(path) as temporary:
        if kind == "TIFF":
            write_tiff(temporary, photo, exif)
        elif kind == "PNG" and photo.is_deep:
            write_deep_png(temporary, photo, exif)
        else:
            image = _as_image(photo, kind)
            image.save(temporary, format=kind, **_options(path, kind, photo, exif, quality))


def _as_image(photo: Photo, kind: str) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(to_8_bit(photo.pixels)))
    if kind == "WEBP" and photo.is_grey:
        image = image.convert("RGB")
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(to_8_bit(photo.alpha)))
    return image


def _options(
    path: str | Path, kind: str, photo: Photo, exif: bytes, quality: int
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if kind == "BMP":
        return {"dpi": photo.metadata.dots_per_inch} if photo.metadata.dots_per_inch else {}
    if exif:
        options["exif"] = EXIF_MARKER + exif
    grey_profile = photo.metadata.icc_profile[16:20] == b"GRAY"
    if grey_profile and (kind == "WEBP" or not photo.is_grey):
        logger.warning("%s: a colour profile of grey fits no three channels and is not kept", path)
    elif photo.metadata.icc_profile:
        options["icc_profile"] = photo.metadata.icc_profile
    if photo.metadata.dots_per_inch and kind != "WEBP":
        options["dpi"] = photo.metadata.dots_per_inch
    if kind == "JPEG":
        return options | {"quality": quality, "subsampling": 0}
    if kind == "WEBP":
        # exact: colours below transparent pixels are the photo's too.
        return options | {"quality": quality, "exact": True}
    return options


def write_comparison(path: str | Path, before: Photo, after: Photo) -> None:
    """Write a PNG: the photograph as read at the left, restored at the right.

    The smaller one is enlarged (bicubic) where the method enlarges. Transparency is not shown. The
    picture has the colour profile of `after`.
    """
    reduction = min(1.0, LONGEST_COMPARISON_SIDE / max(after.height, after.width))
    size = tuple(max(1, round(reduction * side)) for side in (after.width, after.height))
    halves = [_half(photo, (size[0], size[1])) for photo in (before, after)]
    text = max(12, min(36, size[1] // 16))
    font = ImageFont.load_default(text)
    bar = 2 * text
    mode = halves[0].mode
    white, black = (255, 0) if mode == "L" else ((255,) * 3, (0,) * 3)
    picture = Image.new(mode, (2 * size[0] + _GAP, size[1] + bar), white)
    draw = ImageDraw.Draw(picture)
    for index, (half, label) in enumerate(zip(halves, LABELS, strict=True)):
        left = index * (size[0] + _GAP)
        picture.paste(half, (left, bar))
        draw.text((left + size[0] // 2, bar // 2), label, fill=black, font=font, anchor="mm")
    profile = after.metadata.icc_profile or None
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", icc_profile=profile)


def _half(photo: Photo, size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(to_8_bit(photo.pixels)))
    if image.size == size:
        return image
    shrinks = size[0] < image.width
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return image.resize(size, method)
