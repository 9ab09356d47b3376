from __future__ import annotations

import numpy as np
import pytest

from ndr.degradations.scene_depth import (
    DEPTH_LIMITS,
    MEDIAN_DEPTH,
    MEDIANS,
    RELIEFS,
    TILTS,
    depth_from_disparity,
    generated_depth,
    guided_filter,
)


def test_the_scene_recedes_gently_to_the_top() -> None:
    rows = np.mean(
        [generated_depth(60, 80, np.random.default_rng(seed)) for seed in range(200)], axis=(0, 2)
    )
    # The mean tilt is exp(0.175) = 1.19 from the lowest to the highest row.
    assert rows[:10].mean() / rows[-10:].mean() == pytest.approx(1.16, abs=0.08)


def test_median_and_spread_are_those_of_the_documented_ranges() -> None:
    depths = [generated_depth(60, 80, np.random.default_rng(seed)) for seed in range(200)]
    medians = np.array([np.median(depth) for depth in depths])
    assert np.exp(np.log(medians).mean()) == pytest.approx(
        np.sqrt(MEDIANS[0] * MEDIANS[1]), rel=0.05
    )
    assert np.mean((medians > MEDIANS[0] * 0.9) & (medians < MEDIANS[1] * 1.1)) > 0.95
    spreads = np.array([np.log(depth).std() for depth in depths])
    assert RELIEFS[0] * 0.9 < spreads.min()
    # A slope from -w/2 to w/2 has the deviation w / sqrt(12); by chance the two may add up.
    assert spreads.max() < RELIEFS[1] + TILTS[1] / np.sqrt(12)


def test_depth_stays_in_its_limits_and_is_smooth() -> None:
    for seed in range(10):
        depth = generated_depth(120, 160, np.random.default_rng(seed))
        assert depth.dtype == np.float64
        assert depth.shape == (120, 160)
        assert depth.min() >= DEPTH_LIMITS[0]
        assert depth.max() <= DEPTH_LIMITS[1]
        assert np.abs(np.diff(depth, axis=1)).max() < 0.5


def test_depth_is_no_pure_function_of_the_row() -> None:
    depth = generated_depth(120, 160, np.random.default_rng(0))
    assert depth[-30:].std(axis=1).mean() > 0.05


def test_draws_are_deterministic_and_independent_of_the_guide() -> None:
    guide = np.full((40, 50, 3), 0.5)
    first = generated_depth(40, 50, np.random.default_rng(5))
    assert np.array_equal(first, generated_depth(40, 50, np.random.default_rng(5)))
    assert not np.array_equal(first, generated_depth(40, 50, np.random.default_rng(6)))
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    generated_depth(40, 50, one)
    generated_depth(40, 50, other, guide=guide)
    assert one.random() == other.random()


def test_edges_of_the_picture_become_edges_of_the_depth() -> None:
    # A dark tower before a bright sky; away from it the picture is flat.
    guide = np.full((160, 160, 3), 0.9)
    guide[60:, 70:100] = 0.1
    steps_with, steps_without = [], []
    for seed in range(20):
        plain = generated_depth(160, 160, np.random.default_rng(seed))
        cut = generated_depth(160, 160, np.random.default_rng(seed), guide=guide)
        steps_without.append(np.abs(plain[100, 67] - plain[100, 72]))
        steps_with.append(np.abs(cut[100, 67] - cut[100, 72]))
    assert np.mean(steps_with) > 1.5 * np.mean(steps_without)


def test_guided_filter_keeps_the_guide_itself_and_averages_over_a_flat_one() -> None:
    random = np.random.default_rng(0).random((40, 40))
    sharp = np.zeros((40, 40))
    sharp[:, 20:] = 1
    assert np.abs(guided_filter(sharp, sharp, 4, 1e-6) - sharp).max() < 1e-3
    assert guided_filter(random, np.zeros((40, 40)), 4, 1e-3).std() < 0.2 * random.std()


def test_disparity_gives_reciprocal_depth() -> None:
    disparity = np.array([[8.0, 16.0, 20.0, 32.0, 40.0]])
    depth = depth_from_disparity(disparity)
    assert np.median(depth) == pytest.approx(MEDIAN_DEPTH)
    assert (depth * disparity).std() < 1e-5
    assert (np.diff(depth[0]) < 0).all()


def test_offset_of_the_principal_points_is_added() -> None:
    disparity = np.array([[8.0, 16.0, 20.0, 32.0, 40.0]])
    depth = depth_from_disparity(disparity, offset=30.0)
    assert (depth * (disparity + 30)).std() < 1e-4


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_unknown_pixels_take_the_nearest_known_value(unknown: float) -> None:
    disparity = np.tile(np.array([10.0, 10.0, unknown, unknown, 20.0, 20.0]), (4, 1))
    filled = depth_from_disparity(np.tile(np.array([10.0, 10.0, 10.0, 20.0, 20.0, 20.0]), (4, 1)))
    assert np.allclose(depth_from_disparity(disparity), filled)


@pytest.mark.parametrize(
    ("disparity", "words"),
    [(np.full((3, 3), np.nan), "no pixel"), (np.ones((3, 3, 1)), r"\(H, W\)")],
)
def test_bad_disparity_is_named(disparity: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        depth_from_disparity(disparity)
