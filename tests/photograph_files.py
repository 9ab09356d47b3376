"""Small photographs as files of many kinds, for tests of reading and writing them."""

from __future__ import annotations

import functools
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import data

MAKE, MODEL, ORIENTATION, SOFTWARE = 271, 272, 274, 305
EXIF_FOLDER, EXPOSURE_TIME, WIDTH, HEIGHT = 0x8769, 33434, 40962, 40963
GPS_FOLDER = 0x8825


def crop(height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """Part of a real photograph, different at each place, (height, width, 3)."""
    return np.ascontiguousarray(data.astronaut()[40 : 40 + height, 190 : 190 + width])


def deep(samples: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """16 bits of which the lower eight matter too."""
    noise = np.random.default_rng(5).integers(0, 256, samples.shape, dtype=np.uint16)
    return samples.astype(np.uint16) * 256 + noise


@functools.cache
def profile() -> bytes:
    """A colour profile; it carries the second of its making, so it is made once."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1, width: int = 56, height: int = 40) -> Image.Exif:
    """EXIF entries of a camera."""
    block = Image.Exif()
    block[MAKE], block[MODEL], block[SOFTWARE] = "Maker", "Model 1", "Firmware"
    block[ORIENTATION] = orientation
    block.get_ifd(EXIF_FOLDER).update({EXPOSURE_TIME: 0.01, WIDTH: width, HEIGHT: height})
    block.get_ifd(GPS_FOLDER).update({1: "N", 2: (48.0, 8.0, 14.0)})
    return block


def write(path: Path, samples: NDArray[np.uint8], **options: object) -> Path:
    """Write 8-bit samples with Pillow; the ending tells the format."""
    Image.fromarray(samples).save(path, **options)
    return path


def deep_png(samples: NDArray[np.uint16], transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG file of 16 bits, written by hand: (H, W, C); `transparent` is one colour of it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checksum

    height, width, channels = samples.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, colour, 0, 0, 0])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    key = b"".join(value.to_bytes(2, "big") for value in transparent)
    chunks = [(b"IHDR", head), (b"tRNS", key), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    wanted = [chunk(*each) for each in chunks if each[1] or each[0] == b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(wanted)
