"""Correlation against a literal version, and where it separates copies from others."""

from __future__ import annotations

import numpy as np
import pytest

from ndr.data.leaks.likeness import MINIMUM_CORRELATION, correlations, details, thumbnail
from tests.data.leaks.leaked_sets import FILES, as_jpeg, hazy, noisy, photograph, resized


def thumbnails(change=lambda image: image) -> np.ndarray:
    return np.stack([thumbnail(np.ascontiguousarray(change(photograph(n)))) for n in FILES])


def literal_correlation(first: np.ndarray, second: np.ndarray, reach: int) -> float:
    """Best of all shifts, with NumPy's own correlation coefficient over the overlap."""
    one, two = details(first[None])[0], details(second[None])[0]
    size = len(one)
    best = -1.0
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            pairs = [
                (one[y + down, x + right], two[y, x])
                for y in range(size)
                for x in range(size)
                if 0 <= y + down < size and 0 <= x + right < size
            ]
            a, b = np.array(pairs, dtype=np.float64).T
            best = max(best, float(np.corrcoef(a, b)[0, 1]))
    return best


def test_equals_the_literal_version() -> None:
    first, second = thumbnails()[:2, :24, :24], thumbnails(np.fliplr)[:2, :24, :24]
    expected = [literal_correlation(a, b, 2) for a, b in zip(first, second, strict=True)]
    assert correlations(first, second) == pytest.approx(expected, abs=1e-4)


def test_more_pairs_than_are_compared_at_once() -> None:
    small = thumbnails()
    many = np.resize(small, (704, *small.shape[1:]))
    found = correlations(many, np.roll(many, 1, axis=0), reach=0)
    assert found == pytest.approx(np.resize(found[: len(small)], 704), abs=1e-4)
    assert correlations(small, small) == pytest.approx(np.ones(len(small)), abs=1e-5)


def test_a_shift_is_found() -> None:
    small = thumbnails()
    first, moved = small[:, 2:, :-1], small[:, :-2, 1:]
    still, found = (correlations(first, moved, reach=reach) for reach in (0, 2))
    assert still.max() < 0.8
    assert found.min() > 0.95


@pytest.mark.parametrize(
    "change",
    [
        lambda image: as_jpeg(image, 15),
        lambda image: image[1:],
        lambda image: image[:, :-1],
        lambda image: resized(image, 0.5),
        hazy,
        lambda image: noisy(image, 25),
    ],
)
def test_copies_lie_above_the_limit(change) -> None:
    assert correlations(thumbnails(), thumbnails(change)).min() > MINIMUM_CORRELATION + 0.2


def test_other_photographs_lie_below() -> None:
    small = thumbnails()
    first, second = np.nonzero(~np.eye(len(small), dtype=bool))
    assert correlations(small[first], small[second]).max() < MINIMUM_CORRELATION - 0.1


def test_constant_pictures_correlate_with_nothing() -> None:
    small = thumbnails()[:1]
    assert correlations(small, np.zeros_like(small)).tolist() == [0.0]


def test_no_pairs() -> None:
    none = np.empty((0, 64, 64), dtype=np.uint8)
    assert correlations(none, none).shape == (0,)
