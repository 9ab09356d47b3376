from __future__ import annotations

import pytest
import torch
from torch import nn

from ndr.layers.layer_norm import LayerNorm
from ndr.layers.transformer_block import ChannelLayerNorm
from ndr.registry import create

CHANNELS = 8


@pytest.mark.parametrize("kind", ["last", "channels", "channels_without_bias"])
def test_gradients_of_scale_and_shift_in_half_precision(kind: str) -> None:
    """Sums over 24,576 pixels, which 16 bits cannot hold."""
    torch.manual_seed(0)
    norm = {
        "last": lambda: LayerNorm(CHANNELS),
        "channels": lambda: ChannelLayerNorm(CHANNELS),
        "channels_without_bias": lambda: ChannelLayerNorm(CHANNELS, bias=False),
    }[kind]()
    shape = (6, 64, 64, CHANNELS) if kind == "last" else (6, CHANNELS, 64, 64)
    features = torch.randn(shape).bfloat16().requires_grad_()
    above = (0.3 + torch.randn(shape)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        output = norm(features)
    assert output.dtype == torch.bfloat16
    inputs = (features, *norm.parameters())
    found = torch.autograd.grad(output, inputs, above)
    norm.double()
    exact = (features.detach().double().requires_grad_(), *norm.parameters())
    expected = torch.autograd.grad(norm(exact[0]), exact, above.double())
    for one, other in zip(found, expected, strict=True):
        assert (one - other).norm() <= 5e-3 * other.norm()


def test_it_is_pytorchs_in_single_precision() -> None:
    torch.manual_seed(0)
    norm, features = LayerNorm(CHANNELS), torch.randn(2, 3, CHANNELS)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    assert torch.equal(norm(features), nn.LayerNorm.forward(norm, features))


@pytest.mark.parametrize("name", ["drt", "swinir", "hat"])
def test_no_network_has_pytorchs(name: str) -> None:
    network = create(name, "smoke")
    kinds = {type(module) for module in network.modules() if isinstance(module, nn.LayerNorm)}
    assert kinds == {LayerNorm}
