"""Correlation of two thumbnails: the last word on whether they show the same photograph."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

SMOOTHING = 4.0
"""Standard deviation, in thumbnail pixels, of the smoothing that is taken away."""
REACH = 2
"""Largest shift in thumbnail pixels."""
MINIMUM_CORRELATION = 0.5
"""From here on two pictures count as the same. Of 2.9 million unrelated pairs of the benchmark sets
the highest correlation is 0.44, and their hashes are far apart. The lowest of 60 photographs with
their copies is 0.96 as a JPEG file of quality 10, 0.97 trimmed by a row and a column, 0.99 at a
quarter of the size, 0.67 trimmed by 4 pixels on all sides; of Rain100L's rainy inputs with their
truths it is 0.56."""
_PAIRS_AT_ONCE = 512


def details(thumbnails: np.ndarray) -> np.ndarray:
    """What is left of thumbnails (N, S, S) without their smooth part; float32.

    Sky above ground correlates between unrelated photographs, edges and textures do not.
    """
    values = thumbnails.astype(np.float32)
    return values - gaussian_filter(values, (0, SMOOTHING, SMOOTHING), mode="nearest")


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Rows that two pictures share when the second is moved by `shift`."""
    length = size - abs(shift)
    start = max(0, shift)
    return slice(start, start + length), slice(start - shift, start - shift + length)


def _normalised(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each pair; 0 where one of the two is constant."""
    one, two = (part.reshape(len(part), -1) for part in (first, second))
    one = one - one.mean(axis=1, keepdims=True)
    two = two - two.mean(axis=1, keepdims=True)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    product = np.einsum("np,np->n", one, two)
    return np.divide(product, length, out=np.zeros_like(product), where=length > 1e-3)


def correlations(first: np.ndarray, second: np.ndarray, reach: int = REACH) -> np.ndarray:
    """Highest correlation of each pair over small shifts, computed where both overlap.

    Args:
        first: thumbnails (N, S, S).
        second: as many.
        reach: largest shift along each axis, in thumbnail pixels.

    Returns:
        float32 array (N,) in [-1, 1].
    """
    best = np.full(len(first), -1.0, dtype=np.float32)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        one, two = details(first[part]), details(second[part])
        for down in range(-reach, reach + 1):
            rows_one, rows_two = _overlap(one.shape[1], down)
            for right in range(-reach, reach + 1):
                columns_one, columns_two = _overlap(one.shape[2], right)
                found = _normalised(one[:, rows_one, columns_one], two[:, rows_two, columns_two])
                np.maximum(best[part], found, out=best[part])
    return np.clip(best, -1.0, 1.0)
