from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.degradations.haze import (
    OPTICAL_DEPTH_LIMITS,
    OTS_AIRLIGHTS,
    OTS_BETAS,
    HazeParameters,
    add_haze,
    draw_haze_parameters,
    transmission,
)
from ndr.degradations.synthesis import synthesise
from tests.call_counts import function_calls

UNLIMITED = (0.0, 1e6)


def picture(side: int = 24) -> np.ndarray:
    return np.random.default_rng(3).random((side, side, 3)).astype(np.float32)


def test_equals_the_literal_model() -> None:
    clean = picture(6)
    depth = np.random.default_rng(4).uniform(1, 8, (6, 6))
    hazy = add_haze(clean, depth, HazeParameters(0.85, 0.12, UNLIMITED))
    for row in range(6):
        for column in range(6):
            for channel in range(3):
                t = np.exp(-0.12 * depth[row, column])
                expected = clean[row, column, channel] * t + 0.85 * (1 - t)
                assert hazy[row, column, channel] == pytest.approx(expected, abs=1e-6)


def test_airlight_alone_is_left_at_infinite_depth() -> None:
    hazy = add_haze(picture(), np.full((24, 24), 1e5), HazeParameters(0.9, 0.1, UNLIMITED))
    assert np.allclose(hazy, 0.9, atol=1e-6)


def test_airlight_can_be_read_from_two_hazes_of_one_picture() -> None:
    clean, parameters = picture(), HazeParameters(0.95, 0.2, UNLIMITED)
    near = add_haze(clean, np.full((24, 24), 2.0), parameters).astype(np.float64)
    far = add_haze(clean, np.full((24, 24), 6.0), parameters).astype(np.float64)
    # I is a line in t for each pixel; at t = 0 all meet in A.
    t_near, t_far = np.exp(-0.4), np.exp(-1.2)
    airlight = far - t_far * (near - far) / (t_near - t_far)
    assert np.abs(airlight - 0.95).max() < 1e-5


def test_transmission_falls_with_depth_and_with_beta() -> None:
    depth = np.linspace(1, 12, 50)[None]
    by_depth = transmission(depth, HazeParameters(0.8, 0.1))
    assert (np.diff(by_depth[0]) < 0).all()
    by_beta = [transmission(depth, HazeParameters(0.8, beta)).mean() for beta in OTS_BETAS]
    assert (np.diff(by_beta) < 0).all()


def test_contrast_falls_with_beta() -> None:
    # A file name carries A and beta: at equal A, contrast falls with beta.
    depth = np.full((24, 24), 3.0)
    spread = [add_haze(picture(), depth, HazeParameters(0.8, b)).std() for b in OTS_BETAS]
    assert (np.diff(spread) < 0).all()


def test_optical_depth_is_limited() -> None:
    depth = np.array([[1e-3, 1e3]])
    low, high = OPTICAL_DEPTH_LIMITS
    found = transmission(depth, HazeParameters(0.8, 0.2))
    assert found[0].tolist() == pytest.approx([np.exp(-low), np.exp(-high)], rel=1e-6)


def test_draws_cover_the_values_of_ots() -> None:
    generator = np.random.default_rng(0)
    draws = [draw_haze_parameters(generator) for _ in range(400)]
    airlights, betas = [d.airlight for d in draws], [d.beta for d in draws]
    assert set(airlights) == set(OTS_AIRLIGHTS)
    assert set(betas) == set(OTS_BETAS)
    # 400 draws of 7 values: 57 each, deviation 7
    assert min(betas.count(beta) for beta in OTS_BETAS) > 30


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (np.ones((24, 23)), "equal sizes"),
        (np.full((24, 24), np.nan), "fill unknown"),
        (np.zeros((24, 24)), "above 0"),
    ],
)
def test_bad_depth_is_named(depth: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        add_haze(picture(), depth, HazeParameters(0.8, 0.1))


@pytest.mark.parametrize("values", [(0.0, 0.1), (1.2, 0.1), (0.8, -0.1), (0.8, float("nan"))])
def test_bad_parameters_are_named(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="haze: expected"):
        HazeParameters(*values)


def test_no_loop_runs_over_pixels() -> None:
    def hazed(side: int) -> None:
        synthesise("haze", np.full((side, side, 3), 0.5, np.float32), np.random.default_rng(0))

    assert function_calls(hazed, 64) == function_calls(hazed, 256)


def test_invented_haze_is_as_dense_as_sots_outdoor(shared_folder: Path) -> None:
    """Same clean picture, A and beta: the input PSNR is that of the published pair, on average.

    The depth is invented, so single pairs differ by 1 to 2 dB; five pairs and eight draws agree
    within 1 dB.
    """
    folder = shared_folder / "data" / "sots_outdoor" / "test"
    published, invented = [], []

    def psnr(a: np.ndarray, b: np.ndarray) -> float:
        return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))

    def read(path: Path) -> np.ndarray:
        return np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255

    for file in sorted((folder / "degraded").glob("*.jpg")):
        name, airlight, beta = file.stem.split("_")
        clean = read(folder / "clean" / f"{name}.png")
        published.append(psnr(read(file), clean))
        for seed in range(8):
            generator = np.random.default_rng(seed)
            hazy, _ = synthesise(
                "haze", clean, generator, airlight=float(airlight), beta=float(beta)
            )
            invented.append(psnr(hazy, clean))
    assert len(published) == 5
    assert float(np.mean(invented)) == pytest.approx(float(np.mean(published)), abs=1.0)
