"""EXIF, colour profile and resolution of a photograph: what is kept and what must not be.

Kept are the camera's and the photographer's entries. Not kept is what describes the old file and
would be wrong in the new one: how its pixels were stored, its thumbnail, and its orientation,
which is applied to the pixels instead. XMP and IPTC blocks are not kept.
"""

from __future__ import annotations

import logging
import struct

import numpy as np
from PIL import ExifTags, Image

from ndr.restoration.photo import PhotoMetadata, Samples

logger = logging.getLogger(__name__)

ORIENTATION = int(ExifTags.Base.Orientation)
EXIF_FOLDERS = (int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo))
"""Entries that are folders of further entries: exposure and lens, and the place."""
_SIZE_ENTRIES = (int(ExifTags.Base.ExifImageWidth), int(ExifTags.Base.ExifImageHeight))

STORAGE_ENTRIES = frozenset(
    {
        *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 284),
        *(290, 291, 292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 334),
        *(338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521),
        *(529, 530, 531, 532, 700, 33723, 34377, 34675),
    }
)
"""TIFF 6.0 entries on the storage of pixels (strips, tiles, compression, number of channels), and
XMP, IPTC, Photoshop and colour profile, which are no EXIF."""


def read_metadata(image: Image.Image, where: str) -> tuple[PhotoMetadata, int]:
    """The metadata of an opened file, and how its pixels are to be turned.

    Args:
        image: opened by Pillow and loaded (Pillow itself turns the pixels of TIFF files).
        where: the file, for messages.

    Returns:
        What is kept, and the EXIF orientation (1 to 8; other values count as 1).
    """
    icc = image.info.get("icc_profile") or b""
    orientation, exif = 1, b""
    try:
        found = image.getexif()
        given = found.get(ORIENTATION, 1)
        orientation = given if given in range(1, 9) else 1
        exif = _kept_exif(found)
    except (ValueError, TypeError, KeyError, OSError, SyntaxError, struct.error) as error:
        logger.warning("%s: its EXIF block is damaged (%s) and is not kept", where, error)
    return PhotoMetadata(exif, icc, _resolution(image)), orientation


def _kept_exif(found: Image.Exif) -> bytes:
    kept = Image.Exif()
    for tag, value in found.items():
        if tag not in STORAGE_ENTRIES and tag not in EXIF_FOLDERS:
            kept[tag] = value
    if ORIENTATION in kept:
        kept[ORIENTATION] = 1
    for folder in EXIF_FOLDERS:
        entries = dict(found.get_ifd(folder))
        if entries:
            kept.get_ifd(folder).update(entries)
    return without_marker(kept.tobytes()) if len(kept) or _has_folders(kept) else b""


def _has_folders(exif: Image.Exif) -> bool:
    return any(exif.get_ifd(folder) for folder in EXIF_FOLDERS)


def without_marker(block: bytes) -> bytes:
    r"""The EXIF block from its TIFF header on.

    >>> without_marker(b"Exif\x00\x00II*\x00")
    b'II*\x00'
    """
    return block.removeprefix(b"Exif\x00\x00")


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    given = image.info.get("dpi")
    try:
        horizontal, vertical = (float(value) for value in given or ())
    except (TypeError, ValueError):
        return None
    usable = all(np.isfinite(value) and value >= 1 for value in (horizontal, vertical))
    return (horizontal, vertical) if usable else None


def loaded_exif(block: bytes) -> Image.Exif:
    """The entries of an EXIF block that `read_metadata` returned."""
    exif = Image.Exif()
    if block:
        exif.load(b"Exif\x00\x00" + block)
    return exif


def exif_for_size(block: bytes, width: int, height: int) -> bytes:
    """The EXIF block with its note of the picture's size, where it has one, brought up to date."""
    exif = loaded_exif(block)
    folder = exif.get_ifd(ExifTags.IFD.Exif)
    if not any(tag in folder for tag in _SIZE_ENTRIES):
        return block
    folder.update(zip(_SIZE_ENTRIES, (width, height), strict=True))
    return without_marker(exif.tobytes())


def turned_upright(samples: Samples, orientation: int) -> Samples:
    """Turn stored pixels as their EXIF orientation says (EXIF 2.3, tag 0x0112).

    Args:
        samples: (H, W) or (H, W, C) as stored.
        orientation: 1 to 8.

    Returns:
        Contiguous; (W, H, ...) for orientations above 4.

    >>> turned_upright(np.array([[1, 2], [3, 4]], dtype=np.uint8), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return np.ascontiguousarray(samples)
