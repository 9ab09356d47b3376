"""Paired tests and Holm's adjustment: against SciPy, enumeration and closed cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from reports.analysis.bootstrap import Interval, Sample
from reports.analysis.comparison import (
    average_p_value,
    distinguishable,
    holm,
    p_value,
    paired_differences,
)


def sample(values: object, clusters: object = None) -> Sample:
    array = np.asarray(values, dtype=np.float64)
    names = range(array.shape[-1]) if clusters is None else clusters
    return Sample(array, tuple(str(name) for name in names))


@pytest.mark.parametrize("count", [8, 30, 200])
def test_single_images_give_what_scipy_gives(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.2, 1.0, count)
    assert p_value(sample(differences)) == stats.wilcoxon(differences).pvalue


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_smallest_p_value_of_few_scenes_is_known(count: int) -> None:
    assert p_value(sample(np.arange(1.0, count + 1))) == pytest.approx(2 / 2**count)


def test_the_exact_p_value_by_enumeration() -> None:
    differences = np.array([0.3, -0.1, 0.7, 1.2, -0.4, 0.9])
    magnitude = stats.rankdata(abs(differences))
    observed = magnitude[differences > 0].sum()
    sums = [
        sum(rank for rank, sign in zip(magnitude, signs, strict=True) if sign)
        for signs in itertools.product((False, True), repeat=6)
    ]
    middle = magnitude.sum() / 2
    expected = np.mean([abs(total - middle) >= abs(observed - middle) for total in sums])
    assert p_value(sample(differences)) == pytest.approx(expected)


def test_a_scene_counts_once() -> None:
    """Ten copies of three scenes are no more evidence than three scenes."""
    differences = np.repeat([0.5, 0.7, 0.9], 10)
    assert p_value(sample(differences)) < 0.001
    assert p_value(sample(differences, np.repeat(list("abc"), 10))) == 0.25


def test_equal_methods_are_equal_and_zeros_are_dropped() -> None:
    assert p_value(sample([0.0, 0.0, 0.0])) == 1.0
    assert p_value(sample([0.0, 1.0, 2.0, 3.0])) == p_value(sample([1.0, 2.0, 3.0])) == 0.25


def test_infinite_differences_have_a_rank() -> None:
    assert p_value(sample([1.0, 2.0, math.inf])) == 0.25
    assert p_value(sample([1.0, math.inf, -math.inf], "abb")) == 1.0


def test_seeds_are_averaged_before_the_test() -> None:
    differences = np.random.default_rng(1).normal(0.2, 1.0, (3, 12))
    assert p_value(sample(differences)) == p_value(sample(differences.mean(axis=0)))


def test_differences_are_paired_by_image_and_seed() -> None:
    ours, theirs = sample([[30.0, 31.0], [32.0, 33.0]]), sample([[29.0, 31.5], [30.0, 30.0]])
    assert paired_differences(ours, theirs).values.tolist() == [[1.0, -0.5], [2.0, 3.0]]
    assert paired_differences(ours, sample([29.0, 30.0])).values.tolist() == [2.0, 2.0]
    exact = paired_differences(sample([math.inf, math.inf]), sample([math.inf, 30.0]))
    assert exact.values.tolist() == [0.0, math.inf]
    with pytest.raises(ValueError, match="same images"):
        paired_differences(sample([1.0, 2.0], "ab"), sample([1.0, 2.0], "ba"))


def test_holm_by_hand_and_below_scipys_adjustments() -> None:
    """0.01 x 4, 0.02 x 3, 0.03 x 2 (raised to 0.06), 0.5 x 1."""
    assert holm([0.03, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    values = np.random.default_rng(2).uniform(0, 0.2, 12).tolist()
    # Benjamini and Hochberg's adjustment, which SciPy has, never exceeds Holm's.
    assert (stats.false_discovery_control(values) <= np.array(holm(values)) + 1e-12).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([math.nan])


def test_holm_keeps_the_family_wise_level() -> None:
    generator = np.random.default_rng(3)
    families = [holm(generator.uniform(size=20).tolist()) for _ in range(1000)]
    false_alarms = np.mean([min(family) < 0.05 for family in families])
    assert 0.03 < false_alarms < 0.07


def test_an_average_is_tested_like_scipys_permutation_test() -> None:
    first, second = np.random.default_rng(4).normal(0.4, 1.0, (2, 15))
    expected = stats.permutation_test(
        (first, second),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    found = average_p_value([sample(first - second)], [1.0], name="x", resamples=20_000)
    assert found == pytest.approx(expected, abs=0.015)


def test_an_average_of_few_scenes_proves_nothing() -> None:
    same = [sample([1.0, 2.0], "ab"), sample([1.0, 3.0], "ab")]
    assert average_p_value(same, [1, 1], name="x") == pytest.approx(0.5, abs=0.03)
    other = [sample([1.0, 2.0], "ab"), sample([1.0, 3.0], "cd")]
    assert average_p_value(other, [1, 1], name="x") == pytest.approx(0.125, abs=0.02)
    assert average_p_value([sample([0.0, 0.0])], [1.0], name="x") == 1.0
    assert average_p_value([sample([1.0, math.inf])], [1.0], name="x") == 1.0


def test_a_heavy_test_set_decides_an_average() -> None:
    strong, weak = sample(np.full(12, 1.0)), sample([-1.0, 1.0], "yz")
    assert average_p_value([strong, weak], [0.9, 0.1], name="x") < 0.01
    assert average_p_value([strong, weak], [0.0, 1.0], name="x") == 1.0


def test_both_the_interval_and_the_test_must_tell() -> None:
    assert distinguishable(Interval(0.1, 0.2), 0.049)
    assert distinguishable(Interval(-0.2, -0.1), 0.0)
    assert not distinguishable(Interval(0.1, 0.2), 0.05)
    assert not distinguishable(Interval(-0.1, 0.2), 0.001)
    assert not distinguishable(None, 0.0)
