"""The transformer block against the textbook form of its parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.transformer_block import (
    ChannelAttention,
    ChannelLayerNorm,
    Downsample,
    GatedFeedForward,
    TransformerBlock,
    Upsample,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomised(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for index, parameter in enumerate(module.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator(index)) * 0.4)
    return module


def textbook_attention(attention: ChannelAttention, features: Tensor) -> Tensor:
    batch, width, height, breadth = features.shape
    query, key, value = (
        part.reshape(
            batch, len(attention.temperature), width // len(attention.temperature), height * breadth
        )
        for part in attention.depthwise(attention.query_key_value(features)).chunk(3, dim=1)
    )
    weights = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
    attended = (weights * attention.temperature).softmax(dim=-1) @ value
    return attention.project_out(attended.reshape(features.shape))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("width", "heads"), [(6, 1), (12, 3), (16, 4)])
def test_attention_equals_the_textbook_form_and_its_gradient(
    width: int, heads: int, bias: bool, memory_format: torch.memory_format
) -> None:
    attention = randomised(ChannelAttention(width, heads, bias)).double()
    features = torch.randn(2, width, 5, 7, generator=generator(9), dtype=torch.float64)
    features = features.contiguous(memory_format=memory_format)
    target = torch.randn(features.shape, generator=generator(10), dtype=torch.float64)
    results = []
    for form in (attention, lambda image: textbook_attention(attention, image)):
        image = features.clone().requires_grad_()
        attention.zero_grad()
        output = form(image)
        (output * target).sum().backward()
        gradients = [parameter.grad.clone() for parameter in attention.parameters()]
        results.append([output.detach(), image.grad, *gradients])
    for found, expected in zip(*results, strict=True):
        # The softmax and the lengths are in single precision.
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_attention_of_a_black_image_is_finite() -> None:
    attention = ChannelAttention(4, 2)
    features = torch.zeros(1, 4, 3, 3, requires_grad=True)
    output = attention(features)
    output.sum().backward()
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in attention.parameters())


def test_feed_forward_equals_the_textbook_form() -> None:
    part = randomised(GatedFeedForward(5, 2.66))
    assert part.project_in.out_channels == 26  # 2 * int(5 * 2.66)
    features = torch.randn(2, 5, 6, 4, generator=generator(1), requires_grad=True)
    gate, content = part.depthwise(part.project_in(features)).chunk(2, dim=1)
    expected = part.project_out(F.gelu(gate) * content)
    found = part(features)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    inputs = (features, *part.parameters())
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [False, True])
def test_layer_norm_by_hand(bias: bool) -> None:
    norm = randomised(ChannelLayerNorm(7, bias))
    features = torch.randn(2, 7, 3, 4, generator=generator(2)) * 3 + 1
    mean = features.mean(dim=1, keepdim=True)
    deviation = (features.var(dim=1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    weight = norm.weight.reshape(1, -1, 1, 1)
    if bias:
        expected = (features - mean) / deviation * weight + norm.bias.reshape(1, -1, 1, 1)
    else:
        expected = features / deviation * weight
    torch.testing.assert_close(norm(features), expected, rtol=1e-5, atol=1e-5)


def test_resampling_sizes_and_layout() -> None:
    features = torch.randn(2, 8, 6, 10, generator=generator(3))
    down = Downsample(8)
    up = Upsample(8)
    assert down(features).shape == (2, 16, 3, 5)
    assert up(features).shape == (2, 4, 12, 20)
    torch.testing.assert_close(down(features), nn.PixelUnshuffle(2)(down.convolution(features)))
    torch.testing.assert_close(up(features), nn.PixelShuffle(2)(up.convolution(features)))


def test_channels_last_input_stays_channels_last() -> None:
    features = torch.randn(2, 8, 6, 10).contiguous(memory_format=torch.channels_last)
    block = TransformerBlock(8, 2)
    assert block(features).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(features), block(features.contiguous()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm_bias", [False, True])
def test_gradients_reach_all_parameters_of_a_block(norm_bias: bool) -> None:
    block = TransformerBlock(8, 2, bias=True, norm_bias=norm_bias)
    block(torch.randn(1, 8, 6, 6, generator=generator(4))).square().sum().backward()
    unreached = [
        name
        for name, parameter in block.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert unreached == []


def test_bfloat16_autocast_stays_close() -> None:
    block = randomised(TransformerBlock(16, 2))
    features = torch.randn(1, 16, 12, 12, generator=generator(5))
    with torch.autocast("cpu", torch.bfloat16):
        output = block(features).float()
    exact = block(features)
    assert (output - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_bad_sizes_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide 8 channels"):
        TransformerBlock(8, 3)
    with pytest.raises(ValueError, match="even number of channels, found 7"):
        Downsample(7)
    with pytest.raises(ValueError, match="even number of channels, found 7"):
        Upsample(7)
