from __future__ import annotations

import numpy as np
import pytest

from ndr.degradations.streak_rendering import STEEPEST_SLANT, Streaks, render_streaks


def streak(**changes: float) -> Streaks:
    values = {
        "x": 30.3,
        "y": 32.2,
        "length": 30.0,
        "width": 3.0,
        "angle": 0.0,
        "brightness": 1.0,
        "cycles": 0.0,
        "phase": 0.0,
    }
    values.update(changes)
    return Streaks(**{name: np.array([value]) for name, value in values.items()})


def brute_force(one: Streaks, side: int, samples: int = 16) -> np.ndarray:
    """Chord of a moving disc, at many points of each pixel; the ends as sharp cuts."""
    fine = (np.arange(side * samples) + 0.5) / samples
    y, x = np.meshgrid(fine - one.y[0], fine - one.x[0], indexing="ij")
    slant = np.deg2rad(one.angle[0])
    along = x * np.sin(slant) + y * np.cos(slant)
    across = x * np.cos(slant) - y * np.sin(slant)
    chord = np.sqrt(np.clip(1 - (2 * across / one.width[0]) ** 2, 0, 1))
    chord *= np.abs(along) <= 0.5 * one.length[0]
    return chord.reshape(side, samples, side, samples).mean(axis=(1, 3))


@pytest.mark.parametrize("angle", [0.0, 17.0, -30.0])
@pytest.mark.parametrize("width", [0.3, 0.9, 2.5, 6.0])
def test_equals_a_finely_sampled_moving_disc(angle: float, width: float) -> None:
    one = streak(angle=angle, width=width)
    found, expected = render_streaks(one, 64, 64), brute_force(one, 64)
    rows = slice(22, 42)  # the middle of the streak, away from its ends
    assert np.abs(found[rows] - expected[rows]).max() < 0.12
    # A row is sampled at its middle; summed over the columns that is exact.
    assert np.allclose(found[rows].sum(axis=1), expected[rows].sum(axis=1), rtol=0.02, atol=0.01)
    assert found.sum() == pytest.approx(expected.sum(), rel=0.03)


@pytest.mark.parametrize("width", [0.1, 0.5, 1.0, 2.0, 7.0])
@pytest.mark.parametrize("x", [30.0, 30.25, 30.5, 30.99])
def test_light_is_area_times_mean_chord_wherever_the_streak_lies(width: float, x: float) -> None:
    total = render_streaks(streak(width=width, x=x), 64, 64).sum()
    assert total == pytest.approx(np.pi / 4 * width * 30.0, rel=0.01)


def test_a_thin_drop_keeps_its_width_of_a_pixel_and_dims() -> None:
    thin = render_streaks(streak(width=0.2, x=30.5), 64, 64)
    thick = render_streaks(streak(width=0.8, x=30.5), 64, 64)
    assert (thin[32] > 0).sum() == (thick[32] > 0).sum() == 1
    assert thick[32].max() / thin[32].max() == pytest.approx(4.0, rel=1e-4)


def test_length_width_and_angle_are_as_asked() -> None:
    picture = render_streaks(streak(length=40, width=2, angle=25), 96, 96)
    rows, columns = np.nonzero(picture > 0.3)
    assert rows.max() - rows.min() + 1 == pytest.approx(40 * np.cos(np.deg2rad(25)), abs=2)
    slope = np.polyfit(rows, columns, 1)[0]
    assert np.rad2deg(np.arctan(slope)) == pytest.approx(25, abs=0.7)


def test_peak_is_the_brightness_of_a_wide_streak() -> None:
    picture = render_streaks(streak(width=9, brightness=0.6, x=30.5), 64, 64)
    assert picture.max() == pytest.approx(0.6, abs=0.01)


def test_streaks_add_up() -> None:
    first, second = streak(angle=20.0), streak(angle=-20.0, x=33.0)
    both = Streaks(
        *(np.concatenate([getattr(s, n) for s in (first, second)]) for n in Streaks.__slots__)
    )
    expected = render_streaks(first, 64, 64) + render_streaks(second, 64, 64)
    assert np.allclose(render_streaks(both, 64, 64), expected, atol=1e-6)


@pytest.mark.parametrize(("x", "y"), [(0.0, 32.0), (63.9, 32.0), (30.0, -5.0), (30.0, 66.0)])
def test_what_leaves_the_picture_is_cut_and_does_not_wrap(x: float, y: float) -> None:
    # The same streak inside a larger picture, cut out.
    large = render_streaks(streak(x=x + 40, y=y + 40, angle=20), 144, 144)
    found = render_streaks(streak(x=x, y=y, angle=20), 64, 64)
    assert found.sum() > 0
    assert np.allclose(found, large[40:104, 40:104], atol=1e-4)


def test_nothing_is_drawn_of_streaks_far_outside() -> None:
    assert render_streaks(streak(x=-500, y=900), 64, 64).max() == 0


def test_oscillation_has_the_asked_period_and_keeps_the_mean() -> None:
    quiet = render_streaks(streak(length=48, x=30.5), 64, 64)
    wobbling = render_streaks(streak(length=48, x=30.5, cycles=6.0), 64, 64, modulation=0.3)
    ratio = wobbling[12:52, 30] / quiet[12:52, 30]
    spectrum = np.abs(np.fft.rfft(ratio - ratio.mean()))
    assert np.argmax(spectrum) == 40 // (48 // 6)
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    assert ratio.max() == pytest.approx(1.3, abs=0.03)


def test_no_streaks_give_an_empty_picture() -> None:
    none = streak().select(np.array([False]))
    assert render_streaks(none, 8, 8).tolist() == np.zeros((8, 8)).tolist()


def test_too_slanted_streaks_are_refused() -> None:
    with pytest.raises(ValueError, match="degrees from vertical"):
        render_streaks(streak(angle=STEEPEST_SLANT + 1), 8, 8)
