"""Compare measured with reference values, cell by cell.

A trained network's number is a regression only where both hold: the mean fell by more than the
metric's floor, and the 95 % interval of the paired per-image difference, scenes resampled together,
lies below zero. The first keeps noise of the arithmetic out, the second the luck of single images.
Numbers of untrained methods are the same everywhere: any change of an image by more than one unit
of the last stored digit fails, upwards too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ndr.metrics.metric import METRICS
from ndr.records.per_image import Series, SeriesKey, mean
from reports.analysis.bootstrap import Interval, Sample, mean_interval
from reports.regression.measured_values import DIGITS, MeasuredValues, ReferenceValues

UNIT = 10.0**-DIGITS
"""One unit of the last stored digit: the tolerance of exact numbers."""


class Verdict(Enum):
    """What became of a cell; the text is what the report prints."""

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
    images: int = 0
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


def _exact(run: str, key: SeriesKey, old: Series, new: Series) -> Change:
    """A number that must not change; the tolerance is a unit of the last stored digit."""

    def same(a: float, b: float) -> bool:
        # Half a unit more than one: the reference was rounded, and so were the decimal fractions.
        return a == b or abs(a - b) <= 1.5 * UNIT

    moved = [image for image in old if not same(old[image], new[image])]
    before, after = mean(old), mean(new)
    return Change(
        run,
        key,
        Verdict.CHANGED if moved else Verdict.EQUAL,
        before,
        after,
        after - before if math.isfinite(before) and math.isfinite(after) else None,
        images=len(old),
        reason=f"{len(moved)} of {len(old)} images, e.g. {moved[0]}" if moved else "",
    )


def _trained(
    run: str, key: SeriesKey, old: Series, new: Series, scenes: Mapping[str, str]
) -> Change:
    images = sorted(old)
    before, after = mean(old), mean(new)
    differences = [0.0 if old[image] == new[image] else new[image] - old[image] for image in images]
    difference = math.fsum(differences) / len(differences)
    if not math.isfinite(difference):
        # An exact copy that is none any more, or became one.
        verdict = Verdict.IMPROVED if difference > 0 else Verdict.REGRESSION
        return Change(run, key, verdict, before, after, None, images=len(images))
    floor = METRICS[key.metric].regression_floor or 0.0
    # A fall of the floor itself is allowed, whatever binary fractions make of it.
    if abs(difference) <= floor + UNIT / 2:
        verdict = Verdict.EQUAL if abs(difference) <= UNIT else Verdict.WITHIN
        return Change(run, key, verdict, before, after, difference, images=len(images))
    sample = Sample(np.array(differences), tuple(scenes[image] for image in images))
    interval = mean_interval(sample, name=f"regression on {key.test_set}")
    certain = interval is not None and not interval.contains(0.0)
    if difference > 0:
        verdict = Verdict.IMPROVED if certain else Verdict.BETTER
    else:
        verdict = Verdict.REGRESSION if certain else Verdict.WORSE
    reason = "" if interval else "fewer than two scenes: no interval"
    return Change(run, key, verdict, before, after, difference, interval, len(images), reason)


def _cell_change(
    run: str, key: SeriesKey, old: Series, new: Series | None, scenes: Mapping[str, str] | None
) -> Change:
    """One cell of the reference; `scenes` is None where nothing was trained."""
    if new is None:
        return Change(run, key, Verdict.MISSING, mean(old), images=len(old))
    if old.keys() != new.keys():
        other = min(old.keys() ^ new.keys())
        reason = f"other images, e.g. {other}: expected {len(old)}, found {len(new)}"
        return Change(run, key, Verdict.INCOMPARABLE, mean(old), mean(new), reason=reason)
    return _exact(run, key, old, new) if scenes is None else _trained(run, key, old, new, scenes)


def _unusable(run: str, key: SeriesKey, unusable: Mapping[str, str]) -> str | None:
    return unusable.get(run) or unusable.get(f"{run} {key.test_set} {key.protocol} {key.metric}")


def compare(
    reference: ReferenceValues, measured: MeasuredValues, all_runs: Sequence[str]
) -> Comparison:
    """Compare every cell of the reference with the same cell of the results.

    Args:
        reference: the committed values.
        measured: those of the reference's runs that are there.
        all_runs: ids of all runs with results, to name new ones.
    """
    values = measured.values
    changes: list[Change] = []
    for run, facts in reference.runs.items():
        old_series = reference.series[run]
        new_series = values.series.get(run, {})
        for key, old in old_series.items():
            reason = _unusable(run, key, measured.unusable)
            if reason is not None:
                changes.append(Change(run, key, Verdict.INCOMPARABLE, mean(old), reason=reason))
                continue
            scenes = reference.scenes[key.test_set] if facts.trained else None
            changes.append(_cell_change(run, key, old, new_series.get(key), scenes))
        changes += [
            Change(run, key, Verdict.NEW, new=mean(new), images=len(new))
            for key, new in new_series.items()
            if key not in old_series
        ]
    other_specs = tuple(
        run
        for run, facts in reference.runs.items()
        if run in values.runs and values.runs[run].training_sha256 != facts.training_sha256
    )
    new_runs = tuple(run for run in all_runs if run not in reference.runs)
    return Comparison(tuple(changes), other_specs, new_runs)
