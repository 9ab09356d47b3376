"""MSPFN: memories, coupled scales, losses and size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.deraining.mspfn import (
    AttentionUnit,
    ChannelAttentionBlock,
    CoarseFusion,
    ConvolutionalMemory,
    FineFusion,
    Fold,
    edges,
)
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create


def features_of_three_scales(channels: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, channels, side, side, generator=generator) for side in (8, 16, 32)]


def test_size_is_in_the_range_of_the_literature() -> None:
    with torch.device("meta"):
        method = create("mspfn")
    assert method.counted_parameters() == 20_995_776
    assert method.counted_parameters() - parameter_count(method) == 3_226_048
    assert 13e6 < method.counted_parameters() < 21.1e6


def test_memory_that_starts_empty() -> None:
    """Once: no state to remember. Its gates are those of a longer memory at its first look."""
    torch.manual_seed(0)
    once, again = (ConvolutionalMemory(2, 3, recurrences).double() for recurrences in (1, 2))
    for memory in (once, again):
        torch.nn.init.normal_(memory.gates.weight)
        torch.nn.init.normal_(memory.gates.bias)
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)

    def sigmoid(values: Tensor) -> Tensor:
        return 1 / (1 + torch.exp(-values))

    i, j, o = (once.gates(x)[:, 3 * n : 3 * n + 3] for n in range(3))
    torch.testing.assert_close(once(x), torch.tanh(sigmoid(i) * torch.tanh(j)) * sigmoid(o))

    cell = hidden = torch.zeros(1, 3, 5, 5, dtype=torch.float64)
    for _ in range(2):
        gates = again.gates(torch.cat([x, hidden], dim=1))
        i, j, f, o = (gates[:, 3 * n : 3 * n + 3] for n in range(4))
        cell = cell * sigmoid(f + 1) + sigmoid(i) * torch.tanh(j)
        hidden = torch.tanh(cell) * sigmoid(o)
    torch.testing.assert_close(again(x), hidden)
    unused = 9 * 3 * 12 + (9 * 2 + 1) * 3
    assert parameter_count(again) == parameter_count(once) + unused
    assert (once.never_used, again.never_used) == (unused, 0)


def test_resizing_convolutions() -> None:
    """Halving reads pixels 2 i to 2 i + 2; doubling is its adjoint."""
    torch.manual_seed(0)
    half, double = Fold(1, 1, "halve"), Fold(1, 1, "double")
    kernel = torch.randn(1, 1, 3, 3)
    for fold in (half, double):
        fold.convolution.weight.data.copy_(kernel)
        fold.activation.weight.data.fill_(1)  # linear
    x, y = torch.randn(1, 1, 6, 8), torch.randn(1, 1, 3, 4)
    padded = F.pad(x, (0, 1, 0, 1))
    expected = sum(
        kernel[0, 0, i, j] * padded[..., i : i + 5 : 2, j : j + 7 : 2]
        for i in range(3)
        for j in range(3)
    )
    torch.testing.assert_close(half(x), expected, atol=1e-5, rtol=1e-5)
    assert double(y).shape == x.shape
    assert (half(x) * y).sum().item() == pytest.approx((x * double(y)).sum().item(), rel=1e-4)


def test_attention_unit_works_at_half_the_size() -> None:
    torch.manual_seed(0)
    unit = AttentionUnit(8, blocks=2)
    features = torch.randn(1, 8, 8, 12)
    half = unit.down(features)
    assert half.shape[-2:] == (4, 6)
    after = half
    for block in unit.blocks:
        body = block.body(after)
        after = after + body * block.attention(body.mean(dim=(2, 3), keepdim=True))
    torch.testing.assert_close(unit(features), unit.up(torch.cat([half, after], dim=1)))
    assert isinstance(unit.blocks[0], ChannelAttentionBlock)


@pytest.mark.parametrize("kind", ["coarse", "fine"])
def test_coarser_scales_reach_the_finer_ones_only(kind: str) -> None:
    torch.manual_seed(0)
    fusion = CoarseFusion(4, recurrences=2) if kind == "coarse" else FineFusion(4, (1, 1, 1))
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    before = fusion(features_of_three_scales())
    assert [x.shape[-1] for x in before] == [8, 16, 32]
    for scale in range(3):
        features = features_of_three_scales()
        features[scale] = features[scale] + 1
        after = fusion(features)
        changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert changed == [other >= scale for other in range(3)]


def test_losses_are_charbonnier_distances() -> None:
    torch.manual_seed(0)
    method = create("mspfn", "smoke", zero_init_output=False)
    degraded, clean = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    batch = Batch(degraded, clean, ("rain",) * 2, torch.zeros(2))
    losses = method.training_losses(batch, TrainingContext(0, 1, F.l1_loss))
    error = 2 * (method.restore(degraded) - clean)
    expected = (error**2 + 1e-6).sqrt().mean()
    assert losses["restore"].item() == pytest.approx(expected.item(), rel=1e-4)
    expected = 0.05 * (edges(error) ** 2 + 1e-6).sqrt().mean()
    assert losses["edges"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_edges_of_a_point() -> None:
    image = torch.zeros(1, 2, 5, 5)
    image[0, 1, 2, 2] = 1
    found = edges(image)
    assert not found[0, 0].any()
    assert found[0, 1].tolist()[2] == [0, -1, 8, -1, 0]
    assert found[0, 1].sum() == 0


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="expected blocks for 3 scales"):
        create("mspfn", blocks=(1, 3))
    with pytest.raises(ValueError, match="expected at least 1 recurrence, found 0"):
        create("mspfn", recurrences=0)
