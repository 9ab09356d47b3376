"""Writing TIFF files with EXIF folders, of 8 or 16 bits per channel.

Pillow writes no colour of 16 bits, and none of the folders in files that it compresses. After
Adobe's "TIFF Revision 6.0" and its "Supplement 2" (deflate).
"""

from __future__ import annotations

import zlib
from itertools import accumulate
from pathlib import Path

from PIL import TiffImagePlugin, TiffTags

from ndr.restoration.photo import Photo, Samples
from ndr.restoration.photo_metadata import EXIF_FOLDERS, loaded_exif
from ndr.restoration.row_blocks import ROWS, channel_count, row_blocks

COMPRESSION = 6
"""zlib level, its own default."""
_DEFLATE, _HORIZONTAL, _GREY, _RGB, _CONTIGUOUS, _UNASSOCIATED = 8, 2, 1, 2, 1, 2


def write_tiff(path: Path, photo: Photo, exif: bytes) -> None:
    """Write a TIFF file of 8 or 16 bits per channel, deflated, least significant byte first.

    Args:
        path: written in place; the caller cares for the final name.
        photo: written as it is.
        exif: EXIF block in TIFF form, or empty; its entries become the file's own.
    """
    strips = [zlib.compress(_predicted(block), COMPRESSION) for block in row_blocks(photo)]
    lengths = [len(strip) for strip in strips]
    channels = channel_count(photo)
    entries = _described(exif)
    if photo.metadata.icc_profile:
        entries[TiffImagePlugin.ICCPROFILE] = photo.metadata.icc_profile
    if photo.metadata.dots_per_inch:
        entries[TiffImagePlugin.RESOLUTION_UNIT] = 2
        entries[TiffImagePlugin.X_RESOLUTION] = photo.metadata.dots_per_inch[0]
        entries[TiffImagePlugin.Y_RESOLUTION] = photo.metadata.dots_per_inch[1]
    entries[TiffImagePlugin.IMAGEWIDTH] = photo.width
    entries[TiffImagePlugin.IMAGELENGTH] = photo.height
    entries[TiffImagePlugin.BITSPERSAMPLE] = (8 * photo.pixels.itemsize,) * channels
    entries[TiffImagePlugin.COMPRESSION] = _DEFLATE
    entries[TiffImagePlugin.PREDICTOR] = _HORIZONTAL
    entries[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = _GREY if photo.is_grey else _RGB
    entries[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    entries[TiffImagePlugin.PLANAR_CONFIGURATION] = _CONTIGUOUS
    if photo.alpha is not None:
        entries[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED
    entries[TiffImagePlugin.ROWSPERSTRIP] = ROWS
    # From the end of the entries on; Pillow adds their length.
    offsets = [0, *accumulate(lengths)][:-1]
    entries.tagtype[TiffImagePlugin.STRIPOFFSETS] = TiffTags.LONG
    entries.tagtype[TiffImagePlugin.STRIPBYTECOUNTS] = TiffTags.LONG
    entries[TiffImagePlugin.STRIPOFFSETS] = tuple(offsets)
    entries[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(lengths)
    with path.open("wb") as file:
        entries.save(file)
        for strip in strips:
            file.write(strip)


def _described(exif: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The entries of an EXIF block, those of its folders in folders of their own."""
    entries = TiffImagePlugin.ImageFileDirectory_v2()
    block = loaded_exif(exif)
    for tag, value in block.items():
        if tag not in EXIF_FOLDERS:
            entries[tag] = value
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
