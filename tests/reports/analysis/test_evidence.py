"""The rule by which systems are told apart: its parts one by one, and its rates of errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.verdict_rates import NOMINAL, SKEWED, Case, main, rate
from reports.analysis.bootstrap import Sample, mean_interval
from reports.analysis.evidence import (
    MINIMUM_SCENES,
    Comparisons,
    Evidence,
    Spread,
    evidence,
    pairs,
    pooled_spread,
)

NAMES = tuple(f"{index:02d}" for index in range(20))


def of(values: object, count: int = 20) -> Evidence:
    return evidence([(1.0, [Sample(np.asarray(values, float), NAMES[:count])])], [1.0], name="x")


def spread_around(mean: float, size: float = 0.05, count: int = 20) -> np.ndarray:
    return mean + size * np.resize([1.0, -1.0], count)


def test_a_clear_difference_is_told_in_both_directions() -> None:
    assert of(spread_around(0.5)).told(0.0, 0.02) == 1
    assert of(spread_around(-0.5)).told(0.0, 0.02) == -1
    assert of(spread_around(0.5)).told(0.6, 0.02) == -1
    assert of(spread_around(0.5)).told(0.5, 0.02) == 0


@pytest.mark.parametrize(
    ("found", "comparisons", "doubt"),
    [
        (of(spread_around(0.5, count=7), 7), Comparisons(), "7 scenes; fewer than 8 decide"),
        (of([0.5, math.inf] * 10), Comparisons(), "an infinite value"),
        (of(spread_around(0.019, 0.0001)), Comparisons(), "closer than 0.02, the smallest"),
        (of(spread_around(0.05, 1.0)), Comparisons(), "the interval contains it"),
        (of(spread_around(0.5, count=8), 8), Comparisons(10), "one of 10 comparisons strays"),
    ],
)
def test_each_condition_alone_is_enough_for_doubt(
    found: Evidence, comparisons: Comparisons, doubt: str
) -> None:
    assert found.doubt(0.0, 0.02, comparisons).startswith(doubt)
    assert found.told(0.0, 0.02, comparisons) == 0


def test_trainings_are_asked_from_three_on() -> None:
    """Twenty sure images, and trainings that differ by more than the mean."""
    levels = np.array([0.1, 0.5, 0.9])
    two = of(levels[:2, None] + spread_around(0.0))
    three = of(levels[:, None] + spread_around(0.0))
    assert (two.trainings, two.told(0.0, 0.02)) == (2, 1)
    assert (three.trainings, three.told(0.0, 0.02)) == (3, 0)
    assert three.p_trainings() == pytest.approx(stats.ttest_1samp(levels, 0).pvalue, rel=0.02)
    steady = of(np.array([0.4, 0.5, 0.6])[:, None] + spread_around(0.0))
    assert steady.told(0.0, 0.02) == 1
    assert "one of 9 comparisons strays as far by luck, over 3 trainings" in steady.doubt(
        0.0, 0.02, Comparisons(1, 9)
    )


def test_the_interval_is_the_widest_of_images_and_trainings() -> None:
    levels = np.array([-2.0, 0.0, 2.0])
    found = of(levels[:, None] + spread_around(0.0))
    half = stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)
    assert found.interval is not None
    assert (found.interval.high - found.interval.low) / 2 == pytest.approx(half, rel=0.01)
    equal = of(np.zeros((3, 1)) + spread_around(0.0, 1.0))
    images = mean_interval(equal.differences[0], name="x")
    assert images is not None
    assert equal.interval is not None
    assert equal.interval.low <= images.low
    # The variances between images and between trainings add up, and are not only compared.
    both = of(np.array([-0.4, 0.0, 0.4])[:, None] + spread_around(0.0, 1.0))
    alone, together = both.errors
    assert together.size == pytest.approx(math.hypot(alone.size, 1.026 / math.sqrt(20)), rel=0.01)


def test_two_systems_are_compared_by_their_pooled_spread() -> None:
    """With two systems the t test is Student's for two samples, paired over the images alone."""
    one, other = np.array([0.4, 0.5, 0.9]), np.array([0.1, 0.0, 0.2])
    samples = [Sample(each[:, None] + np.zeros(20), NAMES) for each in (one, other)]
    found = evidence([(1.0, [samples[0]]), (-1.0, [samples[1]])], [1.0], name="x")
    assert found.errors[0].p_value(found.estimate) == pytest.approx(
        stats.ttest_ind(one, other).pvalue
    )
    third = np.array([3.0, 3.1, 3.2])
    block = pooled_spread([one, other, third, np.array([7.0])])
    variance = np.mean([each.var(ddof=1) for each in (one, other, third)])
    assert block == Spread(pytest.approx(variance), 6)
    assert pooled_spread([np.array([1.0, 2.0])]) is None


def test_an_average_has_the_trainings_of_all_its_test_sets() -> None:
    """A training that gains on one set what it loses on the other does not vary on average."""
    up, down = np.array([[-1.0], [0.0], [1.0]]), np.array([[1.0], [0.0], [-1.0]])
    sets = [Sample(each + np.full(20, 0.5), NAMES) for each in (up, down)]
    found = evidence([(1.0, sets)], [1.0, 1.0], name="x")
    assert found.errors[0].size == pytest.approx(0.0)
    assert (found.estimate, found.images, found.scenes) == (0.5, 40, 20)
    assert evidence([(1.0, sets)], [3.0, 1.0], name="x").errors[0].size > 0.1


def test_pairs_are_counted() -> None:
    assert [pairs(systems) for systems in (1, 2, 5, 9)] == [0, 1, 10, 36]
    assert Comparisons(10, 3).at_least(12) == Comparisons(12, 12)
    assert Comparisons(10, 3).at_least(2) == Comparisons(10, 3)


@pytest.mark.parametrize(
    ("case", "column"),
    [
        (Case(6, 12, 1), False),
        (Case(20, 1, 1), False),
        (Case(20, 3, 1, SKEWED), False),
        (Case(20, 3, 3), False),
        (Case(20, 3, 5), False),
        (Case(68, 1, 3), False),
        (Case(20, 5, 1), True),
        (Case(20, 5, 3), True),
        (Case(68, 2, 3), True),
    ],
    ids=str,
)
def test_equal_systems_are_rarely_told_apart(case: Case, column: bool) -> None:
    """Rates of docs/statistics.md, with fewer draws: three standard errors above the nominal."""
    draws = 120
    chance = 3 * math.sqrt(NOMINAL * (1 - NOMINAL) / draws)
    assert rate(case, draws, column=column) <= NOMINAL + chance


def test_fewer_than_eight_scenes_are_never_told_apart() -> None:
    assert MINIMUM_SCENES == 8
    assert rate(Case(6, 12, 1, SKEWED), 20) == 0.0


def test_the_table_of_rates_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--draws", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| compared | trainings | differences | 6 scenes | 20 scenes | 68 scenes |"
    assert len(lines) == 2 + 9 + 6 + 9
    assert lines[2].startswith("| claim of 1 | 1 | normal | 0.0 % |")
