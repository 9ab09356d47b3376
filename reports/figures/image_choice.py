"""Which image of a test set a figure shows, and which square of it is enlarged."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from reports.figures.panel_grid import Frame

DETAIL = 4
"""The detail's side is this part of the picture's shorter side."""
LEAST_DETAIL = 16
COARSE = 2.0
"""Standard deviation in pixels of the smooth part, which holds tint and brightness."""
FAINT = 0.25
"""Part of the picture's mean texture below which a pixel counts as bare."""
TEXTURED = 0.5
"""A square has at least this part of the textured pixels of the one that has most."""


def in_turn(names: Collection[str], figure: str, row: int = 0) -> list[str]:
    """The names, beginning with the one whose turn it is.

    Test sets are made from the same photographs. So each figure, and each of its rows, shows
    another one, and no result has a say in which.

    Args:
        names: of images.
        figure: name of the figure, e.g. `figure_07`.
        row: place of the test set in the figure.

    >>> in_turn(["c", "a", "b"], "figure_07"), in_turn("abc", "figure_07", 1)
    (['b', 'c', 'a'], ['c', 'a', 'b'])
    """
    order = sorted(names)
    number = re.search(r"\d+", figure)
    turn = int(number[0]) if number else zlib.crc32(figure.encode())
    start = (turn + row) % len(order) if order else 0
    return order[start:] + order[:start]


def structure(picture: NDArray[np.generic]) -> NDArray[np.float64]:
    """A picture (height, width, 3) without its smooth part."""
    values = picture.astype(np.float64)
    return values - gaussian_filter(values, (COARSE, COARSE, 0))


def _sums(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Sums over all squares of a side, from the table of sums over rectangles at the origin."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]


def most_different(
    pictures: Sequence[NDArray[np.uint8]], truth: NDArray[np.uint8] | None = None
) -> Frame | None:
    """The square in whose structure outputs differ most, among those that have some.

    Compared are pictures without their smooth part: tint and brightness differ over wide areas and
    are seen without a magnifying glass. Squares that are mostly bare are no candidates, whatever
    edge they touch.

    Args:
        pictures: outputs for one image, each (height, width, 3).
        truth: says where texture is; None: the mean of the outputs does.

    Returns:
        The first such square from the top left; None where there is nothing to compare.
    """
    if len(pictures) < 2:
        return None
    outputs = np.stack([structure(picture) for picture in pictures])
    original = outputs.mean(axis=0) if truth is None else structure(truth)
    spread, strength = outputs.var(axis=0).sum(axis=2), np.abs(original).sum(axis=2)
    rough = (strength > FAINT * np.sqrt((strength**2).mean())).astype(np.float64)
    side = min(*spread.shape, max(LEAST_DETAIL, min(spread.shape) // DETAIL))
    differences, counts = _sums(spread, side), _sums(rough, side)
    differences[counts < TEXTURED * counts.max()] = -1.0
    top, left = np.unravel_index(int(differences.argmax()), differences.shape)
    return Frame(int(top), int(left), side)
