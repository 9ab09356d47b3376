"""A hash that stays nearly the same when a photograph is compressed, resized or trimmed.

The bits are the signs of the lowest frequencies of the cosine transform of a thumbnail, as in
Zauner's pHash (2010), with 255 bits in place of 64. Measured on 852 pictures of the benchmark sets
in all eight orientations, 2.9 million unrelated pairs: none is nearer than 86 bits, while a
photograph and its rainy or hazy version differ in 64 bits at most. With 64 bits, seven unrelated
pairs of 689 pictures differ in a quarter of the bits or less.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.fft import dctn

FREQUENCIES = 16
"""Frequencies along each axis; all but the mean give a bit."""
BITS = FREQUENCIES**2 - 1
MAXIMUM_DISTANCE = 80
"""Differing bits up to which two pictures are compared in detail."""
_ROWS_AT_ONCE = 256


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Hash thumbnails.

    Args:
        thumbnails: (N, S, S) with S at least 16.

    Returns:
        uint64 array (N, 4): 255 sign bits and a zero.
    """
    if thumbnails.ndim != 3 or min(thumbnails.shape[1:]) < FREQUENCIES:
        raise ValueError(
            f"expected thumbnails (N, S, S) with S >= {FREQUENCIES}, found {thumbnails.shape}"
        )
    hashes = np.empty((len(thumbnails), 4), dtype=np.uint64)
    for start in range(0, len(thumbnails), 4 * _ROWS_AT_ONCE):
        part = thumbnails[start : start + 4 * _ROWS_AT_ONCE].astype(np.float32)
        low = dctn(part, axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
        bits = np.zeros((len(part), BITS + 1), dtype=bool)
        bits[:, :BITS] = low.reshape(len(part), -1)[:, 1:] > 0
        hashes[start : start + len(part)] = np.packbits(bits, axis=1).view(np.uint64)
    return hashes


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of differing bits of each pair.

    Args:
        first: uint64 (N, 4).
        second: uint64 (M, 4).

    Returns:
        uint16 array (N, M).
    """
    total = np.zeros((len(first), len(second)), dtype=np.uint16)
    for word in range(first.shape[1]):
        total += np.bitwise_count(first[:, None, word] ^ second[None, :, word])
    return total


def near_pairs(
    first: np.ndarray, second: np.ndarray, maximum: int = MAXIMUM_DISTANCE
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of the pairs whose hashes differ in at most `maximum` bits.

    Every pair is compared, some hundred rows at a time, so that memory stays small: 75,000
    hashes against 8,000 take seconds.

    Yields:
        Two equally long index arrays, into `first` and into `second`.
    """
    for start in range(0, len(first), _ROWS_AT_ONCE):
        rows, columns = np.nonzero(
            distances(first[start : start + _ROWS_AT_ONCE], second) <= maximum
        )
        yield rows + start, columns
