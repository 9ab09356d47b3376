from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2xyz

from ndr.degradations.exposure import (
    CONTRASTS,
    MSEC_EXPOSURE_VALUES,
    ExposureParameters,
    draw_exposure_parameters,
    expose,
    to_linear_light,
    to_srgb,
    tone_curve,
)
from ndr.degradations.synthesis import synthesise


def picture(side: int = 40) -> np.ndarray:
    """Every 8-bit level occurs."""
    levels = np.random.default_rng(0).integers(0, 256, (side, side, 3))
    levels.ravel()[:256] = np.arange(256)
    return levels.astype(np.float32) / np.float32(255)


def exposed(ev: float, contrast: float = 1.0, round_8_bits: bool = False) -> np.ndarray:
    return expose(picture(), ExposureParameters(ev, contrast, round_8_bits))


def test_neutral_rendering_at_0_ev_is_the_picture_itself() -> None:
    assert np.abs(exposed(0.0) - picture()).max() < 1e-6
    assert np.array_equal(exposed(0.0, round_8_bits=True), picture())


@pytest.mark.parametrize("ev", [-1.5, -1.0, 1.0, 1.5])
def test_linear_light_is_multiplied_below_clipping(ev: float) -> None:
    before, after = to_linear_light(picture()), to_linear_light(exposed(ev))
    unclipped = before * 2**ev < 1
    assert np.allclose(after[unclipped], before[unclipped] * 2**ev, atol=1e-6)
    assert (exposed(ev)[~unclipped] == 1).all()
    assert unclipped.all() == (ev < 0)


def test_plus_one_ev_doubles_light() -> None:
    # sRGB 188 of 255 is twice the light of 137 (0.5029 and 0.2502 on the curve of the standard).
    image = np.full((2, 2, 3), 137 / 255, dtype=np.float32)
    assert np.all(expose(image, ExposureParameters(1.0)) * 255 == pytest.approx(188, abs=0.51))


def test_transfer_function_is_that_of_an_independent_implementation() -> None:
    # XYZ's Y is 0.212671 R + 0.715160 G + 0.072169 B in linear light.
    luminance = rgb2xyz(picture().astype(np.float64))[..., 1]
    expected = to_linear_light(picture().astype(np.float64)) @ [0.212671, 0.715160, 0.072169]
    assert np.allclose(luminance, expected, atol=1e-6)
    assert np.allclose(to_srgb(to_linear_light(picture())), picture(), atol=1e-6)


def test_tone_curve_keeps_black_grey_and_white_and_inverts() -> None:
    v = np.linspace(0, 1, 101)
    for contrast in CONTRASTS:
        bent = tone_curve(v, contrast)
        assert bent[[0, 50, 100]].tolist() == pytest.approx([0, 0.5, 1])
        assert (np.diff(bent) > 0).all()
        assert (bent[51] - bent[49]) / 0.02 == pytest.approx(contrast, rel=0.01)
        assert np.allclose(tone_curve(bent, 1 / contrast), v)


def test_contrast_spreads_levels_around_the_middle() -> None:
    assert exposed(0.0, 1.25).std() > exposed(0.0).std() > exposed(0.0, 0.8).std()


def test_under_exposure_leaves_few_levels() -> None:
    levels = np.unique(exposed(-1.5, round_8_bits=True))
    assert np.allclose(levels * 255, np.rint(levels * 255), atol=1e-4)
    assert round(float(levels.max()) * 255) == 160  # 1.055 * 2^(-1.5 / 2.4) - 0.055 = 0.629
    assert len(levels) <= 161
    assert len(np.unique(exposed(0.0, round_8_bits=True))) == 256


def test_draws_are_msecs_values_and_the_range_of_renderings() -> None:
    generator = np.random.default_rng(0)
    draws = [draw_exposure_parameters(generator) for _ in range(300)]
    counts = [sum(draw.ev == ev for draw in draws) for ev in MSEC_EXPOSURE_VALUES]
    assert sum(counts) == 300
    assert min(counts) > 35  # 60 each, deviation 7
    contrasts = [draw.contrast for draw in draws]
    assert CONTRASTS[0] <= min(contrasts) < 0.82
    assert 1.2 < max(contrasts) <= CONTRASTS[1]


def test_synthesis_takes_the_exposure_value() -> None:
    image = picture()
    dark, record = synthesise("exposure", image, np.random.default_rng(0), ev=-1.5)
    assert record["ev"] == -1.5
    assert record["round_8_bits"] is True
    assert np.array_equal(dark, expose(image, ExposureParameters(**record)))
    # The rendering is drawn the same whether the value is given or drawn.
    _, drawn = synthesise("exposure", image, np.random.default_rng(0))
    assert drawn["contrast"] == record["contrast"]
    values = {synthesise("exposure", image, np.random.default_rng(k))[1]["ev"] for k in range(40)}
    assert values == set(MSEC_EXPOSURE_VALUES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ev": 12.0}, "ev within 8"),
        ({"ev": float("nan")}, "ev within 8"),
        ({"ev": 1.0, "contrast": 0.0}, "contrast above 0"),
    ],
)
def test_bad_parameters_are_named(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ExposureParameters(**arguments)
