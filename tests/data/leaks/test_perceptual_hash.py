"""The hash against its definition written out, and what it must and must not notice."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ndr.data.leaks.likeness import (
    BITS,
    FREQUENCIES,
    MAXIMUM_DISTANCE,
    distances,
    near_pairs,
    perceptual_hashes,
    thumbnail,
)
from tests.data.leaks.leaked_sets import FILES, as_jpeg, photograph, resized


def literal_bits(small: np.ndarray) -> list[bool]:
    """Signs of the cosine transform by its sum."""
    side = len(small)
    bits = []
    for u in range(FREQUENCIES):
        down = [math.cos(math.pi * (2 * y + 1) * u / (2 * side)) for y in range(side)]
        for v in range(FREQUENCIES):
            right = [math.cos(math.pi * (2 * x + 1) * v / (2 * side)) for x in range(side)]
            total = sum(
                down[y] * right[x] * float(small[y, x]) for y in range(side) for x in range(side)
            )
            bits.append(total > 0)
    return bits[1:]


def bits_of(hashes: np.ndarray) -> np.ndarray:
    return np.unpackbits(hashes.view(np.uint8), axis=1).astype(bool)[:, :BITS]


def test_bits_are_signs_of_low_frequencies() -> None:
    # 20 pixels: a sum over 64 x 64 pixels in plain Python takes seconds.
    small = np.random.default_rng(3).integers(0, 256, (2, 20, 20), dtype=np.uint8)
    found = bits_of(perceptual_hashes(small))
    assert found.tolist() == [literal_bits(one) for one in small]


def test_distances_count_bits() -> None:
    generator = np.random.default_rng(5)
    first, second = (generator.integers(0, 2**64, (n, 4), dtype=np.uint64) for n in (3, 5))
    expected = [
        [sum((int(a) ^ int(b)).bit_count() for a, b in zip(x, y, strict=True)) for y in second]
        for x in first
    ]
    assert distances(first, second).tolist() == expected


def test_near_pairs_are_all_pairs_below_the_limit() -> None:
    generator = np.random.default_rng(7)
    second = generator.integers(0, 2**64, (40, 4), dtype=np.uint64)
    # More rows than are compared at once; some are copies with one bit changed.
    first = generator.integers(0, 2**64, (600, 4), dtype=np.uint64)
    copies = {5: 39, 255: 0, 256: 12, 599: 12}
    for row, column in copies.items():
        first[row] = second[column] ^ np.array([1, 0, 0, 0], dtype=np.uint64)
    found = {
        (int(row), int(column))
        for rows, columns in near_pairs(first, second, maximum=1)
        for row, column in zip(rows, columns, strict=True)
    }
    assert found == set(copies.items())


def test_copies_are_near_and_photographs_far() -> None:
    pictures = [photograph(name) for name in FILES]
    hashes = perceptual_hashes(np.stack([thumbnail(picture) for picture in pictures]))
    apart = distances(hashes, hashes)[~np.eye(len(pictures), dtype=bool)]
    assert apart.min() > MAXIMUM_DISTANCE
    for change in (
        lambda image: as_jpeg(image, 20),
        lambda image: image[1:, :-1],
        lambda image: image[4:-4, 4:-4],
        lambda image: resized(image, 0.5),
    ):
        changed = perceptual_hashes(np.stack([thumbnail(change(p)) for p in pictures]))
        assert np.diag(distances(hashes, changed)).max() < MAXIMUM_DISTANCE


def test_too_small_thumbnails_are_refused() -> None:
    with pytest.raises(ValueError, match="S >= 16"):
        perceptual_hashes(np.zeros((2, 8, 8), dtype=np.uint8))
