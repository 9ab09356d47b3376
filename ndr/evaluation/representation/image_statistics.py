"""Plain statistics of an image, or of what was added to it: what needs no network at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STATISTICS = (
    "mean",
    "standard deviation",
    "1st percentile",
    "99th percentile",
    "mean absolute horizontal difference",
    "mean absolute vertical difference",
    "mean absolute diagonal difference",
    "mean absolute Laplacian (Immerkaer's noise estimate)",
    "kurtosis of horizontal differences",
    "correlation of neighbouring pixels",
    "mean range of the three channels",
    "mean of the darkest channel",
)
"""Names of the numbers, in their order."""

_TINY = 1e-12


def _kurtosis(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    variance = float((centred**2).mean())
    return float((centred**4).mean()) / variance**2 if variance > _TINY else 0.0


def _neighbour_correlation(grey: NDArray[np.float64]) -> float:
    left, right = grey[:, :-1] - grey.mean(), grey[:, 1:] - grey.mean()
    scale = float(np.sqrt((left**2).mean() * (right**2).mean()))
    return float((left * right).mean()) / scale if scale > _TINY else 0.0


def image_statistics(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Twelve plain numbers of an image, or of a residual.

    Args:
        image: (H, W, 3), at least 3 pixels a side; any range.

    Returns:
        (12,), named by `STATISTICS`. The ninth and tenth are 0 for a constant image.

    >>> image_statistics(np.full((8, 8, 3), 0.25)).round(2).tolist()[:4]
    [0.25, 0.0, 0.25, 0.25]
    """
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 3:
        raise ValueError(f"expected an image (H, W, 3) of 3 pixels a side, found {image.shape}")
    pixels = image.astype(np.float64)
    grey = pixels.mean(axis=2)
    horizontal, vertical = np.diff(grey, axis=1), np.diff(grey, axis=0)
    diagonal = grey[1:, 1:] - grey[:-1, :-1]
    laplacian = np.diff(np.diff(grey, n=2, axis=0), n=2, axis=1)
    low, high = np.percentile(grey, (1, 99))
    return np.array(
        [
            grey.mean(),
            grey.std(),
            low,
            high,
            np.abs(horizontal).mean(),
            np.abs(vertical).mean(),
            np.abs(diagonal).mean(),
            np.sqrt(np.pi / 2) / 6 * np.abs(laplacian).mean(),
            _kurtosis(horizontal),
            _neighbour_correlation(grey),
            np.ptp(pixels, axis=2).mean(),
            pixels.min(axis=2).mean(),
        ]
    )


def statistics_of(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """(B, H, W, 3) -> (B, 12), see `image_statistics`."""
    return np.stack([image_statistics(image) for image in images])
