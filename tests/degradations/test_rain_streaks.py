from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from ndr.degradations.rain_drops import fall_speed
from ndr.degradations.rain_streaks import (
    ANGLES,
    COMPOSITES,
    DENSITY_LIMITS,
    RAIN_RATES,
    RainParameters,
    add_rain,
    composite_add,
    composite_alpha,
    composite_screen,
    defocus_deviation,
    draw_rain_parameters,
    draw_streaks,
    streak_layer,
)
from ndr.degradations.synthesis import synthesise
from ndr.nearest_name import UnknownNameError
from tests.call_counts import function_calls

RAIN = RainParameters(rate=25, exposure=1 / 100, focal_length=700, angle=10, strength=0.5)


def grey(side: int = 192, level: float = 0.3) -> np.ndarray:
    return np.full((side, side, 3), level, dtype=np.float32)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


def drops(parameters: RainParameters, depths: tuple[float, float] = (1.0, 1.4), seed: int = 0):
    return draw_streaks((600, 600), depths, parameters, np.random.default_rng(seed))


def test_size_of_a_streak_is_that_of_a_pinhole_camera() -> None:
    # A layer so thin that all drops have one depth: width = D f / z tells D.
    depths = (1.2, 1.2 + 1e-4)
    parameters = replace(RAIN, layer_edges=depths, focal_length=60)
    streaks = draw_streaks((1500, 1500), depths, parameters, np.random.default_rng(2))
    assert len(streaks.x) > 1000
    diameter = streaks.width * 1.2 / (1e-3 * 60)
    assert diameter.min() == pytest.approx(0.5, abs=0.01)
    assert diameter.max() < 5.001
    # length = v(D) T f / z
    assert np.allclose(streaks.length, fall_speed(diameter) * 0.01 * 60 / 1.2, rtol=1e-3)


def test_number_of_streaks_is_poisson_with_the_viewed_volume() -> None:
    counts = [len(drops(RAIN, seed=seed).x) for seed in range(60)]
    margin = 0.5 * fall_speed(np.array(5.0)) * 0.01 * 700 / 1.0 + 5e-3 * 700 / 1.0
    share = (1.4**3 - 1.0) / (RAIN.layer_edges[-1] ** 3 - RAIN.layer_edges[0] ** 3)
    mean = RAIN.seed_density * share * (600 + 2 * margin) ** 2
    assert np.mean(counts) == pytest.approx(mean, abs=4 * np.sqrt(mean / 60))
    assert 0.6 < np.var(counts) / mean < 1.6


def test_seed_density_is_concentration_times_volume_within_the_practical_limits() -> None:
    # 1354 drops in a cubic metre at 25 mm/h, pyramid of 0.75..2 m behind a pixel of 1/700.
    assert RAIN.seed_density == pytest.approx(1354 * (8 - 0.421875) / (3 * 700**2), rel=0.01)
    densities = [
        replace(draw_rain_parameters(np.random.default_rng(seed)), coverage=None).seed_density
        for seed in range(300)
    ]
    assert DENSITY_LIMITS[0] <= min(densities)
    assert max(densities) <= DENSITY_LIMITS[1]
    # The limits are the exception, not the rule.
    assert np.mean(np.isin(densities, DENSITY_LIMITS)) < 0.2


def test_coverage_is_the_sum_of_the_streaks_areas() -> None:
    parameters = replace(RAIN, coverage=0.06, exposure=1 / 60)
    size, total = 1500, 0.0
    for depths in itertools.pairwise(parameters.layer_edges):
        for seed in range(3):
            streaks = draw_streaks((size, size), depths, parameters, np.random.default_rng(seed))
            middle = (np.abs(streaks.x - size / 2) < size / 2) & (
                np.abs(streaks.y - size / 2) < size / 2
            )
            total += np.sum(((streaks.length + streaks.width) * streaks.width)[middle])
    assert total / (3 * size**2) == pytest.approx(0.06, rel=0.02)


def test_brightness_spreads_log_normally_and_keeps_its_mean() -> None:
    streaks = draw_streaks(
        (2000, 2000), (1.0, 1.4), replace(RAIN, brightness_spread=0.8), np.random.default_rng(0)
    )
    count = len(streaks.brightness)
    deviation = np.sqrt(np.exp(0.64) - 1)
    assert streaks.brightness.mean() == pytest.approx(1, abs=4 * deviation / np.sqrt(count))
    assert np.log(streaks.brightness).std() == pytest.approx(0.8, rel=0.05)
    assert np.all(drops(RAIN).brightness == 1)


def test_depths_fill_space_evenly() -> None:
    parameters = replace(RAIN, focal_length=60, veil=1.0)
    streaks = draw_streaks((2000, 2000), (0.75, 2.0), parameters, np.random.default_rng(0))
    depth = -np.log(streaks.brightness)  # extinction of 1 per metre
    assert depth.min() > 0.75
    assert depth.max() < 2.0
    # Share within z: (z^3 - near^3) / (far^3 - near^3).
    for limit in (1.0, 1.5):
        expected = (limit**3 - 0.75**3) / (8 - 0.75**3)
        assert np.mean(depth < limit) == pytest.approx(expected, abs=4 * np.sqrt(0.25 / len(depth)))


