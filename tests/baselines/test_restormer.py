"""Restormer: sizes of the published variants, and its structure written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ndr.method import parameter_count
from ndr.registry import create


def test_published_sizes() -> None:
    with torch.device("meta"):
        assert parameter_count(create("restormer", "paper")) == 26_126_644
        assert parameter_count(create("restormer", "paper", norm_bias=False)) == 26_111_668


def test_structure() -> None:
    """The U shape, level by level; the blocks have their own tests."""
    torch.manual_seed(0)
    network = create("restormer", "smoke", zero_init_output=False).eval()
    image = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        first = network.encoder[0](F.conv2d(image, network.embedding.weight, padding=1))
        second = network.encoder[1](network.downsampling[0](first))
        third = network.encoder[2](network.downsampling[1](second))
        lowest = network.encoder[3](network.downsampling[2](third))
        assert [f.shape[1] for f in (first, second, third, lowest)] == [8, 16, 32, 64]
        assert lowest.shape[-2:] == (2, 3)
        up = torch.cat([network.upsampling[2](lowest), third], dim=1)
        up = network.decoder[2](F.conv2d(up, network.fusion[2].weight))
        up = torch.cat([network.upsampling[1](up), second], dim=1)
        up = network.decoder[1](F.conv2d(up, network.fusion[1].weight))
        up = torch.cat([network.upsampling[0](up), first], dim=1)
        up = network.refinement(network.decoder[0](up))
        expected = image + F.conv2d(up, network.output.weight, padding=1)
        restored = network.restore(image)
    torch.testing.assert_close(restored, expected, atol=1e-5, rtol=0)
    assert (restored - image).abs().max() > 1e-3


def test_heads_follow_the_levels() -> None:
    network = create("restormer", "smoke")
    heads = [
        stage[0].attention.temperature.shape[0] for stage in (*network.encoder, *network.decoder)
    ]
    assert heads == [1, 2, 4, 8, 1, 2, 4]


def test_refuses_other_than_four_levels() -> None:
    with pytest.raises(ValueError, match="blocks and heads for 4 levels, found 3 and 4"):
        create("restormer", "smoke", blocks=(1, 1, 1))
