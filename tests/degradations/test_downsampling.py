from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.degradations.downsampling import (
    contributions,
    crop_to_multiple,
    cubic_kernel,
    downsample_bicubic,
    resize_bicubic,
    round_to_8_bits,
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def keys(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def reflected(index: int, length: int) -> int:
    while not 0 <= index < length:
        index = -1 - index if index < 0 else 2 * length - 1 - index
    return index


def literal_resize(signal: list[float], scale: float) -> list[float]:
    """One side, one sample at a time: 1-based centres, stretched kernel, mirrored ends."""
    result = []
    for number in range(1, math.ceil(len(signal) * scale) + 1):
        centre = number / scale + 0.5 * (1 - 1 / scale)
        stretch = min(scale, 1)
        total = weight_sum = 0.0
        for position in range(math.floor(centre) - 12, math.floor(centre) + 13):
            weight = stretch * keys(stretch * (centre - position))
            total += weight * signal[reflected(position - 1, len(signal))]
            weight_sum += weight
        result.append(total / weight_sum)
    return result


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 2.0])
@pytest.mark.parametrize("length", [1, 2, 6, 12, 18])
def test_one_side_equals_the_literal_form(scale: float, length: int) -> None:
    signal = np.random.default_rng(length).random(length)
    found = resize_bicubic(np.tile(signal[:, None], (1, 6)), scale)
    assert np.allclose(found[:, 0], literal_resize(signal.tolist(), scale), atol=1e-6)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_both_sides_equal_the_literal_form(scale: float) -> None:
    image = noise(10, 14)[..., 0].astype(np.float64)
    columns = np.array([literal_resize(row.tolist(), scale) for row in image])
    expected = np.array([literal_resize(column.tolist(), scale) for column in columns.T]).T
    assert np.abs(resize_bicubic(image, scale) - expected).max() < 1e-6


def test_impulse_response_is_the_stretched_cubic() -> None:
    # Protocol G.4. An impulse between the output centres meets the kernel at odd quarters.
    image = np.zeros((64, 64), dtype=np.float32)
    image[31, 31] = 1
    small = resize_bicubic(image, 0.5)
    # Output sample k lies at input coordinate 2 k + 0.5.
    weights = np.array([0.5 * keys(0.5 * (2 * k + 0.5 - 31)) for k in range(32)])
    assert np.allclose(small, np.outer(weights, weights), atol=1e-6)
    eighths = np.array([-0.01171875, -0.03515625, 0.11328125, 0.43359375])
    found, _ = contributions(64, 0.5)
    assert np.allclose(found[10], np.concatenate([eighths, eighths[::-1]]))


def test_enlarging_does_not_stretch_the_kernel() -> None:
    weights, indices = contributions(8, 2.0)
    expected = [keys(0.25 - offset) for offset in (-1, 0, 1, 2)]
    row = dict(zip(indices[5].tolist(), weights[5].tolist(), strict=True))
    # Output 5 lies at input coordinate 2.25.
    assert [row[i] for i in (1, 2, 3, 4)] == pytest.approx(expected)


def test_border_samples_are_repeated_not_skipped() -> None:
    _, indices = contributions(6, 0.5)
    assert indices[0].tolist() == [2, 1, 0, 0, 1, 2, 3, 4]
    assert indices[-1].tolist() == [1, 2, 3, 4, 5, 5, 4, 3]


def test_noise_shrinks_by_the_antialiased_factor() -> None:
    white = np.random.default_rng(0).standard_normal((512, 512))
    assert resize_bicubic(white, 0.5).std() == pytest.approx(0.404, abs=0.004)
    weights, _ = contributions(512, 0.5)
    assert float((weights[100] ** 2).sum()) == pytest.approx(0.404, abs=0.0005)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_constants_stay(level: float) -> None:
    image = np.full((12, 8, 3), level, dtype=np.float32)
    assert np.allclose(downsample_bicubic(image, round_8_bits=False), level, atol=1e-6)
    assert np.allclose(resize_bicubic(image, 2.0), level, atol=1e-6)


def test_straight_ramps_stay_straight_away_from_the_border() -> None:
    ramp = np.tile(np.linspace(0, 1, 64)[None, :, None], (16, 1, 3)).astype(np.float32)
    small = downsample_bicubic(ramp, round_8_bits=False)[4, 4:-4, 0]
    assert np.allclose(np.diff(small), 2 / 63, atol=1e-5)
    assert small[0] == pytest.approx((2 * 4 + 0.5) / 63, abs=1e-5)


def test_rounding_is_to_the_nearest_level_halves_upwards() -> None:
    image = noise(32, 32)
    exact = downsample_bicubic(image, round_8_bits=False)
    rounded = downsample_bicubic(image)
    assert np.abs(rounded - exact).max() <= 0.5 / 255 + 1e-6
    assert np.abs(rounded * 255 - np.rint(rounded * 255)).max() < 1e-4
    assert round_to_8_bits(np.array([0.5, 1.5, 2.5]) / 255).tolist() == pytest.approx(
        [1 / 255, 2 / 255, 3 / 255]
    )


def test_overshoot_is_clipped() -> None:
    step = np.zeros((16, 16, 3), dtype=np.float32)
    step[:, 7:] = 1
    for result in (downsample_bicubic(step), downsample_bicubic(step, round_8_bits=False)):
        assert result.min() == 0.0
        assert result.max() == 1.0
    assert resize_bicubic(step, 0.5).min() < -0.01


def test_agrees_with_pillow_away_from_the_border() -> None:
    levels = (noise(40, 56) * 255).astype(np.uint8)
    pillow = np.asarray(Image.fromarray(levels).resize((28, 20), Image.Resampling.BICUBIC))
    ours = np.rint(downsample_bicubic(levels.astype(np.float32) / 255) * 255)
    inner = np.abs(ours - pillow)[3:-3, 3:-3]
    assert inner.max() <= 1


@pytest.mark.parametrize("size", [(321, 480), (320, 481)])
def test_odd_sizes_are_refused_with_the_remedy(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), dtype=np.float32)
    with pytest.raises(ValueError, match=rf"{size[0]}x{size[1]}.*crop_to_multiple"):
        downsample_bicubic(image)
    assert downsample_bicubic(crop_to_multiple(image)).shape == (160, 240, 3)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="float array"):
        downsample_bicubic(np.zeros((4, 4, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="smaller than the multiple"):
        crop_to_multiple(np.zeros((1, 4, 3)))


def test_cubic_kernel_is_keys() -> None:
    points = np.linspace(-2.5, 2.5, 101)
    assert np.allclose(cubic_kernel(points), [keys(x) for x in points])


def test_anchor_of_cbsd68(shared_folder: Path) -> None:
    # Protocol C.4: bicubic down and up of CBSD68 has 28.44 dB on RGB.
    files = sorted((shared_folder / "data" / "cbsd68" / "test" / "clean").glob("*.png"))
    assert len(files) == 68
    values = []
    for file in files:
        clean = crop_to_multiple(np.asarray(Image.open(file), dtype=np.float32) / 255)
        enlarged = resize_bicubic(downsample_bicubic(clean), 2.0).clip(0, 1)
        error = enlarged.astype(np.float64) - clean
        values.append(-10 * np.log10(np.mean(error**2)))
    assert float(np.mean(values)) == pytest.approx(28.44, abs=0.005)
