from __future__ import annotations

import numpy as np
import pytest

from ndr.degradations.gaussian_noise import VARIANTS, add_gaussian_noise
from ndr.nearest_name import UnknownNameError
from ndr.seeds import numpy_generator
from ndr.specs.run_spec import NOISE_VARIANTS

SIDE = 384


def flat(level: float, side: int = SIDE) -> np.ndarray:
    return np.full((side, side, 3), level / 255, dtype=np.float32)


def error_levels(image: np.ndarray, variant: str, sigma: float = 15, seed: int = 0) -> np.ndarray:
    noisy = add_gaussian_noise(image, sigma, variant, np.random.default_rng(seed))
    return (noisy.astype(np.float64) - image) * 255


def psnr(error: np.ndarray) -> float:
    return float(20 * np.log10(255) - 10 * np.log10(np.mean(error**2)))


def test_variants_are_those_of_the_run_spec() -> None:
    assert tuple(VARIANTS) == NOISE_VARIANTS


@pytest.mark.parametrize("variant", ["float_clip", "float_noclip", "uint8_round"])
def test_mid_grey_has_the_psnr_of_the_level(variant: str) -> None:
    # Protocol G.4: 20 log10(255 / 15) = 24.609 dB; the spread over 442,368 draws is 0.01 dB.
    assert psnr(error_levels(flat(128), variant)) == pytest.approx(24.609, abs=0.03)


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_deviation_of_unclipped_noise(sigma: float) -> None:
    error = error_levels(flat(128), "float_noclip", sigma)
    assert error.std() == pytest.approx(sigma, rel=0.005)
    assert abs(error.mean()) < 4 * sigma / np.sqrt(error.size)


def test_truncation_darkens_by_half_a_level_and_rounding_does_not() -> None:
    # Protocol C.1: -0.55 against -0.07 on photographs, a difference of half a level.
    spread = 4 * 15 / np.sqrt(3 * SIDE**2)
    assert error_levels(flat(128), "uint8_trunc").mean() == pytest.approx(-0.5, abs=spread)
    assert error_levels(flat(128), "uint8_round").mean() == pytest.approx(0.0, abs=spread)
    assert error_levels(flat(128), "float_clip").mean() == pytest.approx(0.0, abs=spread)


def test_8_bit_variants_give_whole_levels_and_float_does_not() -> None:
    image = flat(128, 64)
    for variant in VARIANTS:
        levels = add_gaussian_noise(image, 25, variant, np.random.default_rng(1)) * 255.0
        whole = np.abs(levels - np.rint(levels)).max() < 1e-3
        assert whole == variant.startswith("uint8"), variant


@pytest.mark.parametrize(("level", "sign"), [(2, 1), (253, -1)])
def test_clipping_bends_the_mean_at_the_ends_of_the_range(level: float, sign: int) -> None:
    assert sign * error_levels(flat(level, 128), "float_clip").mean() > 3
    noisy = add_gaussian_noise(flat(level, 128), 15, "float_noclip", np.random.default_rng(0))
    assert noisy.min() < 0 or noisy.max() > 1
    clipped = add_gaussian_noise(flat(level, 128), 15, "float_clip", np.random.default_rng(0))
    assert clipped.min() >= 0
    assert clipped.max() <= 1


def test_channels_and_pixels_are_independent() -> None:
    error = error_levels(flat(128), "float_noclip")
    limit = 5 / SIDE
    assert abs(np.corrcoef(error[..., 0].ravel(), error[..., 1].ravel())[0, 1]) < limit
    assert abs(np.corrcoef(error[1:].ravel(), error[:-1].ravel())[0, 1]) < limit


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_no_noise_leaves_8_bit_images_alone(variant: str) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    image = levels.astype(np.float32) / 255
    result = add_gaussian_noise(image, 0, variant, np.random.default_rng(0))
    assert np.array_equal(np.rint(result * 255), levels)
    assert np.abs(result - image).max() < 1e-6


def test_legacy_generator_gives_the_noise_of_the_benchmarks() -> None:
    image = flat(100, 16)
    expected = image + np.random.RandomState(0).randn(16, 16, 3) * 25 / 255
    found = add_gaussian_noise(image, 25, "float_noclip", np.random.RandomState(0))
    assert np.abs(found - expected).max() < 1e-5


def test_noise_depends_on_the_name_alone() -> None:
    image = flat(128, 16)

    def noisy(name: str) -> np.ndarray:
        return add_gaussian_noise(image, 25, "float_clip", numpy_generator(9, "noise", name))

    first = noisy("a")
    other = noisy("b")
    assert np.array_equal(first, noisy("a"))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"variant": "uint8_trun"}, UnknownNameError, "uint8_trunc"),
        ({"sigma": -1}, ValueError, "sigma >= 0"),
        ({"sigma": float("nan")}, ValueError, "sigma >= 0"),
        ({"generator": None}, ValueError, "generator"),
        ({"image": np.zeros((4, 4, 3), dtype=np.uint8)}, TypeError, "divide 8-bit"),
        ({"image": np.full((4, 4, 3), 128.0)}, ValueError, "divide 8-bit"),
        ({"image": np.full((4, 4, 3), np.nan)}, ValueError, "nan"),
        ({"image": np.zeros((3, 4, 4))}, ValueError, r"\(H, W, 3\)"),
    ],
)
def test_bad_input_is_named(changes: dict, error: type[Exception], words: str) -> None:
    arguments = {
        "image": flat(128, 8),
        "sigma": 25,
        "variant": "float_clip",
        "generator": np.random.default_rng(0),
    }
    with pytest.raises(error, match=words):
        add_gaussian_noise(**{**arguments, **changes})
