"""The one form of image that every degradation takes and gives."""

from __future__ import annotations

import numpy as np

ROUNDING_SLACK = 1e-4
"""How far values may leave [0, 1]: float arithmetic, not a wrong scale."""


def check_image(image: np.ndarray, what: str = "image") -> None:
    """Raise unless `image` is a finite floating-point (H, W, 3) array in [0, 1].

    >>> check_image(np.zeros((4, 4, 3), dtype=np.float32))
    >>> check_image(np.zeros((4, 4), dtype=np.float32))
    Traceback (most recent call last):
        ...
    ValueError: image: expected shape (H, W, 3) with RGB channels, found (4, 4)
    """
    if not isinstance(image, np.ndarray) or not np.issubdtype(image.dtype, np.floating):
        found = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(
            f"{what}: expected a float32 array in [0, 1], found {found}; divide 8-bit images by 255"
        )
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"{what}: expected shape (H, W, 3) with RGB channels, found {image.shape}")
    low, high = float(image.min()), float(image.max())
    # The comparison is false for NaN too, which is then named by the message.
    if not (low >= -ROUNDING_SLACK and high <= 1 + ROUNDING_SLACK):
        raise ValueError(
            f"{what}: expected values in [0, 1], found {low:g} to {high:g}; "
            "divide 8-bit images by 255, clip unclipped noise"
        )
