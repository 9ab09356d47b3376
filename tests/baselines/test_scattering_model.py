"""The haze model, its inversion, and what is read from a pair of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.dehazing.scattering_model import (
    TEXTURE,
    WINDOW_RADIUS,
    airlight_of_pair,
    luminance,
    symmetric_padding,
    transmission_of_pair,
    windowed_maximum,
    without_haze,
)


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


AIRLIGHT = torch.tensor([0.9, 0.8, 0.85]).view(1, 3, 1, 1)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 3), (5, 5)])
def test_symmetric_padding_repeats_the_border(before: int, after: int) -> None:
    image = images(2, 3, 5, 7)
    expected = np.pad(image.numpy(), [(0, 0), (0, 0)] + [(before, after)] * 2, mode="symmetric")
    assert np.array_equal(symmetric_padding(image, before, after).numpy(), expected)


def test_inversion_undoes_haze() -> None:
    clean, transmission = images(2, 3, 6, 5), 0.2 + 0.8 * images(2, 1, 6, 5, seed=1)
    hazy = clean * transmission + AIRLIGHT * (1 - transmission)
    torch.testing.assert_close(without_haze(hazy, transmission, AIRLIGHT), clean)


def test_luminance_and_maximum() -> None:
    image = images(1, 3, 4, 6)
    grey = luminance(image)
    assert grey[0, 0, 1, 2] == pytest.approx(
        float(image[0, :, 1, 2] @ torch.tensor([0.299, 0.587, 0.114]))
    )
    highest = windowed_maximum(image, 1)
    assert highest[0, 1, 0, 5] == image[0, 1, :2, 4:].max()
    assert highest[0, 2, 2, 2] == image[0, 2, 1:4, 1:4].max()


@pytest.mark.parametrize("value", [0.25, 0.7, 1.0])
def test_a_pair_tells_a_constant_transmission(value: float) -> None:
    """Exactly, and without knowing the airlight."""
    clean = images(2, 3, 24, 20)
    pair = transmission_of_pair(clean * value + AIRLIGHT * (1 - value), clean)
    torch.testing.assert_close(pair.value, torch.full((2, 1, 24, 20), value))
    assert pair.weight.min() > 0.9


def test_slope_is_that_of_least_squares() -> None:
    """At one pixel, against NumPy's fit with an intercept per colour."""
    clean, noise = images(1, 3, 19, 23), images(1, 3, 19, 23, seed=1)
    hazy = 0.5 * clean + 0.1 * noise
    row, column, radius = 3, 11, WINDOW_RADIUS
    window = (slice(0, row + radius + 1), slice(column - radius, column + radius + 1))
    x = clean[0][:, *window].flatten(1).double().numpy()
    y = hazy[0][:, *window].flatten(1).double().numpy()
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    pair = transmission_of_pair(hazy, clean)
    assert pair.value[0, 0, row, column].item() == pytest.approx((x * y).sum() / (x * x).sum())
    variance = (x * x).mean()
    assert pair.weight[0, 0, row, column].item() == pytest.approx(variance / (variance + TEXTURE))


def test_flat_places_have_no_say() -> None:
    clean = torch.full((1, 3, 16, 16), 0.5)
    clean[..., :4] = images(1, 3, 16, 4)
    pair = transmission_of_pair(0.5 * clean + 0.4, clean)
    assert pair.weight[..., 10:].max() == 0
    estimate = torch.full_like(pair.value, 0.5)
    estimate[..., 10:] = 9
    assert pair.distance(estimate).item() == pytest.approx(0, abs=1e-6)
    expected = (pair.weight * (1 - pair.value) ** 2).sum() / pair.weight.sum()
    assert pair.distance(torch.ones_like(pair.value)).item() == pytest.approx(expected.item())


def test_a_pair_tells_the_airlight() -> None:
    clean, value = images(1, 3, 32, 32), 0.3
    hazy = clean * value + AIRLIGHT * (1 - value)
    airlight = airlight_of_pair(hazy, clean, transmission_of_pair(hazy, clean))
    torch.testing.assert_close(airlight, AIRLIGHT, atol=0.01, rtol=0)
    clear = airlight_of_pair(clean, clean, transmission_of_pair(clean, clean))
    torch.testing.assert_close(clear, torch.ones(1, 3, 1, 1), atol=1e-4, rtol=0)
