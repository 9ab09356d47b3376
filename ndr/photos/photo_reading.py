"""Reading a photograph, with 8 or 16 bits per channel; what cannot be read truly is refused."""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from ndr.image_decoding import (
    DEEP_GREY_MODES,
    GREY_MODES,
    DecodingError,
    ForeignFormatError,
    SampleKindError,
    Samples,
    check_png,
    no_limit_of_pixels,
    opened,
    samples_of,
)

logger = logging.getLogger(__name__)

EXIF_MARKER = b"Exif\x00\x00"
"""What stands before the TIFF header of an EXIF block in JPEG files."""
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

FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "BMP")
"""Pillow's names; MPO is what many phones write: a JPEG photo, further views behind it."""
COLOUR_MODES = ("RGB", "RGBA", "P", "PA", "RGBX")
DEFAULT_MEGAPIXELS = 250.0


class PhotoError(ValueError):
    """A photograph that cannot be read, restored or written; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class PhotoMetadata:
    """What travels from the file that is read to the file that is written."""

    exif: bytes = b""
    """EXIF block in TIFF form, without the orientation's effect and without thumbnail; or empty."""
    icc_profile: bytes = b""
    """Colour profile of the pixels, or empty."""
    dots_per_inch: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """Pixels as a viewer shows them: the orientation that EXIF asks for is applied."""

    pixels: Samples
    """(H, W) grey or (H, W, 3) RGB, in the colour space of the file."""
    alpha: Samples | None = None
    """(H, W), of the type of `pixels`; not premultiplied."""
    metadata: PhotoMetadata = field(default_factory=PhotoMetadata)

    @property
    def height(self) -> int:
        """Rows."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.pixels.shape[1]

    @property
    def is_grey(self) -> bool:
        """Whether there is one channel."""
        return self.pixels.ndim == 2

    @property
    def is_deep(self) -> bool:
        """Whether there are 16 bits per channel."""
        return self.pixels.dtype == np.uint16


def to_8_bit(samples: Samples) -> NDArray[np.uint8]:
    """Samples of 16 bits rounded to 8; those of 8 bits as they are.

    >>> to_8_bit(np.array([[0, 128, 129, 65535]], dtype=np.uint16)).tolist()
    [[0, 0, 1, 255]]
    """
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    # 65535 = 257 * 255. Rows at a time: the sum needs 32 bits.
    rounded = np.empty(samples.shape, dtype=np.uint8)
    for row, target in zip(samples, rounded, strict=True):
        target[...] = (row.astype(np.uint32) + 128) // 257
    return rounded


def read_metadata(image: Image.Image, where: str) -> tuple[PhotoMetadata, int]:
    """The metadata of a loaded file that are kept, and the EXIF orientation of its pixels.

    Orientations other than 1 to 8 count as 1. Pillow itself turns the pixels of TIFF files.
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
    kept, empty = Image.Exif(), True
    for tag, value in found.items():
        if tag not in STORAGE_ENTRIES and tag not in EXIF_FOLDERS:
            kept[tag], empty = 1 if tag == ORIENTATION else value, False
    for folder in EXIF_FOLDERS:
        entries = dict(found.get_ifd(folder))
        if entries:
            kept.get_ifd(folder).update(entries)
            empty = False
    return b"" if empty else kept.tobytes().removeprefix(EXIF_MARKER)


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
        exif.load(EXIF_MARKER + block)
    return exif


def exif_for_size(block: bytes, width: int, height: int) -> bytes:
    """The EXIF block with its note of the picture's size, where it has one, brought up to date."""
    exif = loaded_exif(block)
    folder = exif.get_ifd(ExifTags.IFD.Exif)
    if not any(tag in folder for tag in _SIZE_ENTRIES):
        return block
    folder.update(zip(_SIZE_ENTRIES, (width, height), strict=True))
    return exif.tobytes().removeprefix(EXIF_MARKER)


def turned_upright(samples: Samples, orientation: int) -> Samples:
    """Turn stored pixels (H, W[, C]) as their EXIF orientation, 1 to 8, says (EXIF 2.3, 0x0112).

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


def read_photo(path: str | Path, max_megapixels: float = DEFAULT_MEGAPIXELS) -> Photo:
    """Read a PNG, JPEG, TIFF, WebP or BMP file and turn it upright.

    Pictures of more than `max_megapixels` are refused before they are decoded: a file of a few
    kilobytes can unpack to more than fits into memory.

    Raises:
        FileNotFoundError: no such file.
        PhotoError: empty, truncated, damaged, of another format, animated, too large, CMYK or
            another colour space than grey and RGB, or of another depth than 8 and 16 bits.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise PhotoError(f"{path}: the file is empty; copy or download it again")
    try:
        with no_limit_of_pixels(), opened(path, _OPENED) as image:
            _check(image, max_megapixels)
            if image.format == "PNG":
                check_png(path)
            samples = samples_of(image, path)
            metadata, orientation = read_metadata(image, str(path))
    except ForeignFormatError as error:
        raise PhotoError(
            f"{path}: expected a PNG, JPEG, TIFF, WebP or BMP file of 8 or 16 bits, found some"
            "thing else or a damaged file; convert it, or copy it again"
        ) from error
    except SampleKindError as error:
        raise PhotoError(f"{path}: {error}") from error
    except DecodingError as error:
        raise PhotoError(f"{path}: {error}; copy or download it again") from error
    samples, alpha = turned_upright(samples, orientation), None
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        alpha = np.ascontiguousarray(samples[..., -1])
        samples = samples[..., :-1]
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    return Photo(np.ascontiguousarray(samples), alpha, metadata)


_OPENED = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
"""GIF is opened to be refused by name."""


def _check(image: ImageFile.ImageFile, max_megapixels: float) -> None:
    """Refuse what the header already tells."""
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise SampleKindError(
            f"{image.width}x{image.height} are {megapixels:.0f} megapixels, more than the limit of "
            f"{max_megapixels:g}; raise it with --max-megapixels if the file is genuine"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        what = "pages" if image.format == "TIFF" else "frames (animated)"
        raise SampleKindError(f"{image.format} of {frames} {what}; save the one that you mean")
    if image.format not in FORMATS:
        raise SampleKindError(f"{image.format} is not read here; save it as PNG")
    known = (*GREY_MODES, *COLOUR_MODES, *DEEP_GREY_MODES)
    if image.mode not in known:
        if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
            advice = "convert it to RGB with its colour profile first, in an image editor"
        else:
            advice = "convert it to 8 or 16 bits per channel first"
        raise SampleKindError(f"expected grey or RGB, found {image.mode}; {advice}")
