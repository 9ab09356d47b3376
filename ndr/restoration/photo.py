"""A photograph in memory: upright pixels, transparency, and what its file says beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8] | NDArray[np.uint16]


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
        return samples
    # 65535 = 257 * 255. Rows at a time: the sum needs 32 bits.
    rounded = np.empty(samples.shape, dtype=np.uint8)
    for row, target in zip(samples, rounded, strict=True):
        target[...] = (row.astype(np.uint32) + 128) // 257
    return rounded
