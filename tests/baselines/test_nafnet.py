"""NAFNet: the adapter to its package, and the authors' sizes."""

from __future__ import annotations

import importlib

import pytest
import torch

from baselines.spandrel_networks import nafnet
from ndr.layers.bicubic import enlarge_bicubic
from ndr.layers.transformer_block import ChannelLayerNorm
from ndr.method import parameter_count
from ndr.registry import create


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        ({}, 115_982_915),
        ({"width": 32}, 29_159_715),
        (
            {
                "width": 32,
                "middle_blocks": 1,
                "encoder_blocks": (1, 1, 1, 28),
                "decoder_blocks": (1, 1, 1, 1),
            },
            17_111_907,
        ),
    ],
    ids=["sidd_width64", "sidd_width32", "gopro_width32"],
)
def test_published_sizes(changes, published: int) -> None:
    with torch.device("meta"):
        assert parameter_count(create("nafnet", "paper", **changes)) == published


def test_adapter_builds_what_it_is_asked_for() -> None:
    """Blocks per level, from the outside in and back out."""
    network = nafnet(4, 3, (1, 2, 1, 2), (2, 1, 2, 1))
    assert [len(stage) for stage in network.encoders] == [1, 2, 1, 2]
    assert len(network.middle_blks) == 3
    assert [len(stage) for stage in network.decoders] == [2, 1, 2, 1]
    assert network.padder_size == 16
    assert network.intro.weight.shape == (4, 3, 3, 3)


def test_output_is_a_residual() -> None:
    torch.manual_seed(0)
    method = create("nafnet", "smoke", zero_init_output=False).eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        restored = method.restore(image)
        torch.nn.init.zeros_(method.network.ending.weight)
        torch.nn.init.zeros_(method.network.ending.bias)
        assert torch.equal(method.restore(image), image)
    assert (restored - image).abs().max() > 1e-2


def test_refuses_other_than_four_levels() -> None:
    with pytest.raises(ValueError, match=r"4 encoder and 4 decoder levels, found \(3, 4\)"):
        create("nafnet", "smoke", encoder_blocks=(1, 1, 1))


def test_x2_runs_the_parts_of_the_package() -> None:
    """Enlarged first, the package's own forward gives the same."""
    torch.manual_seed(0)
    method = create("nafnet", "smoke", zero_init_output=False, upscale="pre_upsample").eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
        restored = method.restore(image)
        torch.testing.assert_close(restored, method.network(enlarge_bicubic(image)))


def test_layer_norms_are_the_packages_but_for_rounding() -> None:
    torch.manual_seed(0)
    network = create("nafnet", "smoke").get_submodule("network")
    norms = [m for m in network.modules() if isinstance(m, ChannelLayerNorm)]
    assert len(norms) == 2 * 9  # of each block
    assert not any(type(m).__name__ == "LayerNorm2d" for m in network.modules())
    ours = norms[0].double()
    theirs = importlib.import_module(
        type(network).__module__.replace("NAFNet_arch", "arch_util")
    ).LayerNorm2d(len(ours.weight))
    torch.nn.init.normal_(ours.weight)
    torch.nn.init.normal_(ours.bias)
    theirs.double().load_state_dict(ours.state_dict())
    features = torch.randn(2, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    above = torch.randn_like(features)
    results = []
    for norm in (ours, theirs):
        output = norm(features)
        inputs = (features, *norm.parameters())
        results.append((output, *torch.autograd.grad(output, inputs, above)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
