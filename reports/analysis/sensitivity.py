"""What each choice of measuring is worth: `python -m reports.analysis.sensitivity --plan-json ...`.

The same outputs under all protocols, and the same network on the same photographs under all four
ways of adding noise. Differences are paired: per image, against the protocol and the noise that
the tables use.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ndr.metrics.metric import METRICS, mean
from ndr.records.per_image import Evaluation, SeriesKey
from ndr.records.record import Record
from ndr.specs.table_plan import SensitivityPlan
from ndr.specs.typed_file import SpecError
from reports.analysis.bootstrap import Interval, Sample, mean_interval
from reports.analysis.run_results import read_run_results

NOISE_DESCRIPTIONS = {
    "float_clip": "clipped, not rounded (NDR-Restore's code)",
    "uint8_trunc": "clipped, cut down to whole levels (AirNet, PromptIR)",
    "uint8_round": "clipped, rounded to whole levels (a saved PNG)",
    "float_noclip": "neither clipped nor rounded (Restormer, FFDNet)",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Mean paired difference of one metric on one test set."""

    metric: str
    difference: float
    interval: Interval | None
    """95 %, over scenes; None with fewer than two."""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """How many pairs of methods change places."""

    pairs: int
    """Pairs times test sets times metrics."""
    changed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One other way of measuring."""

    name: str
    cells: tuple[Change | None, ...]
    """Test sets in order, metrics within; None where not measured."""
    order: OrderChange | None


@dataclass(frozen=True, slots=True)
class Group:
    """Choices of one kind."""

    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class MeasuredTestSet:
    """A column."""

    name: str
    label: str
    n: int | None
    """Images; None where the main run has none."""


@dataclass(frozen=True, slots=True)
class Sensitivity(Record):
    """The file `results/<tier>/sensitivity.json`."""

    FILE: ClassVar[str] = "sensitivity file"

    tier: str
    run: str | None
    reason: str
    """Why nothing was compared; empty otherwise."""
    label: str
    protocol: str
    noise_in_use: str
    metrics: tuple[str, ...]
    test_sets: tuple[MeasuredTestSet, ...]
    groups: tuple[Group, ...]
    problems: tuple[str, ...]
    """Results that could not be used."""


Source = tuple[str | None, str]
"""Run and protocol of a column of numbers."""


class Comparison:
    """One plan with its results read."""

    def __init__(self, plan: SensitivityPlan, results: Path) -> None:
        self.plan = plan
        self.problems: list[str] = []
        self._evaluations: dict[str | None, Evaluation] = {}
        for run in plan.runs:
            read = read_run_results(results, run)
            if read.evaluation is None:
                self.problems.append(f"{run}: {read.invalid or read.missing}")
            else:
                self._evaluations[run] = read.evaluation

    def result(self) -> Sensitivity:
        """Everything that the page shows."""
        plan = self.plan
        reason = plan.reason
        if not reason and plan.run not in self._evaluations:
            reason = "the main run has no usable results"
        return Sensitivity(
            tier=plan.tier,
            run=plan.run,
            reason=reason,
            label=plan.label,
            protocol=plan.protocols[0],
            noise_in_use=plan.noise_in_use,
            metrics=plan.metrics,
            test_sets=tuple(
                MeasuredTestSet(one.name, one.label, self._images(one.name))
                for one in plan.test_sets
            ),
            groups=() if reason else self._groups(),
            problems=tuple(self.problems),
        )

    def _groups(self) -> tuple[Group, ...]:
        plan, shown = self.plan, self.plan.protocols[0]
        protocols = tuple(
            Choice(name, self._cells((plan.run, shown), (plan.run, name)), self._order(name))
            for name in plan.protocols[1:]
        )
        restored = tuple(
            Choice(one.variant, self._cells((plan.run, shown), (one.run, shown)), None)
            for one in plan.noise
        )
        given = tuple(
            Choice(one.variant, self._cells((plan.input_run, shown), (one.input_run, shown)), None)
            for one in plan.noise
        )
        return (
            Group("The same outputs, another protocol", protocols),
            Group("The same photographs, noise added in another way", restored),
            Group("The same for the degraded input, without any network", given),
        )

    def _images(self, test_set: str) -> int | None:
        evaluation = self._evaluations.get(self.plan.run)
        return (len(evaluation.images(test_set)) or None) if evaluation else None

    def _series(self, source: Source, test_set: str, metric: str) -> Mapping[str, float]:
        """Values per image; none where they are missing or unsound."""
        evaluation = self._evaluations.get(source[0])
        key = SeriesKey(test_set, source[1], metric)
        return (evaluation.sound(key) if evaluation else None) or {}

    def _cells(self, usual: Source, other: Source) -> tuple[Change | None, ...]:
        """Changes from one source to another, test set by test set, metrics within."""
        return tuple(
            self._change(usual, other, test_set.name, metric)
            for test_set in self.plan.test_sets
            for metric in self.plan.metrics
        )

    def _change(self, usual: Source, other: Source, test_set: str, metric: str) -> Change | None:
        """Mean of `other` minus `usual` over their images; None where they cannot be paired."""
        before, after = (self._series(source, test_set, metric) for source in (usual, other))
        if not before or before.keys() != after.keys():
            return None
        images = sorted(before)
        differences = np.array([after[image] - before[image] for image in images])
        if not np.isfinite(differences).all():
            return None
        scenes = self._evaluations[self.plan.run].scenes[test_set]
        sample = Sample(differences, tuple(scenes[image] for image in images))
        interval = mean_interval(sample, name=f"sensitivity of {test_set}")
        return Change(metric, mean(differences), interval)

    def _order(self, protocol: str) -> OrderChange | None:
        """Pairs of methods whose means stand in another order than under the shown protocol."""
        pairs = changed = 0
        for test_set, metric in itertools.product(self.plan.test_sets, self.plan.metrics):
            means = []
            for row in self.plan.rows:
                both = [
                    self._series((row.run, name), test_set.name, metric)
                    for name in (self.plan.protocols[0], protocol)
                ]
                if all(both):
                    means.append([METRICS[metric].aggregate(values.values()) for values in both])
            for (a, a_other), (b, b_other) in itertools.combinations(means, 2):
                pairs += 1
                changed += (a - b) * (a_other - b_other) < 0
        return OrderChange(pairs, changed) if pairs else None


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.analysis.sensitivity", description=__doc__
    )
    parser.add_argument("--plan-json", required=True, help="the SensitivityPlan as JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    try:
        plan = SensitivityPlan.from_json(arguments.plan_json)
        result = Comparison(plan, arguments.results).result()
        result.write(arguments.out)
    except (SpecError, ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
