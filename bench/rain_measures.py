"""What rain looks like, measured from a rainy picture and its clean version."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

COVERED_ABOVE = 10 / 255
"""A pixel counts as covered when rain brightens it by more."""
GRADIENT_SCALE = 1.5
"""Deviation in pixels of the Gaussian derivatives; plain differences are not isotropic."""
REACH, STEP = 120.0, 0.25
"""Pixels up to which, and between which, the autocorrelation is read."""


def brightening(clean: np.ndarray, rainy: np.ndarray) -> np.ndarray:
    """How much brighter each pixel became, mean over the channels, float64 (H, W)."""
    return (rainy.astype(np.float64) - clean).mean(axis=2)


def coverage(light: np.ndarray) -> float:
    """Share of the pixels that are brightened by more than `COVERED_ABOVE`."""
    return float(np.mean(light > COVERED_ABOVE))


def streak_angle(light: np.ndarray) -> float:
    """Direction of the streaks in degrees from vertical, positive: lower end further right.

    The direction of least change: the eigenvector of the smaller eigenvalue of the structure
    tensor, averaged over the picture.

    >>> down = np.zeros((40, 40))
    >>> down[:, 20] = 1.0
    >>> round(abs(streak_angle(down)), 6)
    0.0
    """
    along_rows, along_columns = (
        gaussian_filter(light, GRADIENT_SCALE, order) for order in ((1, 0), (0, 1))
    )
    mixed = np.mean(along_rows * along_columns)
    tensor = np.array([[np.mean(along_rows**2), mixed], [mixed, np.mean(along_columns**2)]])
    down, right = np.linalg.eigh(tensor)[1][:, 0]
    angle = np.rad2deg(np.arctan2(right, down))
    return float((angle + 90) % 180 - 90)


def _autocorrelation(light: np.ndarray) -> np.ndarray:
    """Autocorrelation of the picture less its mean, 1 at shift 0; shift (r, c) at index (r, c)."""
    height, width = light.shape
    spectrum = np.fft.rfft2(light - light.mean(), (2 * height, 2 * width))
    correlation = np.fft.irfft2(np.abs(spectrum) ** 2, (2 * height, 2 * width))
    return correlation / correlation[0, 0]


def streak_size(light: np.ndarray, angle: float) -> tuple[float, float]:
    """Width and length of the streaks in pixels: full widths of the autocorrelation at half height.

    Across the streaks and along them. A box of length L has the value L, and bright streaks count
    most.

    Args:
        light: the brightening, (H, W), not constant.
        angle: direction of the streaks, from `streak_angle`.

    Returns:
        Width and length, up to twice `REACH`.
    """
    correlation = _autocorrelation(light)
    shift = np.arange(0, REACH, STEP)
    slant = np.deg2rad(angle)
    across, along = (-np.sin(slant), np.cos(slant)), (np.cos(slant), np.sin(slant))

    def full_width(direction: tuple[float, float]) -> float:
        where = [
            (shift * part) % size for part, size in zip(direction, correlation.shape, strict=True)
        ]
        profile = map_coordinates(correlation, where, order=1, mode="grid-wrap")
        below = np.flatnonzero(profile < 0.5)
        return 2 * float(shift[below[0]]) if below.size else 2 * REACH

    return full_width(across), full_width(along)
