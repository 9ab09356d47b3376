"""What the runs of a row measured: one run, or one per seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ndr.metrics.metric import METRICS
from ndr.metrics.protocol import NO_REFERENCE
from ndr.records import table_result as t
from ndr.records.per_image import Evaluation, SeriesKey
from ndr.records.provenance import EvaluationProvenance
from ndr.records.table_result import Number
from reports.analysis.bootstrap import Sample
from reports.analysis.run_results import RunResults


def number(metric: str, protocol: str, value: float) -> Number:
    """A mean in the form of the table file: an infinite one has no value."""
    infinite = math.isinf(value)
    return Number(metric, protocol, None if infinite else value, infinite)


@dataclass(frozen=True, slots=True)
class RowResults:
    """The runs of a row, in the order of the configuration's seeds; empty where it is left out."""

    runs: tuple[RunResults, ...]
    withheld: Mapping[str, str] = field(default_factory=dict)
    """Metrics that were not to be computed, with the reason."""

    def _evaluations(self) -> list[Evaluation]:
        """The evaluations of all seeds; none where one is missing."""
        found = [run.evaluation for run in self.runs if run.evaluation is not None]
        return found if len(found) == len(self.runs) else []

    def images(self, test_set: str) -> set[str]:
        """Images of the test set; empty where a seed was not evaluated."""
        evaluations = self._evaluations()
        return evaluations[0].images(test_set) if evaluations else set()

    def state(self, test_set: str, metrics: Sequence[str], protocol: str) -> tuple[str, str]:
        """Status of a cell, and the reason where it cannot be filled: all seeds or nothing."""
        for run in self.runs:
            allowed = [metric for metric in metrics if metric not in self.withheld]
            status, reason = _state(run, test_set, allowed, protocol)
            if status != t.OK:
                return status, f"{run.run}: {reason}" if len(self.runs) > 1 else reason
        first, *others = self._evaluations()
        for other in others:
            if other.scenes.get(test_set) != first.scenes.get(test_set):
                return t.INVALID, f"{first.run} and {other.run} were evaluated on other images"
        return t.OK, ""

    def numbers(self, test_set: str) -> tuple[list[Number], list[str]]:
        """Means of all series of a test set over images and seeds; what was left out, and why."""
        numbers, problems = [], []
        evaluations = self._evaluations()
        for key in evaluations[0].keys_of(test_set):
            means = []
            for evaluation in evaluations:
                values = evaluation.sound(key)
                if values is None:
                    problems += evaluation.problems.get(key) or [
                        f"{evaluation.run}: no {key.metric} under protocol {key.protocol!r}"
                    ]
                else:
                    means.append(METRICS[key.metric].aggregate(values.values()))
                    problems += _equal_to_the_truth(evaluation.run, key, values)
            if len(means) == len(evaluations):
                value = math.fsum(means) / len(means)
                numbers.append(number(key.metric, key.protocol, value))
        return numbers, problems

    def missing(self, test_set: str, metrics: Sequence[str], protocol: str) -> list[str]:
        """Metrics and protocols that were asked for and are not there."""
        reasons = []
        for run in self.runs:
            assert run.evaluation is not None
            assert run.provenance is not None
            unavailable = {**self.withheld, **run.unavailable}
            reasons += [
                f"{metric}: {reason}" for metric, reason in unavailable.items() if metric in metrics
            ]
            if protocol == NO_REFERENCE:
                continue
            reasons += [
                f"no {metric} under protocol {name!r}"
                for name in run.provenance.protocols
                for metric in metrics
                if metric not in unavailable
                and SeriesKey(test_set, name, metric) not in run.evaluation.series
            ]
        return list(dict.fromkeys(reasons))

    def sample(self, key: SeriesKey) -> Sample | None:
        """Values per image (and seed), images in the order of their names.

        None where they are unsound, and for metrics whose number is no mean: intervals and tests
        are of means.
        """
        if not METRICS[key.metric].has_intervals:
            return None
        evaluations = self._evaluations()
        series = [evaluation.sound(key) for evaluation in evaluations]
        known: list[Mapping[str, float]] = [values for values in series if values]
        if not known or len(known) < len(series):
            return None
        images = sorted(known[0])
        if any(sorted(values) != images for values in known):
            return None
        values = np.array([[values[image] for image in images] for values in known])
        scenes = evaluations[0].scenes[key.test_set]
        clusters = tuple(scenes[image] for image in images)
        return Sample(values[0] if len(values) == 1 else values, clusters)


def _equal_to_the_truth(run: str, key: SeriesKey, values: Mapping[str, float]) -> list[str]:
    """A warning of images that equal their truth; the control `oracle` is nothing else."""
    equal = [image for image, value in values.items() if math.isinf(value)]
    if not equal or run.startswith("oracle__"):
        return []
    return [
        f"{len(equal)} of {len(values)} images equal their truth under protocol {key.protocol!r} "
        f"(infinite {key.metric}), first {equal[0]}: the mean says nothing"
    ]


def _state(
    run: RunResults, test_set: str, metrics: Sequence[str], protocol: str
) -> tuple[str, str]:
    if run.evaluation is None:
        return (t.INVALID, run.invalid) if run.invalid else (t.NOT_RUN, run.missing)
    if test_set in run.failures:
        return t.FAILED, run.failures[test_set]
    if not run.evaluation.images(test_set):
        return t.NOT_RUN, f"{run.evaluation.path} has no test set {test_set!r}"
    assert run.provenance is not None
    problems = _problems(run.provenance, run.evaluation, test_set, metrics, protocol)
    return (t.INVALID, "; ".join(problems)) if problems else (t.OK, "")


def _problems(
    provenance: EvaluationProvenance,
    evaluation: Evaluation,
    test_set: str,
    metrics: Sequence[str],
    protocol: str,
) -> list[str]:
    """Why the numbers of the shown protocol must not be averaged."""
    images = len(evaluation.images(test_set))
    expected, _ = provenance.images.get(test_set, (0, 0))
    problems = []
    if expected != images:
        problems.append(
            f"the provenance of the evaluation says {expected} images, the file has {images}"
        )
    for metric in metrics:
        key = SeriesKey(test_set, protocol, metric)
        problems += evaluation.problems.get(key, [])
        if key not in evaluation.series and metric not in provenance.unavailable_metrics:
            problems.append(f"no {metric} under protocol {protocol!r}")
    return problems
