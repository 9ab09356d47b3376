"""Every method learns from the patches that the tiers cut, at both scales."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ndr.method import Batch, TrainingContext
from ndr.registry import create, method_arguments, method_class, method_names
from workflows.configuration import names_in, read_tier

TRAINED = [name for name in method_names() if method_class(name).info.trainable]
PATCHES = sorted({read_tier(name).recipe.patch for name in names_in("tiers")})
"""Sides of the tiers' patches; at scale 2 the degraded ones are half as wide."""


def scales(name: str) -> list[tuple[int, dict[str, str]]]:
    """Scales that a method is trained at, and what it has to be asked for."""
    if method_class(name).info.scale == 2:
        return [(2, {})]
    enlarges = "upscale" in method_arguments(name, "smoke", {})
    return [(1, {}), *([(2, {"upscale": "pixel_shuffle"})] if enlarges else [])]


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("name", TRAINED)
def test_losses_and_gradients_are_finite(name: str, patch: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for scale, changes in scales(name):
            method = create(name, "smoke", **changes)
            side = patch // scale
            batch = Batch(
                torch.rand(2, 3, side, side),
                torch.rand(2, 3, patch, patch),
                ("noise",) * 2,
                torch.tensor([15.0, 25.0]),
            )
            for group, parameters in method.optimiser_groups().items():
                context = TrainingContext(1, 3, F.l1_loss, group)
                losses = method.training_losses(batch, context)
                total = torch.stack(list(losses.values())).sum()
                assert torch.isfinite(total), (scale, group, losses)
                total.backward()
                gradients = [p.grad for p in parameters if p.grad is not None]
                assert gradients
                assert all(torch.isfinite(gradient).all() for gradient in gradients)
