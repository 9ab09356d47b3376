"""Intervals of numbers that are no means: pictures, or vectors, are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ndr.records.representation import MINIMUM_FOR_INTERVAL
from ndr.seeds import numpy_generator

DRAWS = 1000
ENDS = (0.025, 0.975)


def resampled_interval(
    units: int, statistic: Callable[[NDArray[np.intp]], float], name: str
) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of a number of chosen units.

    Args:
        units: how many there are; fewer than `MINIMUM_FOR_INTERVAL` have no interval.
        statistic: the number for units by index, each as often as it was drawn.
        name: key of the draws.

    >>> resampled_interval(8, lambda chosen: 1.0, "constant")
    (1.0, 1.0)
    """
    if units < MINIMUM_FOR_INTERVAL:
        return None
    generator = numpy_generator(0, "representation", name, units)
    values = [statistic(chosen) for chosen in generator.integers(0, units, (DRAWS, units))]
    low, high = np.quantile(values, ENDS)
    return float(low), float(high)


def picture_indices(
    pictures: Sequence[str], names: Sequence[str], chosen: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Samples of the chosen pictures, each picture as often as it was drawn.

    >>> picture_indices(["a", "a", "b"], ["a", "b"], np.array([1, 1, 0])).tolist()
    [2, 2, 0, 1]
    """
    owners = np.asarray(pictures)
    of_each = [np.flatnonzero(owners == name) for name in names]
    return np.concatenate([of_each[index] for index in chosen])
