"""Depth of a scene for the synthesis of haze: invented, or from a measured disparity.

The unit is the one of RESIDE's OTS, see `ndr.degradations.haze`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, uniform_filter

from ndr.degradations.downsampling import cubic_kernel

MEDIANS = (2.3, 4.1)
"""Range of the median depth of a scene, log-uniform. SOTS outdoor pairs: 2.7 to 3.2."""
RELIEFS = (0.08, 0.3)
"""Range of the standard deviation of the logarithm of depth within a scene, without the tilt. SOTS
outdoor pairs: 0.12 to 0.20. RESIDE's depth comes from a network that blurs and evens it out."""
TILTS = (-0.15, 0.5)
"""Range of the logarithm of depth at the top of the picture over that at the bottom. SOTS outdoor
pairs: -0.08 to 0.19, for their depth hardly knows that the sky is far."""
MEDIAN_DEPTH = 3.0
"""Median that a measured depth is scaled to: that of SOTS outdoor pairs."""
DEPTH_LIMITS = (0.75, 12.5)
"""With OTS's beta (0.04..0.2) these give optical depths 0.03..2.5."""


def _smooth_noise(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """Sum of three octaves of smooth noise, mean 0 and deviation 1, (H, W).

    Each octave is a coarse grid of normal draws under cubic interpolation.
    """

    def interpolation(length: int, cells: int) -> np.ndarray:
        position = (np.arange(length) + 0.5) / length * cells + 1
        return cubic_kernel(position[:, None] - np.arange(cells + 3))

    total = np.zeros((height, width))
    for octave, cells in enumerate((3, 6, 12)):
        coarse = generator.standard_normal((cells + 3, cells + 3))
        fine = interpolation(height, cells) @ coarse @ interpolation(width, cells).T
        total += fine / 2**octave
    return (total - total.mean()) / max(float(total.std()), 1e-6)


def guided_filter(
    values: np.ndarray, guide: np.ndarray, radius: int, smoothness: float
) -> np.ndarray:
    """Smooth `values` but keep the edges of `guide` (He, Sun and Tang, TPAMI 2013).

    In each window, of side 2 radius + 1, the result is the linear function of the guide that fits
    the values best; a guide of less variance than `smoothness` counts as flat.

    >>> bool(np.allclose(guided_filter(np.full((9, 9), 2.0), np.eye(9), 2, 0.01), 2.0))
    True
    """

    def mean(array: np.ndarray) -> np.ndarray:
        return uniform_filter(array, 2 * radius + 1, mode="nearest")

    guide_mean, values_mean = mean(guide), mean(values)
    variance = mean(guide * guide) - guide_mean**2
    slope = (mean(guide * values) - guide_mean * values_mean) / (variance + smoothness)
    return mean(slope) * guide + mean(values_mean - slope * guide_mean)


def generated_depth(
    height: int, width: int, generator: np.random.Generator, guide: np.ndarray | None = None
) -> np.ndarray:
    """Invent the depth of an outdoor scene as RESIDE's depth network sees it.

    A median depth times a gentle slope towards the top times smooth relief, log-normal; the edges
    of the picture cut it. The depths of SOTS outdoor, -log(t) / beta from its pairs with A and
    beta of the file name, are far more even than a true perspective: 1.7 to 4.4 within a picture,
    sky and ground alike. Haze from a steep ground plane (1 to 7) is strong at the top and absent
    at the bottom, and teaches a network to take pale skies of clear pictures for haze.

    The draws do not depend on the guide, an image (H, W, 3) whose edges the depth should follow.

    Returns:
        float64 (H, W) in OTS units, within `DEPTH_LIMITS`.

    >>> depth = generated_depth(64, 96, np.random.default_rng(0))
    >>> depth.shape, bool(0.5 * MEDIANS[0] < np.median(depth) < 2 * MEDIANS[1])
    ((64, 96), True)
    """
    median = float(np.exp(generator.uniform(*np.log(MEDIANS))))
    relief, tilt = generator.uniform(*RELIEFS), generator.uniform(*TILTS)
    upwards = 0.5 - (np.arange(height)[:, None] + 0.5) / height
    noise = _smooth_noise(height, width, generator)
    depth = median * np.exp(tilt * upwards + relief * noise)
    if guide is not None:
        grey = guide.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        radius = max(2, min(height, width) // 16)
        depth = guided_filter(depth, gaussian_filter(grey, 1.0), radius, 1e-3)
    return np.clip(depth, *DEPTH_LIMITS)


def depth_from_disparity(disparity: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """Turn a stereo disparity into depth, d proportional to 1 / (disparity + offset).

    Unknown pixels (not finite, or not above 0) take the value of the nearest known one. The scale
    of the cameras is dropped: the median becomes `MEDIAN_DEPTH`, so that OTS's beta fits.

    Args:
        disparity: (H, W) in pixels.
        offset: difference in pixels of the two cameras' principal points, which a true depth
            needs where the rectified pair was cropped (Middlebury 2014 calls it doffs).

    Returns:
        float64 (H, W) in OTS units, within `DEPTH_LIMITS`.

    Raises:
        ValueError: not two-dimensional, or no known pixel.

    >>> depth_from_disparity(np.array([[10.0, 20.0, np.inf]])).round(2).tolist()
    [[6.0, 3.0, 3.0]]
    """
    if disparity.ndim != 2:
        raise ValueError(f"disparity: expected shape (H, W), found {disparity.shape}")
    known = np.isfinite(disparity) & (np.where(np.isfinite(disparity), disparity, 0) > 0)
    if not known.any():
        raise ValueError("disparity: no pixel is finite and above 0; pass a measured disparity")
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    depth = 1 / (disparity.astype(np.float64)[tuple(nearest)] + offset)
    depth *= MEDIAN_DEPTH / np.median(depth)
    return np.clip(depth, *DEPTH_LIMITS)
