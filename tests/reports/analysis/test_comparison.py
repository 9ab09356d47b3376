"""Paired differences and the tests of their mean, against enumerations, SciPy and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from reports.analysis.bootstrap import Sample
from reports.analysis.comparison import (
    ENUMERATED,
    contrast,
    scene_contributions,
    scene_moments,
    sign_flip_p_value,
    skewed_t_p_value,
)


def sample(values: object, clusters: Iterable[str] | None = None) -> Sample:
    array = np.asarray(values, dtype=np.float64)
    names = [f"{i:03d}" for i in range(array.shape[-1])] if clusters is None else clusters
    return Sample(array, tuple(names))


def drawn(count: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1.0, count)


@pytest.mark.parametrize("count", [2, 6, 12])
def test_the_smallest_p_value_of_few_scenes_is_known(count: int) -> None:
    found = sign_flip_p_value([sample(np.arange(1.0, count + 1))], [1.0])
    assert found == pytest.approx(2 / 2**count)


def test_few_scenes_are_enumerated() -> None:
    values = drawn(8, 0.6)
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in itertools.product((-1, 1), repeat=8)
    ]
    expected = np.mean([each >= abs(values.sum()) * (1 - 1e-9) for each in sums])
    assert sign_flip_p_value([sample(values)], [1.0]) == pytest.approx(expected)
    shifted = sign_flip_p_value([sample(values + 3)], [1.0], margin=3.0)
    assert shifted == pytest.approx(expected)


@pytest.mark.parametrize(("count", "mean"), [(17, 0.3), (20, 0.5), (30, 0.5), (68, 0.3)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_scenes_agree_with_a_randomisation_test(count: int, mean: float, seed: int) -> None:
    """Within the error of 100,000 draws, and 7 % of the saddlepoint approximation."""
    values = drawn(count, mean, seed)
    assert count > ENUMERATED
    generator = np.random.default_rng(9)
    signs = 2.0 * generator.integers(0, 2, (100_000, count)) - 1
    expected = np.mean(np.abs(signs @ values) >= abs(values.sum()) * (1 - 1e-9))
    found = sign_flip_p_value([sample(values)], [1.0])
    error = 3 * math.sqrt(max(expected, 1e-5) / 100_000)
    assert found == pytest.approx(expected, rel=0.07, abs=error)


def test_small_p_values_need_no_draws() -> None:
    """Of 40 differences of one sign no assignment but two reaches the sum."""
    steady = sample(np.linspace(0.9, 1.1, 40))
    assert sign_flip_p_value([steady], [1.0]) == pytest.approx(2 / 2**40)
    nearly = sample(np.append(np.linspace(0.9, 1.1, 39), -0.001))
    assert 2 / 2**40 <= sign_flip_p_value([nearly], [1.0]) <= 8 / 2**40


def test_nothing_and_infinity_tell_nothing() -> None:
    for values in ([0.0, 0.0], [1.0, math.inf], [1.0, -1.0]):
        assert sign_flip_p_value([sample(values)], [1.0]) == 1.0


def test_images_of_a_scene_count_as_one_scene() -> None:
    values = [sample(np.repeat([1.0, 2.0, 3.0], 10), np.repeat(list("abc"), 10))]
    assert sign_flip_p_value(values, [1.0]) == 0.25


def test_test_sets_of_the_same_scenes_flip_together() -> None:
    same = [sample([1.0, 2.0], "ab"), sample([2.0, 1.0], "ab")]
    assert sign_flip_p_value(same, [1, 1]) == 0.5
    other = [sample([1.0, 2.0], "ab"), sample([2.0, 1.0], "cd")]
    assert sign_flip_p_value(other, [1, 1]) == 0.125
    strong, weak = sample(np.ones(12)), sample(np.zeros(8), "stuvwxyz")
    assert sign_flip_p_value([strong, weak], [0.9, 0.1]) < 0.01
    assert sign_flip_p_value([strong, weak], [0.0, 1.0]) == 1.0


def test_a_contrast_adds_systems_image_by_image() -> None:
    one, two, three = sample([1.0, 2.0]), sample([[1.0, 1.0], [3.0, 3.0]]), sample([0.0, 5.0])
    found = contrast([(2.0, one), (-1.0, two), (-1.0, three)])
    assert found.values.tolist() == [2 - 2 - 0, 4 - 2 - 5]
    exact = contrast([(1.0, sample([math.inf, 1.0])), (-1.0, sample([math.inf, 0.5]))])
    assert exact.values.tolist() == [0.0, 0.5]
    with pytest.raises(ValueError, match="the same images in the same order"):
        contrast([(1.0, one), (-1.0, sample([1.0, 2.0], "xy"))])


def test_without_skewness_it_is_the_t_test() -> None:
    values = np.array([-0.5, 0.5, 1.0, 1.5, 2.5])  # symmetric around one
    found = skewed_t_p_value(scene_contributions([sample(values)], [1.0]))
    assert found == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_moments_are_those_of_the_mean_without_bias() -> None:
    generator = np.random.default_rng(4)
    n, found = 12, []
    for _ in range(4000):
        values = sample(generator.exponential(1.0, n))
        moments = scene_moments(scene_contributions([values], [1.0]))
        found.append((moments.variance, moments.third))
    assert np.mean(found, axis=0) == pytest.approx([1 / n, 2 / n**2], rel=0.1)


def test_lopsided_differences_are_not_taken_for_an_effect() -> None:
    """Of exponential differences with the mean zero most lie below it."""
    generator = np.random.default_rng(5)
    signs = skewed = 0
    for _ in range(400):
        values = [sample(generator.exponential(1.0, 20) - 1)]
        below = values[0].values.mean() < 0
        signs += below and sign_flip_p_value(values, [1.0]) < 0.01
        skewed += below and skewed_t_p_value(scene_contributions(values, [1.0])) < 0.01
    assert signs / 400 > 0.015  # in place of 0.005
    assert skewed / 400 < 0.01


def test_a_strong_effect_is_seen_whatever_the_skewness() -> None:
    values = -5 + np.random.default_rng(6).exponential(1.0, 20)
    assert skewed_t_p_value(scene_contributions([sample(values)], [1.0])) < 1e-4
