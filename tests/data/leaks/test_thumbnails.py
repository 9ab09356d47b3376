"""Thumbnails: block means with stretched contrast, turned as arrays are."""

from __future__ import annotations

import numpy as np
import pytest

from ndr.data.leaks.likeness import ORIENTATIONS, SIDE, flat, oriented, thumbnail
from tests.data.leaks.leaked_sets import photograph


def literal_means(line: np.ndarray) -> np.ndarray:
    """Weighted means of a line of numbers; the weights fall linearly to 0 in a point's distance."""
    step = len(line) / SIDE
    means = []
    for point in range(SIDE):
        centre = (point + 0.5) * step
        weights = [max(0.0, 1 - abs(x + 0.5 - centre) / step) for x in range(len(line))]
        means.append(sum(w * v for w, v in zip(weights, line, strict=True)) / sum(weights))
    return np.array(means)


def test_points_are_weighted_means_of_luma() -> None:
    image = np.random.default_rng(1).integers(0, 256, (70, 150, 3), dtype=np.uint8)
    grey = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
    narrow = np.stack([literal_means(row) for row in grey])
    expected = np.stack([literal_means(column) for column in narrow.T]).T
    expected = (expected - expected.min()) / np.ptp(expected) * 255
    assert np.abs(thumbnail(image) - expected).max() <= 0.51


def test_contrast_is_stretched_and_flat_pictures_are_marked() -> None:
    image = photograph("coffee")
    faint = (image // 16 + 120).astype(np.uint8)
    assert np.ptp(thumbnail(faint)) == 255
    assert np.abs(thumbnail(faint).astype(int) - thumbnail(image)).mean() < 8
    grey = np.full((30, 40, 3), 77, dtype=np.uint8)
    assert flat(np.stack([thumbnail(grey), thumbnail(image)])).tolist() == [True, False]


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a uint8 array"):
        thumbnail(np.zeros((8, 8, 3)))


def test_orientations_are_the_eight_of_a_square() -> None:
    small = np.arange(9).reshape(1, 3, 3)
    turned = oriented(small)[:, 0]
    expected = {
        "as it is": small[0],
        "mirrored": np.fliplr(small[0]),
        "upside down": np.flipud(small[0]),
        "turned by 180 degrees": np.rot90(small[0], 2),
        "transposed": small[0].T,
        "turned by 90 degrees": np.rot90(small[0], 1),
        "turned by 270 degrees": np.rot90(small[0], 3),
        "transposed across the other diagonal": np.rot90(small[0], 2).T,
    }
    assert {name: turn.tolist() for name, turn in zip(ORIENTATIONS, turned, strict=True)} == {
        name: turn.tolist() for name, turn in expected.items()
    }
    assert len({turn.tobytes() for turn in turned}) == 8


@pytest.mark.parametrize(
    ("number", "turn"),
    [
        (1, np.fliplr),
        (2, np.flipud),
        (3, lambda image: np.rot90(image, 2)),
        (4, lambda image: image.transpose(1, 0, 2)),
        (5, np.rot90),
        (6, lambda image: np.rot90(image, 3)),
        (7, lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
    ],
)
def test_a_turned_photograph_has_the_turned_thumbnail(number: int, turn) -> None:
    image = photograph("chelsea")
    turned = thumbnail(np.ascontiguousarray(turn(image)))
    difference = turned.astype(int) - oriented(thumbnail(image)[None])[number, 0]
    assert np.abs(difference).max() <= 1
