"""What haze looks like, measured from a hazy picture and its clean version."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, minimum_filter

WINDOW = 4.0
"""Deviation in pixels of the Gaussian window in which transmission is fitted."""
CONTRAST_NEEDED = 0.004
"""Mean square of J - A in the window from which a fit is trusted."""
COLOUR_NEEDED = 0.15
"""Difference of red and blue of the clean pixel from which it tells transmission."""
VEIL_NEEDED = 0.05
"""Least 1 - t from which a pixel tells the airlight."""
DARK_WINDOW = 15
"""Side in pixels of the dark channel's window (He, Sun and Tang, TPAMI 2011)."""


def transmission_map(clean: np.ndarray, hazy: np.ndarray, airlight: float) -> np.ndarray:
    """Transmission t of I = J t + A (1 - t) by least squares in a window.

    Args:
        clean: J, float (H, W, 3) in [0, 1].
        hazy: I, likewise.
        airlight: A, the same in the three channels.

    Returns:
        float64 (H, W); NaN where the clean picture has nearly the colour of the airlight, so that
        haze cannot be seen.
    """
    below = clean.astype(np.float64) - airlight
    left = hazy.astype(np.float64) - airlight
    power = gaussian_filter((below**2).mean(axis=2), WINDOW)
    product = gaussian_filter((below * left).mean(axis=2), WINDOW)
    known = power > CONTRAST_NEEDED
    return np.where(known, product / np.where(known, power, 1.0), np.nan)


def depth_map(transmission: np.ndarray, beta: float) -> np.ndarray:
    """Depth -log(t) / beta in the units of RESIDE; NaN stays.

    >>> depth_map(np.exp([[-0.2]]), 0.1).round(9).tolist()
    [[2.0]]
    """
    return -np.log(np.clip(transmission, 0.02, None)) / beta


def estimated_airlight(clean: np.ndarray, hazy: np.ndarray) -> float:
    """Grey airlight A: the median over coloured pixels of (I - J t) / (1 - t).

    A grey veil leaves differences of channels multiplied by t, so red less blue tells t without
    knowing A. NaN where no pixel is colourful and veiled enough.
    """
    clean, hazy = clean.astype(np.float64), hazy.astype(np.float64)
    clean_colour, hazy_colour = (image[..., 0] - image[..., 2] for image in (clean, hazy))
    coloured = np.abs(clean_colour) > COLOUR_NEEDED
    t = hazy_colour[coloured] / clean_colour[coloured]
    veiled = 1 - t > VEIL_NEEDED
    if not veiled.any():
        return float("nan")
    t = t[veiled, None]
    return float(np.median((hazy[coloured][veiled] - clean[coloured][veiled] * t) / (1 - t)))


def darkest(image: np.ndarray) -> float:
    """Mean of the dark channel: the minimum over channels and a window of `DARK_WINDOW` pixels.

    Near 0 for clear outdoor photographs, about A (1 - t) under haze.

    >>> darkest(np.full((20, 20, 3), 0.25))
    0.25
    """
    return float(minimum_filter(image.min(axis=2), DARK_WINDOW, mode="nearest").mean())


def common_crop(clean: np.ndarray, hazy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut both pictures to the middle that they share; some copies of RESIDE differ by a border.

    >>> [a.shape for a in common_crop(np.zeros((12, 9, 3)), np.zeros((10, 9, 3)))]
    [(10, 9, 3), (10, 9, 3)]
    """
    height, width = np.minimum(clean.shape[:2], hazy.shape[:2])

    def middle(image: np.ndarray) -> np.ndarray:
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        return image[top : top + height, left : left + width]

    return middle(clean), middle(hazy)