def test_directions_scatter_by_two_degrees_around_one_angle() -> None:
    streaks = draw_streaks(
        (2000, 2000), (1.0, 1.4), replace(RAIN, focal_length=100), np.random.default_rng(0)
    )
    count = len(streaks.angle)
    assert streaks.angle.mean() == pytest.approx(10, abs=4 * 2 / np.sqrt(count))
    assert streaks.angle.std() == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("angle", [-30.0, -12.0, 0.0, 25.0])
def test_direction_of_the_rain_can_be_measured_in_the_picture(angle: float) -> None:
    layer = streak_layer(256, 256, replace(RAIN, angle=angle), np.random.default_rng(3))
    # Gaussian derivatives: differences of neighbours are not isotropic for streaks this thin.
    slopes = [gaussian_filter(layer.astype(np.float64), 2.5, order) for order in ((1, 0), (0, 1))]
    tensor = [[np.mean(a * b) for a in slopes] for b in slopes]
    _, vectors = np.linalg.eigh(np.array(tensor))
    along = vectors[:, 0]  # the direction in which the brightness changes least
    assert np.rad2deg(np.arctan(along[1] / along[0])) == pytest.approx(angle, abs=2.5)


def test_heavier_rain_has_lower_psnr() -> None:
    values = [
        np.mean(
            [
                psnr(add_rain(grey(), replace(RAIN, rate=rate), np.random.default_rng(s)), grey())
                for s in range(4)
            ]
        )
        for rate in RAIN_RATES
    ]
    assert (np.diff(values) < -0.3).all()


def test_longer_exposure_makes_longer_streaks() -> None:
    lengths = [drops(replace(RAIN, exposure=t)).length.mean() for t in (1 / 200, 1 / 60, 1 / 30)]
    assert lengths[1] / lengths[0] == pytest.approx(200 / 60, rel=0.1)
    assert lengths[2] / lengths[1] == pytest.approx(2, rel=0.1)


def test_near_layers_are_blurred_more() -> None:
    # Blur disc of 2 mm x 700 px / z, a quarter of it as deviation; 0.6 px of the camera's own.
    for depth in (0.9, 1.2, 1.7):
        expected = np.sqrt((0.002 * 700 / depth / 4) ** 2 + 0.36)
        assert defocus_deviation(depth, RAIN) == pytest.approx(expected)
    assert defocus_deviation(1.0, replace(RAIN, aperture=0.0)) == pytest.approx(0.6)


def test_veil_dims_far_drops() -> None:
    def light(veil: float) -> float:
        parameters = replace(RAIN, veil=veil)
        return float(streak_layer(128, 128, parameters, np.random.default_rng(0)).sum())

    assert np.exp(-2.0) < light(1.0) / light(0.0) < np.exp(-0.75)


def test_composites_are_their_formulas() -> None:
    generator = np.random.default_rng(0)
    image, layer = generator.random((5, 5, 3)), generator.random((5, 5, 1))
    a, radiance = RAIN.strength, RAIN.radiance
    for index in np.ndindex(5, 5, 3):
        h, s = image[index], layer[(*index[:2], 0)]
        assert composite_add(image, layer, RAIN)[index] == pytest.approx(min(1, h + a * s))
        assert composite_screen(image, layer, RAIN)[index] == pytest.approx(
            1 - (1 - h) * (1 - a * s)
        )
        assert composite_alpha(image, layer, RAIN)[index] == pytest.approx(
            (1 - s) * h + s * radiance
        )


@pytest.mark.parametrize("composite", list(COMPOSITES))
def test_output_is_an_image_and_streaks_are_grey(composite: str) -> None:
    image = grey()
    rainy = add_rain(image, replace(RAIN, composite=composite), np.random.default_rng(0))
    assert rainy.dtype == np.float32
    assert rainy.shape == image.shape
    assert (rainy >= image - 1e-6).all()
    assert rainy.max() <= 1
    difference = rainy - image
    assert difference.max() > 0.005
    assert np.array_equal(difference[..., 0], difference[..., 2])


def test_alpha_is_the_share_of_the_exposure_and_so_faint() -> None:
    parameters = replace(RAIN, composite="alpha")
    streaks = drops(parameters)
    # D / (v T) for 0.5..5 mm at 1/100 s: 2.4 to 5.5 percent.
    assert streaks.brightness.min() > 0.02
    assert streaks.brightness.max() < 0.06
    longer = drops(replace(parameters, exposure=1 / 50))
    assert longer.brightness.mean() == pytest.approx(streaks.brightness.mean() / 2, rel=0.02)
    add = psnr(add_rain(grey(), RAIN, np.random.default_rng(0)), grey())
    alpha = psnr(add_rain(grey(), parameters, np.random.default_rng(0)), grey())
    assert alpha > add + 15


