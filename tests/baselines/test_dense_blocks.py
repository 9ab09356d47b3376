"""Dense blocks: their equations, and what authors' keys become."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.deraining.dense_blocks import (
    DenseBlock,
    Refinement,
    Stage,
    Transition,
    map_dense_state,
)


def normalised(features: Tensor, layer: torch.nn.InstanceNorm2d) -> Tensor:
    """Batch normalisation of one image by itself, as the authors use it."""
    single = [
        F.batch_norm(image[None], None, None, layer.weight, layer.bias, training=True)
        for image in features
    ]
    return torch.cat(single)


def test_dense_block_joins_what_it_adds() -> None:
    torch.manual_seed(0)
    block = DenseBlock(3, growth=2, kernel=5)
    for layer in (block.norm1, block.norm2):
        torch.nn.init.normal_(layer.weight)
        torch.nn.init.normal_(layer.bias)
    features = torch.randn(2, 3, 8, 6)
    kept = features.clone()
    reduced = F.conv2d(F.relu(normalised(features, block.norm1)), block.reduction.weight)
    added = F.relu(normalised(reduced, block.norm2))
    added = F.conv2d(added, block.convolution.weight, padding=2)
    expected = torch.cat([features, added], dim=1)
    torch.testing.assert_close(block(features), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(features, kept)
    assert block.channels == 5


def test_transition_resizes_by_means_or_copies() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 3, 8, 6)
    for resize in ("same", "halve", "double"):
        transition = Transition(3, 4, resize)
        projected = F.conv2d(
            F.relu(normalised(features, transition.norm)), transition.projection.weight
        )
        expected = {
            "same": projected,
            "halve": F.avg_pool2d(projected, 2),
            "double": projected.repeat_interleave(2, -1).repeat_interleave(2, -2),
        }[resize]
        torch.testing.assert_close(transition(features), expected, atol=1e-5, rtol=1e-5)


def test_refinement_replaces_or_adds() -> None:
    images = torch.randn(1, 3, 8, 8)
    assert torch.equal(Refinement(residual=True)(images), images)
    replaced = Refinement(residual=False)(images)
    assert replaced.abs().max() < 1
    assert (replaced - images).abs().max() > 0.1


def test_official_keys() -> None:
    """Both kinds of names; statistics go, transposed convolutions turn, other keys stay."""
    stage = Stage(3, growth=2, channels=4, kernel=3, resize="same")
    official = {}
    for kind, index, layers in (
        (
            "dense_block",
            0,
            {"norm1": "bn1", "reduction": "conv1", "norm2": "bn2", "convolution": "conv2"},
        ),
        ("trans_block", 1, {"norm": "bn1", "projection": "conv1"}),
    ):
        for key, value in stage[index].state_dict().items():
            layer, part = key.split(".")
            turned = value.transpose(0, 1) if layer == "projection" else value
            official[f"a.{kind}3_1.{layers[layer]}.{part}"] = turned
            official[f"a.{kind}3_1.{layers[layer]}.running_mean"] = torch.zeros(1)
    official["a.conv_refin.weight"] = torch.zeros(1)
    mapped = map_dense_state(official)
    expected = {f"a.stage3_1.{key}": value for key, value in stage.state_dict().items()}
    assert mapped.keys() == {*expected, "a.conv_refin.weight"}
    assert all(torch.equal(mapped[key], value) for key, value in expected.items())
    renamed = map_dense_state({"res_est.conv2.bn1.weight": torch.zeros(1)})
    assert list(renamed) == ["res_est.stage2.0.norm1.weight"]
