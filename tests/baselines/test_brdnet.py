"""BRDNet: batch renormalisation by its definition, and the two branches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from baselines.denoising.brdnet import BatchRenormalisation
from ndr.method import parameter_count
from ndr.registry import create


def literal(
    x: Tensor, layer: BatchRenormalisation, running: tuple[list[float], list[float]], t: float
) -> Tensor:
    """The layer's equations, channel by channel."""
    r_max = 3 / (1 + 2 * math.exp(-t))
    d_max = 5 / (1 + 4999 * math.exp(-2 * t))
    result = torch.zeros_like(x)
    for c in range(x.shape[1]):
        values = x[:, c]
        mean = values.mean().item()
        deviation = math.sqrt(values.var(unbiased=False).item() + 1e-3)
        running_deviation = math.sqrt(running[1][c] + 1e-3)
        r = min(max(deviation / running_deviation, 1 / r_max), r_max)
        d = min(max((mean - running[0][c]) / running_deviation, -d_max), d_max)
        normalised = (values - mean) / deviation * r + d
        result[:, c] = layer.weight[c].item() * normalised + layer.bias[c].item()
    return result


@pytest.mark.parametrize("batches", [0, 100, 2000, 5000])
def test_renormalisation_is_its_definition(batches: int) -> None:
    torch.manual_seed(0)
    layer = BatchRenormalisation(3, momentum=0.99, rate=1e-3).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    layer.running_mean.copy_(torch.tensor([0.0, 0.4, -2.0]))
    layer.running_variance.copy_(torch.tensor([0.01, 1.0, 30.0]))
    layer.batches.fill_(batches)
    running = (layer.running_mean.tolist(), layer.running_variance.tolist())
    x = 1 + torch.randn(4, 3, 5, 6, dtype=torch.float64)
    expected = literal(x, layer, running, 1e-3 * batches)
    torch.testing.assert_close(layer(x), expected)
    assert layer.batches == batches + 1
    mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
    torch.testing.assert_close(
        layer.running_mean, 0.99 * torch.tensor(running[0]) + 0.01 * mean, check_dtype=False
    )
    torch.testing.assert_close(
        layer.running_variance, 0.99 * torch.tensor(running[1]) + 0.01 * variance, check_dtype=False
    )


def test_limits_open_from_batch_normalisation() -> None:
    layer = BatchRenormalisation(2, momentum=0.99, rate=0.5)
    r_max, d_max = (limit.item() for limit in layer.limits())
    assert r_max == pytest.approx(1)
    assert d_max == pytest.approx(1e-3)
    for _ in range(40):
        layer(torch.randn(2, 2, 4, 4))
    r_max, d_max = (limit.item() for limit in layer.limits())
    assert r_max == pytest.approx(3, abs=1e-4)
    assert d_max == pytest.approx(5, abs=1e-4)


def test_open_limits_make_training_and_test_agree() -> None:
    """That is what batch renormalisation is for; batch normalisation would differ."""
    torch.manual_seed(0)
    layer = BatchRenormalisation(2, momentum=0.999, rate=1.0)
    layer.running_mean.fill_(0.3)
    layer.running_variance.fill_(1.5)
    layer.batches.fill_(50)
    x = 0.5 + 1.2 * torch.randn(4, 2, 8, 8)
    evaluated = layer.eval()(x)
    torch.testing.assert_close(layer.train()(x), evaluated, atol=1e-5, rtol=1e-5)
    layer.batches.fill_(0)
    assert (layer(x) - evaluated).abs().max() > 0.05


def test_no_gradient_through_the_correction() -> None:
    """With r and d constant, a shift of all features changes nothing: their gradients add to 0."""
    layer = BatchRenormalisation(1, momentum=0.99, rate=1.0).double()
    layer.batches.fill_(3)
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    (layer(x) * torch.randn(2, 1, 4, 4, dtype=torch.float64)).sum().backward()
    assert x.grad.abs().max() > 0.01
    assert x.grad.sum().abs() < 1e-9


def test_branches_are_the_published_ones() -> None:
    with torch.device("meta"):
        network = create("brdnet")
    assert network.counted_parameters() == 1_115_051
    assert parameter_count(network) == 1_115_051 + 2_432

    def layers(branch: nn.Sequential) -> list[str]:
        names = []
        for layer, follower in zip(branch, [*branch[1:], None], strict=True):
            if isinstance(layer, nn.Conv2d):
                renormalised = isinstance(follower, BatchRenormalisation)
                names.append(f"{layer.dilation[0]}{'n' if renormalised else ''}")
        return names

    assert layers(network.upper) == 16 * ["1n"] + ["1"]
    assert layers(network.lower) == ["1n", *7 * ["2"], "1n", *6 * ["2"], "1n", "1"]


def test_output_joins_both_branches() -> None:
    torch.manual_seed(0)
    network = create("brdnet", "smoke", zero_init_output=False).eval()
    image = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        branches = [image - branch(image) for branch in (network.upper, network.lower)]
        expected = image - network.fusion(torch.cat(branches, dim=1))
        torch.testing.assert_close(network.restore(image), expected)


def test_resuming_keeps_statistics_and_limits() -> None:
    torch.manual_seed(0)
    network = create("brdnet", "smoke").train()
    for _ in range(3):
        network.restore(torch.rand(2, 3, 12, 12))
    again = create("brdnet", "smoke").train()
    again.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 12, 12)
    assert torch.equal(network.restore(images), again.restore(images))
    assert torch.equal(network.eval().restore(images), again.eval().restore(images))


def test_refuses_a_depth_without_dilated_layers() -> None:
    with pytest.raises(ValueError, match="expected a depth of at least 6, found 5"):
        create("brdnet", depth=5)
