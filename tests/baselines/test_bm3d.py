"""BM3D: the wrapper's units, shapes and errors."""

from __future__ import annotations

import pytest
import torch

from ndr.method import SideInformation
from ndr.registry import create


def smooth_picture(side: int) -> torch.Tensor:
    """Gradients with an edge, three different colours: (1, 3, side, side)."""
    axis = torch.linspace(0.1, 0.9, side)
    edge = (axis > 0.5).float() * 0.3
    colours = torch.stack(
        [
            axis[:, None].expand(side, side),
            axis[None] * 0.5 + edge[:, None],
            0.6 - edge[None] * axis[:, None],
        ]
    )
    return colours[None]


def mean_squared_error(left: torch.Tensor, right: torch.Tensor) -> float:
    return float(((left - right) ** 2).mean())


def test_removes_the_noise_it_is_told_of() -> None:
    clean = smooth_picture(48)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * 25 / 255
    bm3d = create("bm3d")
    restored = bm3d.restore(clean + noise, SideInformation(sigma=25.0))
    assert mean_squared_error(restored, clean) < 0.1 * mean_squared_error(clean + noise, clean)
    timid = bm3d.restore(clean + noise, SideInformation(sigma=torch.tensor([2.5])))
    assert mean_squared_error(timid, clean) > 0.5 * mean_squared_error(clean + noise, clean)


def test_each_image_has_its_level() -> None:
    degraded = torch.rand(1, 3, 16, 16).expand(2, 3, 16, 16)
    restored = create("bm3d").restore(degraded, SideInformation(sigma=torch.tensor([5.0, 75.0])))
    # What remains of white noise falls with the level that is removed.
    assert restored[1].std() < 0.7 * restored[0].std()


def test_refuses_no_noise() -> None:
    with pytest.raises(ValueError, match="expected noise levels above 0"):
        create("bm3d").restore(torch.rand(1, 3, 16, 16), SideInformation(sigma=0.0))
