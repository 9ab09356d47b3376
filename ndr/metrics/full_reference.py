"""PSNR and SSIM of a restored image against its ground truth, in double precision.

Which pixels, which colour space and which window belong to a table is the protocol's decision
(`ndr.metrics.protocol`); here are only the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ndr.metrics.metric import METRICS, ImageTooSmallError, compute, measures

GAUSSIAN_SIDE = 11
GAUSSIAN_DEVIATION = 1.5
UNIFORM_SIDE = 7
WINDOW_SIDES = {"gaussian": GAUSSIAN_SIDE, "uniform": UNIFORM_SIDE}
BAND_PIXELS = 1 << 22
"""Larger images are measured in bands of rows, so that what is held beside them stays small."""

Pixels = NDArray[np.floating]


@measures("PSNR")
def psnr(restored: Pixels, clean: Pixels, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio over all pixels and channels, in dB.

    PSNR = 10 log10(peak^2 / MSE), MSE = mean of (restored - clean)^2.

    Args:
        restored: values in [0, peak].
        clean: as `restored`, of the same shape.
        peak: largest possible value.

    Returns:
        Decibels, higher is better; `inf` for identical arrays.

    Raises:
        ValueError: the shapes differ or are empty, or a value is NaN or infinite.

    >>> clean = np.zeros((4, 4, 3))
    >>> round(psnr(clean + 0.1, clean), 6)
    20.0
    >>> psnr(clean, clean)
    inf
    """
    _check_images(restored, clean)
    errors, sizes = [], []
    for rows in _bands(*restored.shape[:2]):
        difference = np.subtract(restored[rows], clean[rows], dtype=np.float64)
        errors.append(float(np.mean(np.square(difference, out=difference))))
        sizes.append(difference.size)
    error = _mean(errors, sizes)
    return math.inf if error == 0.0 else 10.0 * math.log10(peak**2 / error)


@measures("SSIM", "window")
def ssim(restored: Pixels, clean: Pixels, window: str = "gaussian", peak: float = 1.0) -> float:
    """Structural similarity (Wang et al., TIP 2004), mean over the map, then over channels.

    SSIM = (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2)) with
    C1 = (0.01 peak)^2, C2 = (0.03 peak)^2 and local means m, variances s^2, covariance s_xy:

    - `gaussian`: 11x11, standard deviation 1.5, weights sum to one, population covariance;
    - `uniform`: 7x7, sample covariance (times 49 / 48), the defaults of scikit-image.

    Only windows that lie inside the image count, so 5 or 3 pixels are lost on each side.

    Args:
        restored: (H, W) or (H, W, C), values in [0, peak].
        clean: as `restored`, of the same shape.
        window: `gaussian` or `uniform`.
        peak: largest possible value. A common factor of images and peak changes nothing.

    Returns:
        At most 1, higher is better; exactly 1 for identical arrays.

    Raises:
        ValueError: the shapes differ, or a value is NaN or infinite.
        ImageTooSmallError: the image is smaller than the window.

    >>> ramp = np.linspace(0.0, 1.0, 16 * 16).reshape(16, 16)
    >>> ssim(ramp, ramp)
    1.0
    >>> grey, darker = np.full((16, 16), 0.5), np.full((16, 16), 0.25)
    >>> c1 = 0.01**2  # no structure: only the comparison of the means is left
    >>> round(ssim(darker, grey) / ((2 * 0.125 + c1) / (0.25 + 0.0625 + c1)), 12)
    1.0
    """
    _check_images(restored, clean)
    if restored.ndim == 2:
        restored, clean = restored[..., None], clean[..., None]
    side = WINDOW_SIDES[window]
    if min(restored.shape[:2]) < side:
        raise ImageTooSmallError(
            f"SSIM needs images of at least {side} x {side} pixels, found "
            f"{restored.shape[1]} x {restored.shape[0]} (width x height); use a larger crop"
        )
    # A peak of one keeps the constants, and with them the rounding, the same for every protocol.
    # One channel at a time: its arrays stay in the processor's cache.
    bands = _bands(*restored.shape[:2], overlap=side - 1)
    channels = [
        _mean(
            [
                _channel_ssim(
                    np.divide(restored[rows, :, channel], peak, dtype=np.float64),
                    np.divide(clean[rows, :, channel], peak, dtype=np.float64),
                    window,
                )
                for rows in bands
            ],
            [rows.stop - rows.start - side + 1 for rows in bands],
        )
        for channel in range(restored.shape[-1])
    ]
    # Rounding may lift nearly identical images above one by a last digit.
    return min(1.0, float(np.mean(channels)))


