"""Haze made with known constants is measured right."""

from __future__ import annotations

import numpy as np
import pytest

from bench.haze_measures import (
    common_crop,
    darkest,
    depth_map,
    estimated_airlight,
    transmission_map,
)


def scene(side: int = 80) -> np.ndarray:
    return np.random.default_rng(1).random((side, side, 3)) * 0.7


def test_transmission_and_depth_are_recovered() -> None:
    clean = scene()
    t = np.exp(-0.1 * np.linspace(4, 2, 80))[:, None, None] * np.ones((80, 80, 1))
    hazy = clean * t + 0.9 * (1 - t)
    found = transmission_map(clean, hazy, 0.9)
    assert np.nanmax(np.abs(found - t[..., 0])) < 0.01
    depth = depth_map(found, 0.1)
    assert np.nanmean(depth[:8]) == pytest.approx(3.9, abs=0.1)
    assert np.nanmean(depth[-8:]) == pytest.approx(2.1, abs=0.1)


def test_transmission_is_unknown_where_the_scene_has_the_colour_of_the_haze() -> None:
    clean = scene()
    clean[:40] = 0.9
    hazy = clean * 0.6 + 0.9 * 0.4
    found = transmission_map(clean, hazy, 0.9)
    assert np.isnan(found[:20]).all()
    assert np.allclose(found[60:], 0.6)


@pytest.mark.parametrize("airlight", [0.8, 0.95])
def test_airlight_is_found_without_knowing_the_transmission(airlight: float) -> None:
    clean = scene()
    t = np.random.default_rng(2).uniform(0.4, 0.8, (80, 80, 1))
    assert estimated_airlight(clean, clean * t + airlight * (1 - t)) == pytest.approx(airlight)


def test_airlight_of_a_grey_or_clear_pair_is_unknown() -> None:
    grey = np.full((20, 20, 3), 0.4)
    assert np.isnan(estimated_airlight(grey, 0.5 * grey + 0.4))
    assert np.isnan(estimated_airlight(scene(), scene()))


def test_dark_channel_is_the_local_minimum_over_channels() -> None:
    image = np.full((41, 41, 3), 0.8)
    assert darkest(image) == pytest.approx(0.8)
    image[20, 20, 1] = 0.1
    # One dark pixel darkens its window of 15 x 15.
    assert darkest(image) == pytest.approx(0.8 - 0.7 * 225 / 41**2)


def test_common_crop_is_the_middle() -> None:
    large = np.arange(12 * 10 * 3, dtype=np.float64).reshape(12, 10, 3)
    cut, same = common_crop(large, large[1:-1, 2:-2])
    assert np.array_equal(cut, same)
