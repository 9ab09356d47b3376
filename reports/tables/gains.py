"""How much closer to the truth than the degraded input: paired differences with their interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ndr.metrics.metric import METRICS
from ndr.records.per_image import SeriesKey
from reports.analysis.bootstrap import Interval, Sample
from reports.analysis.comparison import contrast
from reports.analysis.evidence import evidence
from reports.tables.row_results import RowResults


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean of the differences to the degraded input; positive where the system restores."""

    value: float
    interval: Interval | None
    """95 %, over scenes and from three trainings on over trainings; None where a test set has fewer
    than two scenes."""


def _restricted(results: RowResults, key: SeriesKey, shared: set[str]) -> Sample | None:
    """Values of the shared images; None where the series is missing or unsound."""
    sample = results.sample(key)
    if sample is None:
        return None
    kept = [i for i, image in enumerate(sorted(results.images(key.test_set))) if image in shared]
    return Sample(sample.values[..., kept], tuple(sample.clusters[index] for index in kept))


def gain_over_input(
    results: RowResults,
    degraded_input: RowResults,
    keys: Sequence[SeriesKey],
    weights: Sequence[float] = (),
    *,
    name: str,
) -> Gain | None:
    """Weighted mean over test sets of the mean gain per image.

    Args:
        results: of the system.
        degraded_input: of the control that shows what the system was given.
        keys: one series per test set.
        weights: of the test sets; empty: all equal.
        name: key of the draws; gains under one name share their resamples.

    Returns:
        None where a series is missing, where no image is shared, or where a value is infinite.
    """
    differences = []
    for key in keys:
        shared = results.images(key.test_set) & degraded_input.images(key.test_set)
        ours, given = (
            _restricted(each, key, shared) if shared else None for each in (results, degraded_input)
        )
        if ours is None or given is None:
            return None
        # One difference per training: the input was not trained, and is the same for all.
        sign = METRICS[key.metric].goodness(1.0)
        pairs = [
            contrast([(sign, Sample(values, ours.clusters)), (-sign, given)])
            for values in ours.by_seed
        ]
        differences.append(Sample(np.stack([pair.values for pair in pairs]), ours.clusters))
    if not differences:
        return None
    found = evidence([(1.0, differences)], list(weights) or [1.0] * len(differences), name=name)
    return Gain(found.estimate, found.interval) if math.isfinite(found.estimate) else None
