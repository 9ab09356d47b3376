"""Bicubic resampling as MATLAB's imresize does it."""

from __future__ import annotations

import numpy as np

CUBIC_REACH = 2.0
"""Half the support of the cubic kernel, in samples."""


def cubic_kernel(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -1/2, by the distance from its centre in samples.

    Keys, IEEE TASSP 1981.

    >>> cubic_kernel(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist()
    [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < CUBIC_REACH, far, 0.0))


def contributions(length: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Which input samples make each output sample along one side, and with what weight.

    Sample centres lie at half pixels; when the side shrinks the kernel is stretched by 1 / scale
    (antialiasing); beyond the border the image is mirrored, the border sample repeated.

    Args:
        length: samples of the input side.
        scale: output over input, e.g. 0.5.

    Returns:
        weights (N, P), each row of sum one, and input indices (N, P), N = ceil(length * scale).
    """
    stretch = min(scale, 1.0)
    centres = (np.arange(int(np.ceil(length * scale))) + 0.5) / scale - 0.5
    reach = CUBIC_REACH / stretch
    first = np.floor(centres - reach).astype(np.int64)
    indices = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    weights = stretch * cubic_kernel(stretch * (centres[:, None] - indices))
    weights /= weights.sum(axis=1, keepdims=True)
    used = np.any(weights != 0, axis=0)
    mirrored = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    return weights[:, used], mirrored[indices[:, used] % (2 * length)]


def _resample_rows(image: np.ndarray, scale: float) -> np.ndarray:
    weights, indices = contributions(image.shape[0], scale)
    result = np.zeros((len(weights), *image.shape[1:]), dtype=np.float32)
    for tap in range(weights.shape[1]):
        weight = weights[:, tap].astype(np.float32)
        result += weight.reshape(-1, *[1] * (image.ndim - 1)) * image[indices[:, tap]]
    return result


def resize_bicubic(image: np.ndarray, scale: float) -> np.ndarray:
    """Resize both sides by `scale` with `cubic_kernel`, antialiased when shrinking.

    Returns:
        float32, sides ceil(side * scale), of (H, W, C) or (H, W); neither clipped nor rounded.
    """
    if image.ndim not in (2, 3) or not np.issubdtype(image.dtype, np.floating):
        raise ValueError(
            "resize: expected a float array (H, W) or (H, W, C), "
            f"found {image.dtype} of shape {image.shape}"
        )
    rows = _resample_rows(image.astype(np.float32, copy=False), scale)
    return np.ascontiguousarray(_resample_rows(rows.swapaxes(0, 1), scale).swapaxes(0, 1))


def round_to_8_bits(image: np.ndarray) -> np.ndarray:
    """Round to the levels k / 255, halves upwards as MATLAB does, after clipping to [0, 1].

    >>> (round_to_8_bits(np.array([0.5 / 255, 1.4 / 255, 1.2])) * 255).tolist()
    [1.0, 1.0, 255.0]
    """
    levels = np.clip(image.astype(np.float64), 0, 1) * 255
    # float32 inputs miss the exact half by about 1e-5 of a level
    return (np.floor(np.round(levels, 4) + 0.5) / 255).astype(np.float32)


def crop_to_multiple(image: np.ndarray, multiple: int = 2) -> np.ndarray:
    """Cut rows at the bottom and columns at the right until both sides divide by `multiple`.

    >>> crop_to_multiple(np.zeros((321, 481, 3)), 2).shape
    (320, 480, 3)
    """
    height, width = (side - side % multiple for side in image.shape[:2])
    if height == 0 or width == 0:
        raise ValueError(f"crop: sides {image.shape[:2]} are smaller than the multiple {multiple}")
    return image[:height, :width]


def downsample_bicubic(
    image: np.ndarray, factor: int = 2, *, round_8_bits: bool = True
) -> np.ndarray:
    """Shrink an image as MATLAB's `imresize(image, 1 / factor)` does.

    Cubic kernel with a = -1/2 stretched by the factor, mirrored borders, sample centres at half
    pixels. In two dimensions the kernel of factor 2 multiplies the standard deviation of white
    noise by 0.404. MATLAB rounds 8-bit images between its two passes too, so single pixels may
    differ by one level.

    Args:
        image: float32 (H, W, 3), RGB in [0, 1]; both sides must divide by `factor`.
        factor: whole number, 2 in the paper.
        round_8_bits: give the levels of a saved 8-bit image; else unrounded values, clipped.

    >>> step = np.repeat(np.linspace(0, 1, 8, dtype=np.float32)[None, :, None], 4, axis=0)
    >>> downsample_bicubic(np.repeat(step, 3, axis=2)).shape
    (2, 4, 3)
    """
    height, width = image.shape[:2]
    if factor < 1 or height % factor or width % factor:
        raise ValueError(
            f"downsampling by {factor}: expected sides that divide by {factor}, found "
            f"{height}x{width}; cut the image with crop_to_multiple(image, {factor}) first"
        )
    small = resize_bicubic(image, 1 / factor)
    return round_to_8_bits(small) if round_8_bits else np.clip(small, 0, 1)
