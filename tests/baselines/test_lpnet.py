"""LPNet: the pyramid, its networks and its losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from baselines.deraining.lpnet import (
    BLUR,
    LevelNetwork,
    doubled,
    gaussian_pyramid,
    halved,
    laplacian_pyramid,
)
from baselines.loss_terms import structural_similarity
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create


def test_halving_is_its_definition() -> None:
    """Output (i, j) is the blurred value around pixel (2 i + 1, 2 j + 1), zeros outside."""
    image = torch.rand(8, 6, dtype=torch.float64)
    expected = np.zeros((4, 3))
    for i, j in np.ndindex(4, 3):
        for k, m in np.ndindex(5, 5):
            row, column = 2 * i + k - 1, 2 * j + m - 1
            if 0 <= row < 8 and 0 <= column < 6:
                expected[i, j] += BLUR[k] * BLUR[m] * image[row, column]
    found = halved(image.expand(1, 2, -1, -1))
    np.testing.assert_allclose(found[0, 1].numpy(), expected, atol=1e-6)


def test_doubling_is_the_adjoint() -> None:
    """<halved(x), y> = <x, doubled(y)> / 4 for all x and y."""
    x = torch.randn(1, 1, 8, 12, dtype=torch.float64)
    y = torch.randn(1, 1, 4, 6, dtype=torch.float64)
    assert (halved(x) * y).sum().item() == pytest.approx((x * doubled(y)).sum().item() / 4)
    flat = doubled(torch.ones(1, 1, 8, 8))
    torch.testing.assert_close(flat[..., 4:-4, 4:-4], torch.ones(1, 1, 8, 8))


def test_pyramid_adds_up_to_the_image() -> None:
    image = torch.rand(1, 3, 32, 48)
    levels = laplacian_pyramid(image)
    assert [level.shape[-1] for level in levels] == [3, 6, 12, 24, 48]
    total = levels[0]
    for level in levels[1:]:
        total = doubled(total) + level
    torch.testing.assert_close(total, image)
    torch.testing.assert_close(gaussian_pyramid(image)[0], levels[0])


def test_block_of_a_level_is_shared() -> None:
    torch.manual_seed(0)
    network = LevelNetwork(4, recursions=2, zero_init_output=False)
    image = torch.rand(1, 3, 8, 8)

    def leaky(values: torch.Tensor) -> torch.Tensor:
        return torch.maximum(values, 0.2 * values)

    a, b, c = network.block
    start = leaky(network.embedding(image))
    once = leaky(c(leaky(b(leaky(a(start)))))) + start
    twice = leaky(c(leaky(b(leaky(a(once)))))) + start
    torch.testing.assert_close(network(image), image + network.output(twice))


def test_size_is_below_eight_thousand() -> None:
    with torch.device("meta"):
        method = create("lpnet")
        assert parameter_count(create("lpnet", recursions=9)) == parameter_count(method)
    assert [parameter_count(network) for network in method.networks] == [56, 147, 443, 1491, 5411]
    assert parameter_count(method) == 7_548


def test_losses_compare_all_levels() -> None:
    torch.manual_seed(0)
    method = create("lpnet", "smoke", zero_init_output=False)
    batch = Batch(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), ("rain",) * 2, torch.zeros(2))
    losses = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
    restored = method.restored_pyramid(batch.degraded)
    clean = gaussian_pyramid(batch.clean)
    assert [image.shape[-1] for image in restored] == [2, 4, 8, 16, 32]
    pixels = sum((a - b).abs().mean() for a, b in zip(restored, clean, strict=True))
    structure = sum((1 - structural_similarity(restored[i], clean[i])) / 2 for i in (3, 4))
    assert losses["pixels"].item() == pytest.approx(pixels.item())
    assert losses["structure"].item() == pytest.approx(structure.item())
    assert all((image >= 0).all() for image in restored)


def test_small_patches_are_refused() -> None:
    image = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match=r"patches of at least 22 pixels, found \(16, 16\)"):
        create("lpnet", "smoke").training_losses(
            Batch(image, image, ("rain",), torch.zeros(1)), TrainingContext(0, 1, F.l1_loss)
        )


def test_refuses_too_few_channels() -> None:
    with pytest.raises(ValueError, match="expected at least 16 channels, found 8"):
        create("lpnet", channels=8)