def test_borders_are_as_rainy_as_the_middle() -> None:
    parameters = replace(RAIN, exposure=1 / 40, angle=0)
    mean = np.mean(
        [streak_layer(160, 120, parameters, np.random.default_rng(s)) for s in range(40)], axis=0
    )
    middle = mean[60:100].mean()
    for strip in (mean[:20], mean[-20:], mean[:, :15], mean[:, -15:]):
        assert strip.mean() == pytest.approx(middle, rel=0.2)


def test_same_generator_same_rain() -> None:
    image = grey(96)
    first = add_rain(image, RAIN, np.random.default_rng(7))
    assert np.array_equal(first, add_rain(image, RAIN, np.random.default_rng(7)))
    assert not np.array_equal(first, add_rain(image, RAIN, np.random.default_rng(8)))


def test_draws_stay_in_their_ranges_and_fill_them() -> None:
    generator = np.random.default_rng(0)
    draws = [draw_rain_parameters(generator) for _ in range(400)]
    assert {d.rate for d in draws} == set(RAIN_RATES)
    for name, low, high in (
        ("exposure", 1 / 90, 1 / 30),
        ("strength", 0.2, 1.0),
        ("coverage", 0.035, 0.085),
        ("brightness_spread", 0.6, 1.0),
        ("angle", *ANGLES),
        ("focal_length", 500, 1000),
    ):
        values = [getattr(d, name) for d in draws]
        assert low <= min(values) < low + 0.1 * (high - low), name
        assert high - 0.2 * (high - low) < max(values) <= high, name
    counts, _ = np.histogram([d.angle for d in draws], bins=6, range=ANGLES)
    # 400 uniform angles in six bins: 67 each, deviation 7.5
    assert counts.min() > 35
    assert counts.max() < 100


def test_no_loop_runs_over_drops_or_pixels() -> None:
    """64 times the drops take as many calls; a rare broad drop adds a class of widths."""
    heavy = RainParameters(rate=50, exposure=1 / 30, focal_length=500, angle=30, strength=0.8)
    small, large = (
        function_calls(add_rain, grey(side), heavy, np.random.default_rng(0)) for side in (64, 512)
    )
    assert large <= 1.5 * small


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"composite": "scree"}, "screen"),
        ({"rate": 0.0}, "rate above 0"),
        ({"exposure": -1.0}, "exposure above 0"),
        ({"strength": 1.5}, "strength in 0..1"),
        ({"jitter": -1.0}, "jitter at least 0"),
        ({"brightness_spread": -1.0}, "brightness_spread at least 0"),
        ({"coverage": 0.0}, "coverage above 0"),
        ({"angle": 70.0}, "60 degrees"),
        ({"layer_edges": (2.0, 1.0)}, "rising depths"),
        ({"layer_edges": (1.0,)}, "at least two"),
    ],
)
def test_bad_parameters_are_named(changes: dict, words: str) -> None:
    with pytest.raises((ValueError, UnknownNameError), match=words):
        replace(RAIN, **changes)


def test_rain_is_that_of_rain100l(shared_folder: Path) -> None:
    """On the clean pictures of Rain100L: input PSNR, coverage, and how bright the brightest is."""
    folder = shared_folder / "data" / "rain100l" / "test"

    def statistics(rainy: np.ndarray, clean: np.ndarray) -> list[float]:
        light = (rainy - clean).mean(axis=2)
        return [
            psnr(rainy, clean),
            *(np.mean(light > level / 255) for level in (2, 10)),
            *np.quantile(light, (0.5, 0.9, 0.99)),
        ]

    real, ours = [], []
    for number, file in enumerate(sorted((folder / "clean").glob("*.png"))):
        rainy_file = folder / "degraded" / file.name.replace("norain", "rain")
        clean, rainy = (
            np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
            for path in (file, rainy_file)
        )
        real.append(statistics(rainy, clean))
        for variant in range(3):
            rainy, _ = synthesise("rain", clean, np.random.default_rng([number, variant]))
            ours.append(statistics(rainy, clean))
    real_mean, mean = np.mean(real, axis=0), np.mean(ours, axis=0)
    assert mean[0] == pytest.approx(real_mean[0], abs=0.7)  # dB; the error of the mean is 0.3
    assert np.std(ours, axis=0)[0] == pytest.approx(np.std(real, axis=0)[0], abs=0.8)
    assert mean[1:3] == pytest.approx(real_mean[1:3], rel=0.15)
    assert mean[3] < 0.5 / 255  # half of the pixels are untouched: no veil
    assert real_mean[3] < 0.5 / 255
    assert mean[4:] == pytest.approx(real_mean[4:], rel=0.2)


def test_the_physical_number_of_streaks_can_be_asked_for() -> None:
    _, record = synthesise("rain", grey(48), np.random.default_rng(0), coverage=None)
    assert record["coverage"] is None
    drawn = RainParameters(**record)
    assert DENSITY_LIMITS[0] <= drawn.seed_density <= DENSITY_LIMITS[1]
    assert replace(drawn, coverage=0.06).seed_density == pytest.approx(
        0.06 / drawn.mean_streak_area
    )
