"""Layers of ours that timm has, too: the same numbers, so that either may be used."""

from __future__ import annotations

import torch
from timm.layers import LayerNorm2d, Mlp, SEModule
from torch import nn

from baselines.all_in_one.mprnet import AttentionBlock
from baselines.deraining.drt import WindowBlock
from baselines.super_resolution.residual_groups import ChannelAttention
from ndr.layers.transformer_block import EPSILON, ChannelLayerNorm


def test_channel_layer_norm() -> None:
    ours, theirs = ChannelLayerNorm(6), LayerNorm2d(6, eps=EPSILON)
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    features = torch.randn(2, 6, 5, 7)
    torch.testing.assert_close(ours(features), theirs(features), atol=1e-6, rtol=1e-6)


def test_channel_attention_of_super_resolution() -> None:
    ours, theirs = ChannelAttention(8, 4), SEModule(8, rd_channels=2)
    names = {"gate.0": "fc1", "gate.2": "fc2"}
    state = {f"{names[key[:6]]}{key[6:]}": value for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    features = torch.randn(2, 8, 5, 7)
    assert torch.equal(ours(features), theirs(features))


def test_channel_weights_of_mprnet() -> None:
    ours, theirs = AttentionBlock(8, 4), SEModule(8, rd_channels=2, bias=False)
    theirs.fc1.weight, theirs.fc2.weight = ours.squeeze.weight, ours.excite.weight
    features, slope = torch.randn(2, 8, 5, 7), torch.tensor([0.25])
    body = ours.second(nn.functional.prelu(ours.first(features), slope))
    assert torch.equal(ours(features, slope), features + theirs(body))


def test_perceptron_of_drt() -> None:
    ours, theirs = WindowBlock(8, 2), Mlp(8)
    theirs.fc1, theirs.fc2 = ours.expansion, ours.contraction
    nn.init.zeros_(ours.projection.weight)  # no attention: what is left is the perceptron
    windows = torch.randn(3, 49, 8)
    expected = windows + theirs(ours.perceptron_norm(windows))
    assert torch.equal(ours(windows, ours.bias()), expected)
