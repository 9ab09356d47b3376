"""Streaks drawn with known direction, width, length and coverage are measured right."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rain_measures import brightening, coverage, streak_angle, streak_size
from ndr.degradations.streak_rendering import Streaks, render_streaks


def streaks(angle: float, length: float = 30.0, width: float = 3.0, count: int = 60) -> np.ndarray:
    generator = np.random.default_rng(4)
    same = np.full(count, 1.0)
    picture = render_streaks(
        Streaks(
            x=generator.uniform(0, 300, count),
            y=generator.uniform(0, 300, count),
            length=length * same,
            width=width * same,
            angle=angle * same,
            brightness=same,
            cycles=0 * same,
            phase=0 * same,
        ),
        300,
        300,
    )
    return picture.astype(np.float64)


@pytest.mark.parametrize("angle", [-29.0, -8.0, 0.0, 17.0, 36.0])
def test_known_direction_is_measured(angle: float) -> None:
    assert streak_angle(streaks(angle)) == pytest.approx(angle, abs=1.0)


def test_direction_of_bars_without_any_renderer() -> None:
    rows, columns = np.mgrid[:120, :120]
    # One column to the right for every two rows down: arctan(1 / 2).
    bars = (np.abs(columns - 0.5 * rows - 30) < 2).astype(np.float64)
    assert streak_angle(bars) == pytest.approx(np.rad2deg(np.arctan(0.5)), abs=1.0)


@pytest.mark.parametrize("length", [20.0, 40.0])
def test_length_is_measured_along_the_streaks(length: float) -> None:
    width, found = streak_size(streaks(12.0, length), 12.0)
    # The autocorrelation of a box of length L falls to a half at L / 2 on either side.
    assert found == pytest.approx(length, rel=0.12)
    assert width < 5


def test_width_of_bars_is_their_width() -> None:
    bars = np.zeros((200, 200))
    bars[:, ::40] = bars[:, 1::40] = bars[:, 2::40] = bars[:, 3::40] = 1.0
    width, _ = streak_size(bars, 0.0)
    # Less the mean, the correlation of 4 px bars every 40 px falls to a half a little earlier.
    assert 3.4 <= width <= 4.0
    wide, narrow = (streak_size(streaks(0.0, width=w), 0.0)[0] for w in (6.0, 3.0))
    assert wide / narrow == pytest.approx(2, rel=0.15)


def test_coverage_counts_pixels_above_ten_levels() -> None:
    clean = np.full((10, 10, 3), 0.2)
    rainy = clean.copy()
    rainy[:3] += 12 / 255
    rainy[5:] += 8 / 255
    assert coverage(brightening(clean, rainy)) == pytest.approx(0.3)
