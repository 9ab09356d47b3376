"""The protocols: what each looks at, and what the choices are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ndr.data.prepare import SMALLEST_SIDE
from ndr.metrics.metric import METRICS, ImageTooSmallError
from ndr.metrics.protocol import PROTOCOLS, luma, protocol
from ndr.nearest_name import UnknownNameError

METRICS_WITH_REFERENCE = tuple(name for name, one in METRICS.items() if one.needs_reference)
LUMA_GAP = 20 * math.log10(255 / 219)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """8-bit levels, 117 x 90 pixels."""
    from skimage.data import astronaut

    return astronaut()[20:137, 180:270]


@pytest.fixture(scope="module")
def restored(photograph: np.ndarray) -> np.ndarray:
    """A float output with errors of the size that good methods have, some outside [0, 1]."""
    noise = np.random.default_rng(1).normal(scale=3 / 255, size=photograph.shape)
    return (photograph / 255 + noise).astype(np.float32)


def gaussian_ssim(x: np.ndarray, y: np.ndarray, data_range: float) -> float:
    return structural_similarity(
        x,
        y,
        data_range=data_range,
        channel_axis=2 if x.ndim == 3 else None,
        gaussian_weights=True,
        use_sample_covariance=False,
    )


def test_the_shortest_side_is_measured_and_a_shorter_one_is_refused() -> None:
    chance = np.random.default_rng(3)
    sides = {name: each.least_side for name, each in PROTOCOLS.items()}
    assert sides == {"ndr": 11, "airnet": 16, "restormer_y": 11, "sr_y": 15, "rgb_uint8": 11}
    assert max(sides.values()) == SMALLEST_SIDE  # what preparation warns of
    for name, side in sides.items():
        for height, width in ((side, side + 9), (side + 9, side)):
            clean = chance.random((height, width, 3))
            assert PROTOCOLS[name].compare(clean, clean)["SSIM"] == 1.0
            short = clean[: side - 1] if height == side else clean[:, : side - 1]
            with pytest.raises(ImageTooSmallError):
                PROTOCOLS[name].compare(short, short)


def test_ndr_clips_and_does_not_round(photograph: np.ndarray, restored: np.ndarray) -> None:
    clean = (photograph / 255).astype(np.float32)
    output = np.clip(restored, 0, 1).astype(np.float64)
    assert (output != restored).any()
    found = protocol("ndr").compare(restored, clean)
    expected = 10 * math.log10(1 / np.mean((output - clean) ** 2))
    assert found["PSNR"] == pytest.approx(expected, abs=1e-9)
    assert found["SSIM"] == pytest.approx(
        gaussian_ssim(output, clean.astype(np.float64), 1), abs=1e-9
    )


def test_airnet_crops_the_centre_to_multiples_of_16(
    photograph: np.ndarray, restored: np.ndarray
) -> None:
    clean = photograph / 255
    # 117 = 112 + 5, of which 2 go at the top; 90 = 80 + 10, of which 5 go at the left.
    output, truth = (np.clip(image, 0, 1)[2:114, 5:85] for image in (restored, clean))
    output = output.astype(np.float64)
    found = protocol("airnet").compare(restored, clean)
    assert found["PSNR"] == pytest.approx(
        peak_signal_noise_ratio(truth, output, data_range=1), abs=1e-9
    )
    assert found["SSIM"] == pytest.approx(
        structural_similarity(truth, output, data_range=1, channel_axis=2), abs=1e-9
    )


def test_restormer_y_rounds_output_and_luma(photograph: np.ndarray, restored: np.ndarray) -> None:
    output = np.rint(np.clip(restored, 0, 1).astype(np.float64) * 255).astype(np.uint8)
    # scikit-image's conversion is the same matrix, not rounded.
    levels = [np.rint(rgb2ycbcr(image)[..., 0]) for image in (output, photograph)]
    found = protocol("restormer_y").compare(restored, photograph / 255)
    assert found["PSNR"] == pytest.approx(
        peak_signal_noise_ratio(levels[1], levels[0], data_range=255), abs=1e-9
    )
    assert found["SSIM"] == pytest.approx(gaussian_ssim(*levels, 255), abs=1e-9)


def test_sr_y_leaves_two_border_pixels_out(photograph: np.ndarray, restored: np.ndarray) -> None:
    output = np.rint(np.clip(restored, 0, 1).astype(np.float64) * 255).astype(np.uint8)
    levels = [rgb2ycbcr(image)[2:-2, 2:-2, 0] for image in (output, photograph)]
    found = protocol("sr_y").compare(restored, photograph / 255)
    assert found["PSNR"] == pytest.approx(
        peak_signal_noise_ratio(levels[1], levels[0], data_range=255), abs=1e-9
    )
    assert found["SSIM"] == pytest.approx(gaussian_ssim(*levels, 255), abs=1e-9)
    spoilt = restored.copy()
    spoilt[:2], spoilt[:, -2:] = 1 - spoilt[:2], 1 - spoilt[:, -2:]
    assert protocol("sr_y").compare(spoilt, photograph / 255) == found
    assert protocol("ndr").compare(spoilt, photograph / 255)["PSNR"] < found["PSNR"]


def test_rgb_uint8_rounds_the_output(photograph: np.ndarray, restored: np.ndarray) -> None:
    output = np.rint(np.clip(restored, 0, 1).astype(np.float64) * 255).astype(np.uint8)
    found = protocol("rgb_uint8").compare(restored, photograph / 255)
    assert found["PSNR"] == pytest.approx(peak_signal_noise_ratio(photograph, output), abs=1e-9)
    assert found["SSIM"] == pytest.approx(
        gaussian_ssim(output.astype(np.float64), photograph.astype(np.float64), 255), abs=1e-9
    )
    assert found["PSNR"] != protocol("ndr").compare(restored, photograph / 255)["PSNR"]


@pytest.mark.parametrize(("quality", "expected"), [(34.0, 0.014), (38.0, 0.035)])
def test_what_rounding_to_8_bits_costs(
    photograph: np.ndarray, quality: float, expected: float
) -> None:
    """Protocol section D.2: the error of rounding, 1/12 of a squared level, on top of the rest."""
    clean = 0.2 + 0.6 * (photograph / 255)  # away from the ends: clipping is not the subject
    clean = np.rint(clean * 255) / 255
    noise = np.random.default_rng(4).normal(scale=10 ** (-quality / 20), size=clean.shape)
    scores = [protocol(name).compare(clean + noise, clean) for name in ("ndr", "rgb_uint8")]
    assert scores[0]["PSNR"] == pytest.approx(quality, abs=0.1)
    assert scores[0]["PSNR"] - scores[1]["PSNR"] == pytest.approx(expected, abs=0.006)


def test_grey_errors_gain_the_luma_gap(photograph: np.ndarray) -> None:
    """Whole levels, the same in the three channels: nothing is rounded or clipped anywhere."""
    clean = np.clip(photograph, 20, 230) / 255
    error = np.random.default_rng(2).integers(-19, 20, size=(*clean.shape[:2], 1)) / 255
    inside = slice(2, -2)
    rgb = protocol("rgb_uint8").compare((clean + error)[inside, inside], clean[inside, inside])
    on_luma = protocol("sr_y").compare(clean + error, clean)
    assert on_luma["PSNR"] - rgb["PSNR"] == pytest.approx(LUMA_GAP, abs=1e-9)
    # Rounding the luma to levels moves it a little.
    rounded = protocol("restormer_y").compare(clean + error, clean)["PSNR"]
    whole = protocol("rgb_uint8").compare(clean + error, clean)["PSNR"]
    assert rounded - whole == pytest.approx(LUMA_GAP, abs=0.02)
    assert rounded - whole != LUMA_GAP


def test_luma_equals_the_matrix_of_scikit_image(photograph: np.ndarray) -> None:
    np.testing.assert_allclose(luma(photograph / 255), rgb2ycbcr(photograph)[..., 0], atol=1e-9)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_contract_of_every_protocol(name: str, photograph: np.ndarray) -> None:
    clean = (photograph / 255).astype(np.float32)
    each = protocol(name)
    assert each.name == name
    assert each.description
    perfect = each.compare(clean, clean)
    assert (perfect["PSNR"], perfect["SSIM"]) == (math.inf, 1.0)
    before = clean.copy()
    scores = []
    for level in (2, 8, 32):
        noise = np.random.default_rng(0).normal(scale=level / 255, size=clean.shape)
        score = each.compare(clean + noise.astype(np.float32), clean)
        assert tuple(score) == METRICS_WITH_REFERENCE
        assert all(type(value) is float for value in score.values())
        scores.append(score)
    for metric in METRICS_WITH_REFERENCE:
        first, second, third = (METRICS[metric].goodness(score[metric]) for score in scores)
        assert first > second > third
    np.testing.assert_array_equal(clean, before)
    # Values outside [0, 1] are clipped in every protocol.
    white = np.ones_like(clean)
    assert each.compare(white + 0.5, white)["PSNR"] == math.inf


def test_too_small_an_image_is_refused() -> None:
    small = np.zeros((12, 12, 3))
    assert protocol("ndr").compare(small, small)["SSIM"] == 1.0
    with pytest.raises(ValueError, match="at least 11 x 11"):
        protocol("sr_y").compare(small, small)
    with pytest.raises(ValueError, match="airnet: nothing is left of 12 x 12"):
        protocol("airnet").compare(small, small)


def test_misspelt_protocol_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'restormer_y'"):
        protocol("restormer")


@pytest.mark.slow
def test_protocols_equal_pyiqa(photograph: np.ndarray, restored: np.ndarray) -> None:
    """pyiqa with matching options.

    Its `ssim` takes the luma of YIQ unless told `ycbcr`, rounds luma and RGB to whole levels, and
    cuts off negative covariance, which this output (an error of 3 levels on a photograph) has in
    flat windows only; its `psnr` adds 1e-8 to the mean squared error.
    """
    pyiqa = pytest.importorskip("pyiqa")
    import torch

    rounded = np.rint(np.clip(restored, 0, 1).astype(np.float64) * 255) / 255
    pair = [
        torch.from_numpy(i).permute(2, 0, 1)[None].double() for i in (rounded, photograph / 255)
    ]

    def theirs(name: str, **options: object) -> float:
        return float(pyiqa.create_metric(name, device="cpu", **options)(*pair))

    def with_their_constant(decibels: float) -> float:
        return -10 * math.log10(10 ** (-decibels / 10) + 1e-8)

    scores = {name: each.compare(restored, photograph / 255) for name, each in PROTOCOLS.items()}
    assert with_their_constant(scores["rgb_uint8"]["PSNR"]) == pytest.approx(
        theirs("psnr"), abs=1e-5
    )
    assert with_their_constant(scores["sr_y"]["PSNR"]) == pytest.approx(
        theirs("psnry", color_space="ycbcr", crop_border=2), abs=1e-5
    )
    assert scores["restormer_y"]["SSIM"] == pytest.approx(
        theirs("ssim", color_space="ycbcr"), abs=1e-5
    )
    assert scores["rgb_uint8"]["SSIM"] == pytest.approx(
        theirs("ssim", test_y_channel=False), abs=1e-5
    )


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_pixels_of_eight_bits_are_refused(name: str) -> None:
    """They would be clipped to 0 and 1 without a word."""
    clean = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    with pytest.raises(TypeError, match=r"found uint8; divide 8-bit pixels by 255"):
        protocol(name).compare(clean, clean)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_pixels_that_are_no_numbers_are_refused(name: str, bad: float) -> None:
    """Infinity would be clipped to white, wherever in the image it stands."""
    clean = np.full((32, 32, 3), 0.5)
    restored = clean.copy()
    restored[16, 16, 0] = bad
    for pair in ((restored, clean), (clean, restored)):
        with pytest.raises(ValueError, match="found 1 value that is not finite"):
            protocol(name).compare(*pair)
