"""Bootstrap intervals: against SciPy, against literal loops, and where the answer is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from reports.analysis.bootstrap import (
    Sample,
    mean_interval,
    resampled_means,
    resampling_weights,
    weighted_interval,
)


def sample(values: object, clusters: object = None) -> Sample:
    array = np.asarray(values, dtype=np.float64)
    names = range(array.shape[-1]) if clusters is None else clusters
    return Sample(array, tuple(str(name) for name in names))


def normal(*shape: int, seed: int = 0, mean: float = 30.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 3.0, shape)


def test_single_images_give_what_scipy_gives() -> None:
    values = normal(60)
    ours = mean_interval(sample(values), name="scipy", resamples=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours is not None
    # Both have Monte Carlo errors of about 0.005 at the ends, of an interval 1.5 wide.
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_clusters_give_what_scipy_gives_for_sums_over_sizes() -> None:
    """SciPy resamples pairs (sum, size) of scenes; the ratio of the sums is the mean."""
    sizes = np.random.default_rng(5).integers(1, 6, 40)
    scenes = np.repeat(np.arange(40), sizes)
    values = normal(len(scenes)) + normal(40, seed=6, mean=0.0)[scenes]
    ours = mean_interval(sample(values, scenes), name="clusters", resamples=20_000)
    sums = np.bincount(scenes, weights=values)
    theirs = stats.bootstrap(
        (sums, sizes),
        lambda total, count, axis: total.sum(axis) / count.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)
    alone = mean_interval(sample(values), name="clusters", resamples=20_000)
    assert alone is not None
    assert alone.high - alone.low < 0.8 * (ours.high - ours.low)


def test_all_resamples_of_three_scenes_by_enumeration() -> None:
    """27 equally likely draws: the frequencies of the resampled means are theirs."""
    values = np.array([1.0, 2.0, 4.0, 8.0])
    scenes = ("a", "b", "b", "c")
    exact: dict[float, float] = {}
    for draw in itertools.product("abc", repeat=3):
        drawn = [v for one in draw for v, s in zip(values, scenes, strict=True) if s == one]
        mean = round(math.fsum(drawn) / len(drawn), 9)
        exact[mean] = exact.get(mean, 0.0) + 1 / 27
    means = resampled_means(sample(values, scenes), name="three", resamples=100_000)
    found, counts = np.unique(means.round(9), return_counts=True)
    assert found.tolist() == sorted(exact)
    expected = [exact[mean] for mean in found.tolist()]
    assert (counts / 100_000) == pytest.approx(expected, abs=0.006)


def test_resampled_means_equal_a_literal_loop() -> None:
    """Each image as often as its scene was drawn, with the mean over its seeds."""
    values, scenes = normal(3, 7), ("a", "b", "b", "c", "d", "d", "d")
    means = resampled_means(sample(values, scenes), name="loop", resamples=50)
    counts = resampling_weights("loop", 0, 4, 50)
    for index in range(50):
        drawn = [
            values[seed, image]
            for seed in range(3)
            for image, scene in enumerate(scenes)
            for _ in range(int(counts[index, "abcd".index(scene)]))
        ]
        assert means[index] == pytest.approx(math.fsum(drawn) / len(drawn))


def test_weights_are_multinomial_counts() -> None:
    weights = resampling_weights("counts", 0, 5, 20_000)
    assert (weights.sum(axis=1) == 5).all()
    assert weights.mean(axis=0) == pytest.approx([1.0] * 5, abs=0.03)
    assert weights.var(axis=0) == pytest.approx([0.8] * 5, abs=0.05)  # n p (1 - p)
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0] = 3.0


def test_the_width_is_that_of_the_normal_theory() -> None:
    values = normal(400)
    found = mean_interval(sample(values), name="width")
    assert found is not None
    half = 1.96 * values.std() / 20
    assert found.high - values.mean() == pytest.approx(half, rel=0.05)
    assert values.mean() - found.low == pytest.approx(half, rel=0.05)


def test_coverage_is_near_the_level() -> None:
    hits = 0
    for seed in range(400):
        found = mean_interval(sample(normal(40, seed=seed)), name=f"{seed}", resamples=500)
        assert found is not None
        hits += found.contains(30.0)
    assert 0.90 < hits / 400 < 0.97


def test_equal_inputs_give_equal_bits_and_other_names_other_draws() -> None:
    one = sample(normal(20))
    first = mean_interval(one, name="x")
    resampling_weights.cache_clear()
    assert mean_interval(one, name="x") == first
    assert mean_interval(one, name="y") != first


def test_the_order_of_images_does_not_matter() -> None:
    values, scenes = normal(12), [f"s{i // 2}" for i in range(12)]
    order = np.random.default_rng(3).permutation(12)
    first = mean_interval(sample(values, scenes), name="x")
    second = mean_interval(sample(values[order], [scenes[i] for i in order]), name="x")
    assert first is not None
    assert second is not None
    assert (second.low, second.high) == pytest.approx((first.low, first.high), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "scenes"),
    [([30.0], "a"), ([30.0, 31.0], "aa"), ([30.0, math.inf], "ab"), ([], "")],
)
def test_too_few_scenes_and_infinite_values_have_no_interval(values: list, scenes: str) -> None:
    assert mean_interval(sample(values, scenes), name="x") is None
    assert weighted_interval([sample(values, scenes)], [1.0], name="x") is None


def test_nan_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        sample([30.0, math.nan])
    with pytest.raises(ValueError, match="n = 3"):
        sample([30.0, 31.0], "abc")
    with pytest.raises(ValueError, match="level"):
        mean_interval(sample([1.0, 2.0]), name="x", level=1.0)
    with pytest.raises(ValueError, match="a weight per sample"):
        weighted_interval([sample([1.0, 2.0])], [1.0, 2.0], name="x")


def test_one_test_set_alone_is_its_mean_interval() -> None:
    one = sample(normal(30))
    assert weighted_interval([one], [0.4], name="x") == mean_interval(one, name="x")


def test_independent_test_sets_add_their_variances() -> None:
    # Equal values in equal order: drawn together, the deviations themselves would add.
    first = sample(normal(300), [f"first {image:03d}" for image in range(300)])
    second = sample(normal(300), [f"second {image:03d}" for image in range(300)])
    found = weighted_interval([first, second], [0.4, 0.6], name="x")
    assert found is not None
    deviation = math.hypot(0.4 * first.values.std(), 0.6 * second.values.std()) / math.sqrt(300)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * deviation, rel=0.05)
    middle = 0.4 * first.values.mean() + 0.6 * second.values.mean()
    assert (found.high + found.low) / 2 == pytest.approx(middle, abs=0.02)


def test_test_sets_of_the_same_scenes_are_resampled_together() -> None:
    """The same pictures under three noise levels are not three times as much evidence."""
    values = normal(50)
    noisy = [sample(values - level) for level in (0.0, 3.0, 6.0)]
    together = weighted_interval(noisy, [1.0] * 3, name="x")
    single = mean_interval(noisy[1], name="x")
    assert together is not None
    assert single is not None
    assert (together.low, together.high) == pytest.approx((single.low, single.high))
