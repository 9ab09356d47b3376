"""Numbers on D over one or several trainings, their intervals over pictures, and differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ndr.records.representation import MINIMUM_FOR_INTERVAL, Measured
from reports.analysis.bootstrap import Interval, Sample, mean_interval
from reports.analysis.evidence import MINIMUM_TRAININGS, StandardError, evidence

DRAWS = "representation"
"""One name for all: the draws are made once, and differences are of the same resamples."""


@dataclass(frozen=True, slots=True)
class Known:
    """A number with its interval; the mean over trainings where there are several."""

    value: float | None
    interval: Interval | None = None
    """95 %: over pictures, and from three trainings on the wider of that and over trainings."""
    trainings: int = 1
    reason: str = ""
    """Why there is no value."""

    def sign(self, bound: float = 0.0) -> int:
        """1 or -1 where the interval lies above or below a bound, else 0."""
        if self.interval is None or self.interval.low <= bound <= self.interval.high:
            return 0
        return 1 if self.interval.low > bound else -1


def interval_of(number: Measured) -> Interval | None:
    """95 % interval of a number of one training; None where it has none, or of too few pictures."""
    if number.interval is not None:
        return Interval(*number.interval)
    if len(number.pictures) < MINIMUM_FOR_INTERVAL:
        return None
    values = np.array(list(number.pictures.values()), dtype=np.float64)
    return mean_interval(Sample(values, tuple(number.pictures)), name=DRAWS)


def known(numbers: Sequence[Measured]) -> Known:
    """One number of several trainings of one network.

    Args:
        numbers: the same number of each training.
    """
    found = [number for number in numbers if number.value is not None]
    if not found:
        return Known(None, trainings=len(numbers), reason=numbers[0].reason)
    if all(number.pictures for number in found):
        return _over_pictures([number.pictures for number in found])
    values = np.array([number.value for number in found], dtype=np.float64)
    intervals = [interval for number in found if (interval := interval_of(number))]
    mean = float(values.mean())
    if len(intervals) < len(found):
        return Known(mean, trainings=len(found))
    low = math.fsum(interval.low for interval in intervals) / len(found)
    high = math.fsum(interval.high for interval in intervals) / len(found)
    if len(found) >= MINIMUM_TRAININGS:
        error = StandardError(float(values.std(ddof=1)) / math.sqrt(len(found)), len(found) - 1)
        low, high = min(low, mean - error.half_width), max(high, mean + error.half_width)
    return Known(mean, Interval(low, high), len(found))


def difference(ones: Sequence[Measured], others: Sequence[Measured]) -> Known:
    """One number minus another of the same trainings, on the pictures that all have."""
    pairs = [
        (one.pictures, other.pictures)
        for one, other in zip(ones, others, strict=True)
        if one.pictures and other.pictures
    ]
    by_picture = [
        {name: one[name] - other[name] for name in one if name in other} for one, other in pairs
    ]
    if not by_picture or not all(by_picture):
        reason = next((each.reason for each in (*ones, *others) if each.reason), "")
        return Known(None, trainings=len(ones), reason=reason or "no picture in common")
    return _over_pictures(by_picture)


def _over_pictures(trainings: Sequence[dict[str, float]]) -> Known:
    """Mean over pictures and trainings of values by picture."""
    names = [name for name in trainings[0] if all(name in each for each in trainings)]
    if not names:
        return Known(None, trainings=len(trainings), reason="no picture in common")
    values = np.array([[each[name] for name in names] for each in trainings], dtype=np.float64)
    found = evidence([(1.0, [Sample(values, tuple(names))])], [1.0], name=DRAWS)
    enough = len(names) >= MINIMUM_FOR_INTERVAL
    return Known(found.estimate, found.interval if enough else None, len(trainings))
