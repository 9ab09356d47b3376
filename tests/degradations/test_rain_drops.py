from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from ndr.degradations.rain_drops import (
    drop_concentration,
    drop_diameters,
    fall_speed,
    oscillation_frequency,
    size_slope,
    spectrum_mean,
)

RATES = (5.0, 10.0, 25.0, 50.0)


def mean_drop_diameter(rate: float) -> float:
    return spectrum_mean(lambda diameter: diameter, rate)


def marshall_palmer(diameter: float, rate: float) -> float:
    return 8000 * np.exp(-4.1 * rate**-0.21 * diameter)


@pytest.mark.parametrize("rate", RATES)
def test_concentration_is_the_integral_of_the_size_spectrum(rate: float) -> None:
    expected, _ = integrate.quad(marshall_palmer, 0.5, 5.0, args=(rate,))
    assert drop_concentration(rate) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_mean_diameter_is_that_of_the_truncated_exponential(rate: float) -> None:
    total, _ = integrate.quad(marshall_palmer, 0.5, 5.0, args=(rate,))
    moment, _ = integrate.quad(lambda d: d * marshall_palmer(d, rate), 0.5, 5.0)
    assert mean_drop_diameter(rate) == pytest.approx(moment / total, rel=1e-6)
    drawn = drop_diameters(rate, 100_000, np.random.default_rng(0))
    spread = drawn.std() / np.sqrt(len(drawn))
    assert drawn.mean() == pytest.approx(moment / total, abs=4 * spread)


@pytest.mark.parametrize("rate", RATES)
def test_spectrum_mean_is_the_integral_over_the_spectrum(rate: float) -> None:
    def volume_rate(diameter: float) -> float:
        return fall_speed(diameter) * diameter**3

    total, _ = integrate.quad(marshall_palmer, 0.5, 5.0, args=(rate,))
    flux, _ = integrate.quad(lambda d: volume_rate(d) * marshall_palmer(d, rate), 0.5, 5.0)
    assert spectrum_mean(volume_rate, rate) == pytest.approx(flux / total, rel=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_drawn_diameters_follow_the_spectrum(rate: float) -> None:
    drawn = drop_diameters(rate, 20_000, np.random.default_rng(1))
    assert drawn.min() >= 0.5
    assert drawn.max() <= 5.0
    slope = size_slope(rate)
    expected = stats.truncexpon(b=4.5 * slope, loc=0.5, scale=1 / slope)
    assert stats.kstest(drawn, expected.cdf).pvalue > 1e-3
    # The same test sees a neighbouring rate.
    other = stats.truncexpon(b=4.5 * size_slope(2 * rate), loc=0.5, scale=1 / size_slope(2 * rate))
    assert stats.kstest(drawn, other.cdf).pvalue < 1e-6


def test_heavier_rain_has_more_and_larger_drops() -> None:
    assert (np.diff([drop_concentration(rate) for rate in RATES]) > 0).all()
    assert (np.diff([mean_drop_diameter(rate) for rate in RATES]) > 0).all()


def test_fall_speed_at_measured_points() -> None:
    # Gunn and Kinzer 1949, which the formula fits: 4.03, 6.49, 8.06, 8.83, 9.09 m/s.
    measured = np.array([4.03, 6.49, 8.06, 8.83, 9.09])
    assert np.allclose(fall_speed(np.arange(1.0, 6.0)), measured, rtol=0.02)
    assert (np.diff(fall_speed(np.linspace(0.5, 5, 50))) > 0).all()


def test_oscillation_is_rayleighs() -> None:
    expected = np.sqrt(8 * 0.0728 / (998 * 0.0005**3)) / (2 * np.pi)
    found = oscillation_frequency(np.array([1.0, 4.0]))
    assert found[0] == pytest.approx(expected)
    # Proportional to D^(-3/2).
    assert found[0] / found[1] == pytest.approx(8.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_bad_rate_is_named(rate: float) -> None:
    with pytest.raises(ValueError, match="rate above 0"):
        drop_diameters(rate, 3, np.random.default_rng(0))
