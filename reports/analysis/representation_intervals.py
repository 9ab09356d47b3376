"""Intervals of the numbers on D over pictures, and paired differences of two of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ndr.records.representation import Measured
from reports.analysis.bootstrap import Interval, Sample, mean_interval

MINIMUM_PICTURES = 4
"""Fewer give no interval: resampling two or three pictures says next to nothing."""


def interval_of(number: Measured) -> Interval | None:
    """95 % interval of the mean over pictures; None where it is no such mean, or of too few."""
    return _interval(number.pictures)


def _interval(pictures: Mapping[str, float]) -> Interval | None:
    if len(pictures) < MINIMUM_PICTURES:
        return None
    # One name for all: the draws are made once, and differences are of the same resamples.
    values = np.array(list(pictures.values()), dtype=np.float64)
    return mean_interval(Sample(values, tuple(pictures)), name="representation")


@dataclass(frozen=True, slots=True)
class Difference:
    """One number minus another on the same pictures."""

    value: float
    interval: Interval | None

    @property
    def sign(self) -> int:
        """1 or -1 where the interval excludes zero, else 0."""
        if self.interval is None or self.interval.contains(0.0):
            return 0
        return 1 if self.value > 0 else -1


def difference(one: Measured, other: Measured) -> Difference | None:
    """Paired difference over the pictures that both have; None where there is none."""
    shared = [picture for picture in one.pictures if picture in other.pictures]
    if not shared:
        return None
    by_picture = {picture: one.pictures[picture] - other.pictures[picture] for picture in shared}
    mean = math.fsum(by_picture.values()) / len(shared)
    return Difference(mean, _interval(by_picture))
