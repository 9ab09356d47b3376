"""Pictures that lack what filters divide by: every method restores them to finite pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ndr.method import Method, SideInformation
from ndr.registry import create, method_class, method_names

METHODS = [name for name in method_names() if not method_class(name).restores_together]


def pictures() -> dict[str, Tensor]:
    """(1, 3, H, W) each."""
    chance = torch.Generator().manual_seed(7)
    noise = torch.rand(1, 3, 20, 24, generator=chance)
    blank = noise.clone()
    blank[..., 8:] = 1.0
    return {
        "black": torch.zeros(1, 3, 20, 24),
        "white": torch.ones(1, 3, 20, 24),
        "one grey": torch.full((1, 3, 20, 24), 0.5),
        "one colour": torch.tensor([0.9, 0.2, 0.4])[None, :, None, None].expand(1, 3, 20, 24),
        "grey": noise[:, :1].expand(1, 3, 20, 24),
        "red alone": noise * torch.tensor([1.0, 0.0, 0.0])[:, None, None],
        "red as blue": noise[:, [0, 1, 0]],
        "partly blank": blank,
        "black and white": (noise[:, :1] > 0.5).float().expand(1, 3, 20, 24),
        "nearly constant": 0.5 + 1e-7 * noise,
        "tiny values": 1e-30 * noise,
        "far outside": 200 * noise - 100,
        "a pixel": torch.full((1, 3, 1, 1), 0.25),
        "a row": noise[..., :1, :],
        "a column": noise[..., :, :1],
        "a row of one colour": torch.full((1, 3, 1, 30), 0.75),
    }


def side_for(method: Method, degraded: Tensor) -> SideInformation:
    needed = method.info.side_information
    truth = degraded.repeat_interleave(method.scale, -1).repeat_interleave(method.scale, -2)
    return SideInformation(
        sigma=25.0 if "sigma" in needed else None, clean=truth if "clean" in needed else None
    )


@pytest.mark.parametrize("name", METHODS)
def test_every_method_restores_degenerate_pictures(name: str) -> None:
    torch.manual_seed(0)
    method = create(name, "smoke").eval()
    for what, degraded in pictures().items():
        with torch.no_grad():
            restored = method.restore(degraded, side_for(method, degraded))
        assert torch.isfinite(restored).all(), what