def comparison(restored: Pixels, clean: Pixels, **options: object) -> dict[str, float]:
    """All metrics with reference, by name; `options` are those that their functions take.

    >>> comparison(np.zeros((16, 16)), np.ones((16, 16)), window="uniform")["PSNR"]
    0.0
    """
    return {
        name: compute(name, restored, clean, **options)
        for name, metric in METRICS.items()
        if metric.needs_reference
    }


def _bands(height: int, width: int = 1, *, overlap: int = 0) -> list[slice]:
    """Rows of an image in bands of about `BAND_PIXELS`, of which neighbours share `overlap` rows.

    >>> _bands(100, BAND_PIXELS // 50, overlap=10)
    [slice(0, 50, None), slice(40, 90, None), slice(80, 100, None)]
    >>> _bands(16, 16, overlap=10)
    [slice(0, 16, None)]
    """
    rows = max(BAND_PIXELS // width, overlap + 1)
    starts = range(0, max(height - overlap, 1), rows - overlap)
    return [slice(start, min(start + rows, height)) for start in starts]


def _mean(values: Sequence[float], sizes: Sequence[int]) -> float:
    """Mean over all bands; one value, or equal ones, stay as they are to the last bit."""
    first = values[0]
    others = sum((value - first) * size for value, size in zip(values, sizes, strict=True))
    return first + others / sum(sizes)


def _channel_ssim(x: NDArray[np.float64], y: NDArray[np.float64], window: str) -> float:
    """Mean similarity of two (H, W) arrays with peak 1."""
    side = WINDOW_SIDES[window]
    correction = side**2 / (side**2 - 1) if window == "uniform" else 1.0
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = _local_mean(x, window), _local_mean(y, window)
    covariance = _local_mean(x * y, window)
    # Only the sum of the two variances is needed: four filters instead of five.
    variances = _local_mean(x * x + y * y, window)
    products = mean_x * mean_y
    squares = np.square(mean_x, out=mean_x)
    squares += np.square(mean_y, out=mean_y)
    covariance -= products
    variances -= squares
    covariance *= 2 * correction
    variances *= correction
    products *= 2
    similarity = (products + c1) * (covariance + c2)
    similarity /= (squares + c1) * (variances + c2)
    return float(similarity.mean())


def _gaussian_weights() -> NDArray[np.float64]:
    offsets = np.arange(GAUSSIAN_SIDE) - GAUSSIAN_SIDE // 2
    weights = np.exp(-0.5 * (offsets / GAUSSIAN_DEVIATION) ** 2)
    return weights / weights.sum()


_GAUSSIAN_WEIGHTS = _gaussian_weights()


def _local_mean(values: NDArray[np.float64], window: str) -> NDArray[np.float64]:
    """Weighted mean of each window inside (H, W), a fresh array; both windows are separable."""
    if window == "gaussian":
        return _gaussian_mean(_gaussian_mean(values, axis=0), axis=1)
    # Here, because the report reads protocols in 40 short processes and filters nothing.
    from scipy.ndimage import uniform_filter1d

    margin = WINDOW_SIDES[window] // 2
    inside = slice(margin, -margin)
    columns = uniform_filter1d(values, UNIFORM_SIDE, axis=0)[inside]
    return uniform_filter1d(columns, UNIFORM_SIDE, axis=1)[:, inside]


def _gaussian_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Weighted mean along one axis of (H, W), where the whole window is inside.

    In the order of `scipy.ndimage.correlate1d`, to the same bits, for all pixels at a time: half of
    its time where the width is a power of two, nine tenths elsewhere.
    """
    inside = values.shape[axis] - GAUSSIAN_SIDE + 1
    shifted = [
        values[shift : shift + inside] if axis == 0 else values[:, shift : shift + inside]
        for shift in range(GAUSSIAN_SIDE)
    ]
    middle = GAUSSIAN_SIDE // 2
    total = shifted[middle] * _GAUSSIAN_WEIGHTS[middle]
    pair = np.empty_like(total)
    for shift in range(middle):
        np.add(shifted[shift], shifted[-1 - shift], out=pair)
        pair *= _GAUSSIAN_WEIGHTS[shift]
        total += pair
    return total


def _check_images(restored: Pixels, clean: Pixels) -> None:
    if restored.shape != clean.shape or restored.size == 0:
        raise ValueError(
            f"expected two images of one size, found {restored.shape} (restored) and "
            f"{clean.shape} (clean)"
        )
    for name, image in (("restored", restored), ("clean", clean)):
        bad = image.size - int(np.isfinite(image).sum())
        if bad:
            values = "1 value" if bad == 1 else f"{bad} values"
            raise ValueError(
                f"{values} of the {name} image {'is' if bad == 1 else 'are'} not finite; expected "
                "numbers"
            )
