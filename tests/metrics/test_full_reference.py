"""PSNR and SSIM against independent implementations, a literal loop and closed cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ndr.metrics import full_reference
from ndr.metrics.full_reference import psnr, ssim
from tests.call_counts import function_calls


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A photograph's patch, and the same with noise (71 x 53 pixels, odd on purpose)."""
    from skimage.data import astronaut

    clean = astronaut()[100:171, 180:233] / 255.0
    noise = np.random.default_rng(3).normal(scale=25 / 255, size=clean.shape)
    return np.clip(clean + noise, 0, 1), clean


def literal_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """The definition window by window: weighted moments about the window's own mean."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            variance_a = (weights * (a - mean_a) ** 2).sum()
            variance_b = (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            structure = (2 * covariance + 9e-4) / (variance_a + variance_b + 9e-4)
            values.append(luminance * structure)
    return float(np.mean(values))


def test_psnr_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    restored, clean = pair
    expected = peak_signal_noise_ratio(clean, restored, data_range=1)
    assert psnr(restored, clean) == pytest.approx(expected, abs=1e-10)
    assert psnr(255 * restored, 255 * clean, peak=255) == pytest.approx(expected, abs=1e-10)


def test_gaussian_ssim_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    restored, clean = pair
    expected = structural_similarity(
        clean,
        restored,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(restored, clean, "gaussian") == pytest.approx(expected, abs=1e-10)


def test_uniform_ssim_equals_the_defaults_of_scikit_image(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    restored, clean = pair
    expected = structural_similarity(clean, restored, data_range=1, channel_axis=2)
    assert ssim(restored, clean, "uniform") == pytest.approx(expected, abs=1e-10)
    assert abs(expected - ssim(restored, clean, "gaussian")) > 1e-3  # the windows do differ


def test_gaussian_ssim_equals_the_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    restored, clean = (image[:24, :30] for image in pair)
    channels = [literal_ssim(restored[..., c], clean[..., c]) for c in range(3)]
    assert ssim(restored, clean) == pytest.approx(np.mean(channels), abs=1e-12)
    assert ssim(restored[..., 1], clean[..., 1]) == pytest.approx(channels[1], abs=1e-12)


def test_ssim_does_not_depend_on_the_scale_of_the_values(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    restored, clean = pair
    for window in ("gaussian", "uniform"):
        assert ssim(255 * restored, 255 * clean, window, peak=255) == pytest.approx(
            ssim(restored, clean, window), abs=1e-12
        )


def test_closed_cases() -> None:
    grey = np.full((16, 20, 3), 0.5)
    for error in (1 / 255, 0.01, 0.25):
        assert psnr(grey + error, grey) == pytest.approx(-20 * math.log10(error), abs=1e-9)
        means = (2 * 0.5 * (0.5 + error) + 1e-4) / (0.25 + (0.5 + error) ** 2 + 1e-4)
        for window in ("gaussian", "uniform"):
            assert ssim(grey + error, grey, window) == pytest.approx(means, abs=1e-9)


def test_identical_images_are_perfect_to_the_last_bit(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    for image in pair:
        assert psnr(image, image) == math.inf
        assert ssim(image, image, "gaussian") == 1.0
        assert ssim(image, image, "uniform") == 1.0


@pytest.mark.parametrize("pixels", [1, 300, 2000, 4000])
@pytest.mark.parametrize("metric", [psnr, ssim, partial(ssim, window="uniform")])
def test_a_large_image_measured_in_bands_has_the_same_value(
    pair: tuple[np.ndarray, np.ndarray],
    metric: Callable[..., float],
    pixels: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = metric(*pair)
    monkeypatch.setattr(full_reference, "BAND_PIXELS", pixels)
    assert metric(*pair) == pytest.approx(whole, rel=1e-12)
    assert metric(pair[0], pair[0]) == (math.inf if metric is psnr else 1.0)


def test_the_metrics_are_symmetric(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert psnr(*pair) == psnr(*pair[::-1])
    assert ssim(*pair) == ssim(*pair[::-1])


def test_single_precision_images_are_measured_in_double(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    restored, clean = (image.astype(np.float32) for image in pair)
    as_double = restored.astype(np.float64), clean.astype(np.float64)
    assert psnr(restored, clean) == psnr(*as_double)
    assert ssim(restored, clean) == ssim(*as_double)


def test_wrong_sizes_are_named() -> None:
    image = np.zeros((16, 16, 3))
    with pytest.raises(ValueError, match=r"\(16, 15, 3\) \(restored\) and \(16, 16, 3\)"):
        psnr(image[:, :15], image)
    with pytest.raises(ValueError, match="one size"):
        ssim(image[..., :1], image)
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, found 16 x 10"):
        ssim(image[:10], image[:10])
    assert ssim(image[:7, :7], image[:7, :7], "uniform") == 1.0


def test_a_window_is_two_filters_along_one_axis_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What SSIM costs: four local means per channel, 11 + 11 products per pixel, not 121."""
    filters: list[str] = []
    places = {"_gaussian_mean": full_reference, "uniform_filter1d": scipy.ndimage}
    for name, place in places.items():
        original = getattr(place, name)

        def counted(*given: Any, _run: Any = original, _name: str = name, **named: Any) -> Any:
            filters.append(_name)
            return _run(*given, **named)

        monkeypatch.setattr(place, name, counted)
    images = np.random.default_rng(0).random((2, 64, 48, 3))
    for window, name in (("gaussian", "_gaussian_mean"), ("uniform", "uniform_filter1d")):
        filters.clear()
        ssim(images[0], images[1], window)
        assert filters == [name] * (3 * 4 * 2)
    small, large = (function_calls(ssim, *images[:, :side]) for side in (16, 64))
    assert small == large


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(11, 12), (64, 48), (256, 256)])
def test_the_gaussian_mean_is_that_of_scipy(shape: tuple[int, int], axis: int) -> None:
    values = np.random.default_rng(0).random(shape)
    weights = full_reference._gaussian_weights()
    inside = (slice(5, -5), slice(None))[:: 1 if axis == 0 else -1]
    expected = scipy.ndimage.correlate1d(values, weights, axis=axis)[inside]
    # To the bit, but where a compiler has joined a product and a sum.
    found = full_reference._gaussian_mean(values, axis)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_have_no_quality(metric: Callable, bad: float) -> None:
    """The similarity of an image with NaN was 1.0: as good as the truth itself."""
    clean = np.full((16, 16, 3), 0.5)
    restored = clean.copy()
    restored[3, 4, 1] = bad
    with pytest.raises(ValueError, match="1 value of the restored image is not finite"):
        metric(restored, clean)
