"""Small grey pictures that stand for whole photographs when many are compared."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ndr.data.image_files import check_rgb

SIDE = 64
"""Pixels on each side, whatever the shape of the photograph."""
VERSION = 1
"""Raised when `thumbnail` changes, so that stored thumbnails of the old kind are not used."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
MINIMUM_CONTRAST = 2.0
"""Grey levels between the darkest and the brightest point; below it a thumbnail is flat."""

ORIENTATIONS = (
    "as it is",
    "mirrored",
    "upside down",
    "turned by 180 degrees",
    "transposed",
    "turned by 90 degrees",
    "turned by 270 degrees",
    "transposed across the other diagonal",
)
"""Names of what `oriented` returns: flips and transposes, the augmentations of training."""


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink a photograph to a square grey picture with its contrast stretched to 8 bits.

    Each point is a weighted mean of the luma around it, so that compression and another size
    change it little. The weights fall off linearly: they are symmetric, unlike those of Pillow's
    box filter, so that a flipped photograph has the flipped thumbnail. The stretch makes hazy
    pictures as precise as clear ones.

    Args:
        image: uint8 array (H, W, 3).

    Returns:
        uint8 array (64, 64); all zeros where the photograph is flat.
    """
    check_rgb(image, "picture to shrink")
    grey = image.astype(np.float32) @ LUMA
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    darkest, contrast = small.min(), float(np.ptp(small))
    if contrast < MINIMUM_CONTRAST:
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    return np.rint((small - darkest) * (255.0 / contrast)).astype(np.uint8)


def flat(thumbnails: np.ndarray) -> np.ndarray:
    """Which thumbnails show nothing that could be compared; bool (N,)."""
    return thumbnails.reshape(len(thumbnails), -1).max(axis=1, initial=0) == 0


def oriented(thumbnails: np.ndarray) -> np.ndarray:
    """All thumbnails in all eight orientations.

    Args:
        thumbnails: (N, S, S).

    Returns:
        (8, N, S, S), in the order of `ORIENTATIONS`.
    """
    transposed = thumbnails.transpose(0, 2, 1)
    return np.stack(
        [
            thumbnails,
            thumbnails[:, :, ::-1],
            thumbnails[:, ::-1],
            thumbnails[:, ::-1, ::-1],
            transposed,
            transposed[:, ::-1],
            transposed[:, :, ::-1],
            transposed[:, ::-1, ::-1],
        ]
    )
