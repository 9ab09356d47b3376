"""Writing a photograph as PNG, JPEG, TIFF or WebP, with its metadata; complete or not at all."""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ndr.atomic_file import atomic_path
from ndr.restoration.deep_png import write_deep_png
from ndr.restoration.photo import Photo, PhotoError, to_8_bit
from ndr.restoration.photo_metadata import exif_for_size
from ndr.restoration.row_blocks import channel_count
from ndr.restoration.tiff_file import write_tiff

logger = logging.getLogger(__name__)

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""Endings of file names, lower case, and the format that they mean."""
LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
"""Pixels; libjpeg and libwebp refuse longer sides."""
LARGEST_TIFF = 2**32 - 2**20
"""Bytes of pixels; positions in a classic TIFF file have 32 bits."""
DEFAULT_QUALITY = 95


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
    """Refuse before the work what the format of `path` cannot hold after it.

    Args:
        path: the file to write.
        photo: before restoration.
        scale: side of the restored photo over that of `photo`.

    Raises:
        PhotoError: transparency in a JPEG file, or too many pixels for the format.
    """
    kind = output_format(path)
    if photo.alpha is not None and kind == "JPEG":
        raise PhotoError(
            f"{path}: JPEG holds no transparency, which the photo has; write PNG, TIFF or WebP"
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

    PNG and TIFF keep 16 bits; JPEG and WebP get them rounded to 8. WebP has no grey: it gets three
    equal channels. JPEG is written without subsampling of colour.

    Args:
        path: final name; the file appears when it is complete.
        photo: its size may differ from that of the file its metadata is of.
        quality: of JPEG and WebP, 1 to 100.

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
            image.save(temporary, format=kind, **_options(kind, photo, exif, quality))


def _as_image(photo: Photo, kind: str) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(to_8_bit(photo.pixels)))
    if kind == "WEBP" and photo.is_grey:
        image = image.convert("RGB")
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(to_8_bit(photo.alpha)))
    return image


def _options(kind: str, photo: Photo, exif: bytes, quality: int) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if exif:
        options["exif"] = b"Exif\x00\x00" + exif
    if photo.metadata.icc_profile:
        options["icc_profile"] = photo.metadata.icc_profile
    if photo.metadata.dots_per_inch and kind != "WEBP":
        options["dpi"] = photo.metadata.dots_per_inch
    if kind == "JPEG":
        return options | {"quality": quality, "subsampling": 0}
    if kind == "WEBP":
        # exact: colours below transparent pixels are the photo's too.
        return options | {"quality": quality, "exact": True}
    return options
