"""Compare measured with reference values, cell by cell.

A trained network's number is a regression only where both hold: the mean got worse by more than
the metric's floor, and the 95 % interval of the paired per-image difference, scenes resampled
together, does not hold zero. The first keeps noise of the arithmetic out, the second the luck of
single images. Numbers of untrained methods are the same everywhere: any change of an image by more
than one unit of the last stored digit fails, improvements too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ndr.metrics.metric import METRICS, mean
from ndr.records.per_image import Series, SeriesKey
from reports.analysis.bootstrap import Interval, Sample, mean_interval
from reports.regression.measured_values import DIGITS, RunValues, cell_name

UNIT = 10.0**-DIGITS
"""One unit of the last stored digit: the tolerance of exact numbers."""


class Verdict(Enum):
    """What became of a cell, gravest first; the text is what the report prints."""

    REGRESSION = "regression"
    CHANGED = "changed, must be exact"
    INCOMPARABLE = "not comparable"
    MISSING = "missing"
    WORSE = "worse, not certain"
    IMPROVED = "improved"
    BETTER = "better, not certain"
    WITHIN = "within tolerance"
    EQUAL = "equal"
    NEW = "new"


FAILING = (Verdict.REGRESSION, Verdict.CHANGED)


@dataclass(frozen=True, slots=True)
class Change:
    """One cell: a metric of a run on a test set under a protocol."""

    run: str
    key: SeriesKey
    verdict: Verdict
    old: float | None = None
    """Mean of the reference; None for a new cell."""
    new: float | None = None
    """Mean over the same images; None for a missing cell."""
    difference: float | None = None
    """Mean over images of new minus old; None where one of them is missing or not finite."""
    interval: Interval | None = None
    """95 % interval of the difference; None where it was not needed or cannot be had."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All cells, and what a reader must know beside them."""

    changes: tuple[Change, ...]
    other_specs: tuple[str, ...]
    """Runs whose training is another than the reference's."""
    new_runs: tuple[str, ...]
    """Runs that were evaluated and are not in the reference."""

    def of(self, *verdicts: Verdict) -> list[Change]:
        """Cells with one of the verdicts."""
        return [change for change in self.changes if change.verdict in verdicts]

    @property
    def regressed(self) -> bool:
        """Whether a cell got worse, or an exact one changed."""
        return bool(self.of(*FAILING))

    def incomplete(self, partial: bool) -> bool:
        """Whether something cannot be compared; `partial`: missing cells are allowed."""
        kinds = [Verdict.INCOMPARABLE] if partial else [Verdict.INCOMPARABLE, Verdict.MISSING]
        compared = len(self.changes) - len(self.of(Verdict.NEW, Verdict.MISSING))
        return bool(self.of(*kinds)) or not compared


def _exact(change: Change, old: Series, new: Series) -> Change:
    """A number that must not change; the tolerance is a unit of the last stored digit."""
    # Half a unit more than one: the reference was rounded, and so were the decimal fractions.
    moved = [i for i in old if old[i] != new[i] and not abs(old[i] - new[i]) <= 1.5 * UNIT]
    if not moved:
        return dataclasses.replace(change, verdict=Verdict.EQUAL)
    reason = f"{len(moved)} of {len(old)} images, e.g. {moved[0]}"
    return dataclasses.replace(change, verdict=Verdict.CHANGED, reason=reason)


def _trained(change: Change, old: Series, new: Series, scenes: Mapping[str, str]) -> Change:
    images = sorted(old)
    differences = [0.0 if old[image] == new[image] else new[image] - old[image] for image in images]
    difference = mean(differences)
    facts = METRICS[change.key.metric]
    improved = facts.goodness(difference) > 0
    if not math.isfinite(difference):
        # An exact copy that is none any more, or became one.
        verdict = Verdict.IMPROVED if improved else Verdict.REGRESSION
        return dataclasses.replace(change, verdict=verdict, difference=None)
    change = dataclasses.replace(change, difference=difference)
    # A fall of the floor itself is allowed, whatever binary fractions make of it.
    if abs(difference) <= (facts.regression_floor or 0.0) + UNIT / 2:
        verdict = Verdict.EQUAL if abs(difference) <= UNIT else Verdict.WITHIN
        return dataclasses.replace(change, verdict=verdict)
    sample = Sample(np.array(differences), tuple(scenes[image] for image in images))
    interval = mean_interval(sample, name=f"regression on {change.key.test_set}")
    certain = interval is not None and not interval.contains(0.0)
    if improved:
        verdict = Verdict.IMPROVED if certain else Verdict.BETTER
    else:
        verdict = Verdict.REGRESSION if certain else Verdict.WORSE
    reason = "" if interval else "fewer than two scenes: no interval"
    return dataclasses.replace(change, verdict=verdict, interval=interval, reason=reason)


def _cell_change(
    run: str, key: SeriesKey, old: Series, new: Series | None, scenes: Mapping[str, str] | None
) -> Change:
    """One cell of the reference; `scenes` is None where nothing was trained."""
    before = mean(old.values())
    if new is None:
        return Change(run, key, Verdict.MISSING, before)
    after = mean(new.values())
    if old.keys() != new.keys():
        other = min(old.keys() ^ new.keys())
        reason = f"other images, e.g. {other}: expected {len(old)}, found {len(new)}"
        return Change(run, key, Verdict.INCOMPARABLE, before, after, reason=reason)
    finite = math.isfinite(before) and math.isfinite(after)
    change = Change(
        run, key, Verdict.EQUAL, before, after, difference=after - before if finite else None
    )
    return _exact(change, old, new) if scenes is None else _trained(change, old, new, scenes)


def compare(reference: RunValues, measured: RunValues, all_runs: Sequence[str]) -> Comparison:
    """Compare every cell of the reference with the same cell of the results.

    Args:
        reference: the committed values.
        measured: those of the reference's runs that are there.
        all_runs: ids of all runs with results, to name new ones.
    """
    changes: list[Change] = []
    for run, facts in reference.runs.items():
        old_series = reference.series[run]
        new_series = measured.series.get(run, {})
        for key, old in old_series.items():
            reason = measured.unusable.get(run) or measured.unusable.get(cell_name(run, key))
            if reason is not None:
                before = mean(old.values())
                changes.append(Change(run, key, Verdict.INCOMPARABLE, before, reason=reason))
                continue
            scenes = reference.scenes[key.test_set] if facts.trained else None
            changes.append(_cell_change(run, key, old, new_series.get(key), scenes))
        changes += [
            Change(run, key, Verdict.NEW, new=mean(new.values()))
            for key, new in new_series.items()
            if key not in old_series
        ]
    other_specs = tuple(
        run
        for run, facts in reference.runs.items()
        if run in measured.runs and measured.runs[run].training_sha256 != facts.training_sha256
    )
    new_runs = tuple(run for run in all_runs if run not in reference.runs)
    return Comparison(tuple(changes), other_specs, new_runs)
