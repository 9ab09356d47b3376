"""Charbonnier distance and edge loss against closed cases and a literal loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.all_in_one.mprnet import PYRAMID_TAPS, edge_distance, laplacian
from baselines.loss_terms import CHARBONNIER_EPSILON, charbonnier


def test_charbonnier_closed_cases() -> None:
    image = torch.rand(2, 3, 5, 7)
    assert charbonnier(image, image).item() == pytest.approx(CHARBONNIER_EPSILON, rel=1e-5)
    expected = (0.3**2 + 1e-6) ** 0.5
    assert charbonnier(image + 0.3, image).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_of_equal_images_is_finite() -> None:
    image = torch.rand(1, 3, 4, 4, requires_grad=True)
    charbonnier(image, image.detach()).backward()
    assert torch.equal(image.grad, torch.zeros_like(image))


def test_laplacian_against_loops() -> None:
    """Burt and Adelson, pixel by pixel, on an odd size."""
    image = np.random.default_rng(0).random((7, 10))
    taps = np.array(PYRAMID_TAPS)

    def low_pass(values: np.ndarray) -> np.ndarray:
        height, width = values.shape
        result = np.zeros_like(values)
        for row in range(height):
            for column in range(width):
                for i, vertical in enumerate(taps):
                    for j, horizontal in enumerate(taps):
                        y = min(max(row + i - 2, 0), height - 1)
                        x = min(max(column + j - 2, 0), width - 1)
                        result[row, column] += vertical * horizontal * values[y, x]
        return result

    coarse = np.zeros_like(image)
    coarse[::2, ::2] = 4 * low_pass(image)[::2, ::2]
    expected = image - low_pass(coarse)
    found = laplacian(torch.from_numpy(image)[None, None].expand(2, 3, -1, -1))
    assert found.shape == (2, 3, 7, 10)
    np.testing.assert_allclose(found[1, 2].numpy(), expected, atol=1e-12)


def test_flat_images_have_no_edges() -> None:
    flat = torch.full((1, 3, 16, 16), 0.7)
    inner = laplacian(flat)[..., 4:-4, 4:-4]
    torch.testing.assert_close(inner, torch.zeros_like(inner), atol=1e-6, rtol=0)


def test_edge_distance_ignores_brightness_inside() -> None:
    torch.manual_seed(0)
    clean = torch.rand(1, 3, 32, 32)
    edges = laplacian(clean)
    brighter = edge_distance(clean + 0.1, edges)
    sharper = edge_distance(clean + 0.1 * torch.randn(1, 3, 32, 32), edges)
    assert edge_distance(clean, edges).item() == pytest.approx(1e-3, rel=1e-4)
    assert brighter < 0.2 * sharper
