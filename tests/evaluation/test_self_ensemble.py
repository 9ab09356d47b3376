"""The mean over the eight flips and rotations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ndr.evaluation.running import (
    TRANSFORMS,
    restore_with_self_ensemble,
    transformed,
    transformed_back,
)
from ndr.evaluation.tiling import TileGrid, restore_in_tiles
from ndr.method import SideInformation
from ndr.registry import create


def images(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_there_are_eight_different_transforms() -> None:
    image = torch.arange(9.0).reshape(3, 3)
    versions = {tuple(transformed(image, *t).flatten().tolist()) for t in TRANSFORMS}
    assert len(versions) == 8


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_are_undone(transform: tuple[bool, bool, bool]) -> None:
    image = images(4, 7)
    turned = transformed(image, *transform)
    assert turned.shape[-2:] == ((7, 4) if transform[2] else (4, 7))
    assert torch.equal(transformed_back(turned, *transform), image)


def test_mean_of_rotations_and_flips() -> None:
    """Written out with quarter turns: the eight are the four turns of the image and its mirror."""
    kernel = torch.rand(3, 3, 3, 3, generator=torch.Generator().manual_seed(1))

    def restore(degraded: Tensor, side: SideInformation) -> Tensor:
        return F.interpolate(F.conv2d(degraded, kernel, padding=1), scale_factor=2)

    image = images(5, 8)
    results = []
    for mirror in (False, True):
        for turns in range(4):
            turned = torch.rot90(image.flip(-1) if mirror else image, turns, (-2, -1))
            back = torch.rot90(restore(turned, SideInformation()), -turns, (-2, -1))
            results.append(back.flip(-1) if mirror else back)
    ensemble = restore_with_self_ensemble(restore, image, SideInformation())
    torch.testing.assert_close(ensemble, torch.stack(results).mean(dim=0))
    assert (ensemble - restore(image, SideInformation())).abs().max() > 0.01


def test_the_ensemble_turns_with_the_image() -> None:
    method = create("han", "smoke").eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
        image = images(8, 12)
        straight = restore_with_self_ensemble(method.restore, image, SideInformation())
        turned = restore_with_self_ensemble(
            method.restore, image.rot90(1, (-2, -1)), SideInformation()
        )
    torch.testing.assert_close(turned, straight.rot90(1, (-2, -1)), atol=1e-5, rtol=1e-5)


def test_side_information_turns_with_the_image() -> None:
    oracle = create("oracle")
    clean = images(6, 9)
    side = SideInformation(sigma=25.0, clean=clean)
    restored = restore_with_self_ensemble(oracle.restore, torch.zeros_like(clean), side)
    torch.testing.assert_close(restored, clean)


def test_sigma_is_passed_on() -> None:
    seen = []

    def restore(degraded: Tensor, side: SideInformation) -> Tensor:
        seen.append(side.sigma)
        return degraded

    image = images(3, 4)
    torch.testing.assert_close(
        restore_with_self_ensemble(restore, image, SideInformation(sigma=25.0)), image
    )
    assert seen == [25.0] * 8


def test_works_on_tiles() -> None:
    method = create("bicubic")
    grid = TileGrid(tile=16, overlap=8, declared="supported")

    def restore(degraded: Tensor, side: SideInformation) -> Tensor:
        return restore_in_tiles(method, degraded, side, grid)

    image = images(24, 20)
    restored = restore_with_self_ensemble(restore, image, SideInformation())
    # Bicubic interpolation is the same in all directions.
    torch.testing.assert_close(restored, method.restore(image), atol=1e-5, rtol=0)


def test_half_precision_is_averaged_in_single() -> None:
    def restore(degraded: Tensor, side: SideInformation) -> Tensor:
        return degraded.bfloat16()

    image = images(4, 4)
    restored = restore_with_self_ensemble(restore, image, SideInformation())
    assert restored.dtype == torch.float32
    assert torch.equal(restored, image.bfloat16().float())
