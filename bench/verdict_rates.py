"""How often the report's rule calls equal systems different (`python -m bench.verdict_rates`).

Systems that are exactly equal are drawn, and judged by the rule of tables and claims: an image's
value is a difficulty that all systems share, plus the training's own level, plus an own part. Then
no difference is real, and whatever is decided is an error. `docs/statistics.md` has the rates.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.bootstrap import Sample
from reports.analysis.evidence import (
    Comparisons,
    evidence,
    pairs,
    pooled_spread,
    training_means,
)
from reports.claims.verdicts import DECIDED, combined, part_verdict

SCENES, PARTS, TRAININGS, SYSTEMS = (6, 20, 68), (1, 3, 12), (1, 3, 5), (2, 5, 9)
OWN = 0.3
"""Standard deviation of a system's own part per image, in dB; a real one is 0.2 to 0.5."""
BETWEEN = 0.1
"""Standard deviation between trainings, in dB."""
SMALLEST = 0.0
"""No smallest effect: it would only make errors rarer."""
PAIRS_PER_PART = 2
"""Pairs of systems in a table, at least, for each part of a claim about it."""
RESAMPLES = 1000
NOMINAL = 0.05


NORMAL, SKEWED, VERY_SKEWED = "normal", "skewed", "very skewed"
"""Shapes of the differences: their skewness is 0, 2 (exponential) and 6 (lognormal)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the table."""

    scenes: int
    compared: int
    """Parts of a claim, or systems of a table's column."""
    trainings: int
    shape: str = NORMAL

    def system(self, generator: np.random.Generator) -> Sample:
        """Values (trainings, scenes) of a system whose true mean is zero.

        A single training stands for itself, so its level is no error there.
        """
        draws = {
            NORMAL: lambda: generator.normal(0.0, 1.0, self.scenes),
            SKEWED: lambda: generator.exponential(1.0, self.scenes) - 1,
            VERY_SKEWED: lambda: (
                (generator.lognormal(0.0, 1.0, self.scenes) - np.exp(0.5))
                / np.sqrt((np.e - 1) * np.e)
            ),
        }
        levels = BETWEEN if self.trainings > 1 else 0.0
        values = OWN * draws[self.shape]() + generator.normal(0.0, levels, (self.trainings, 1))
        return Sample(values, tuple(f"{index:03d}" for index in range(self.scenes)))


def _claim_is_decided(case: Case, generator: np.random.Generator, draw: int) -> bool:
    """Whether a claim that equal systems differ, in all of its parts, gets a verdict."""
    verdicts = []
    for _ in range(case.compared):
        one, other = case.system(generator), case.system(generator)
        if case.shape != NORMAL:
            # A difference of two alike is not lopsided: one of them has no own part.
            other = Sample(np.zeros_like(other.values), other.clusters)
        found = evidence(
            [(1.0, [one]), (-1.0, [other])], [1.0], name=f"{draw % 8}", resamples=RESAMPLES
        )
        among = Comparisons(PAIRS_PER_PART * case.compared)
        verdict, _ = part_verdict(found, 0.0, SMALLEST, among, case.compared)
        verdicts.append(verdict)
    return combined(verdicts) in DECIDED


def _column_is_decided(case: Case, generator: np.random.Generator, draw: int) -> bool:
    """Whether one of several equal systems is told from the best of them."""
    systems = [case.system(generator) for _ in range(case.compared)]
    best = max(systems, key=lambda sample: float(sample.values.mean()))
    among = Comparisons(*(pairs(case.compared),) * 2)
    spread = pooled_spread(training_means([sample], [1.0]) for sample in systems)
    return any(
        evidence(
            [(1.0, [one]), (-1.0, [best])],
            [1.0],
            name=f"{draw % 8}",
            spread=spread,
            resamples=RESAMPLES,
        ).told(0.0, SMALLEST, among)
        for one in systems
        if one is not best
    )


def rate(case: Case, draws: int, *, column: bool = False) -> float:
    """Share of the draws in which equal systems are told apart."""
    judged = _column_is_decided if column else _claim_is_decided
    shape = (NORMAL, SKEWED, VERY_SKEWED).index(case.shape)
    generator = np.random.default_rng(
        [7, case.scenes, case.compared, case.trainings, shape, int(column)]
    )
    return sum(judged(case, generator, draw) for draw in range(draws)) / draws


def _rows(draws: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Label of each row, and its rates at the numbers of scenes."""
    lopsided = itertools.product((1,), PARTS, (SKEWED, VERY_SKEWED))
    for trainings, parts, shape in (*itertools.product(TRAININGS, PARTS, (NORMAL,)), *lopsided):
        cases = [Case(scenes, parts, trainings, shape) for scenes in SCENES]
        label = f"claim of {parts} | {trainings} | {shape}"
        yield label, np.array([rate(case, draws) for case in cases])
    for trainings, systems in itertools.product(TRAININGS, SYSTEMS):
        cases = [Case(scenes, systems, trainings) for scenes in SCENES]
        label = f"best of {systems} | {trainings} | {NORMAL}"
        yield label, np.array([rate(case, draws, column=True) for case in cases])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 where a rate is above the nominal one by more than chance.

    Very skewed differences are shown and not held to it: no test of means knows their tail.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.verdict_rates", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="per cell (default: %(default)s)")
    arguments = parser.parse_args(argv)
    heads = " | ".join(f"{scenes} scenes" for scenes in SCENES)
    print(f"| compared | trainings | differences | {heads} |")
    print("|---|---:|---|" + "---:|" * len(SCENES))
    worst = 0.0
    for label, rates in _rows(arguments.draws):
        cells = " | ".join(f"{100 * value:.1f} %" for value in rates)
        print(f"| {label} | {cells} |", flush=True)
        worst = max(worst, 0.0 if VERY_SKEWED in label else float(rates.max()))
    chance = 2 * np.sqrt(NOMINAL * (1 - NOMINAL) / arguments.draws)
    return int(worst > NOMINAL + chance)


if __name__ == "__main__":
    raise SystemExit(main())
