"""How alike two photographs are: thumbnails of them, hashes of these, and their correlation.

Compression, another size, flips and turns do not matter. The hashes are quick: they choose the
pairs whose correlation is computed, and that decides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from ndr.data.image_files import check_rgb

SIDE = 64
"""Pixels on each side, whatever the shape of the photograph."""
VERSION = 1
"""Of `thumbnail`: another one, and stored thumbnails of the old kind are not used."""
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

FREQUENCIES = 16
"""Frequencies along each axis; all but the mean give a bit."""
BITS = FREQUENCIES**2 - 1
MAXIMUM_DISTANCE = 80
"""Differing bits up to which two pictures are compared in detail."""
_ROWS_AT_ONCE = 256

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
    flips = [np.flip(thumbnails, axes) for axes in ((), (2,), (1,), (1, 2))]
    return np.stack(flips + [np.flip(transposed, axes) for axes in ((), (1,), (2,), (1, 2))])


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
