"""EDSR, RCAN, HAN and SwinIR: sizes, and their parts written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.super_resolution.han import HAN, LayerAttention, PositionAttention
from baselines.super_resolution.residual_groups import (
    DIV2K_MEAN,
    ChannelAttention,
    MeanShift,
    residual_groups,
)
from ndr.method import Method, parameter_count
from ndr.registry import create, load_official

CONVOLUTIONAL = ("edsr", "rcan", "han", "csnln")


def distinct(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give all parameters different values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def test_published_sizes_of_the_variants() -> None:
    with torch.device("meta"):
        base = create("edsr", "paper", channels=64, blocks=16, residual_scale=1.0)
        assert parameter_count(base) == 1_369_859
        rcan = create("rcan", "paper")
        shifts = parameter_count(rcan.sub_mean) + parameter_count(rcan.add_mean)
        assert (parameter_count(rcan) - shifts, shifts) == (15_444_643, 24)
        light = create(
            "swinir", "paper", width=60, depths=(6,) * 4, heads=(6,) * 4, direct_shuffle=True
        )
        assert parameter_count(light) == 910_152


def test_mean_colours() -> None:
    image = images(2, 3, 4, 5)
    for learned in (False, True):
        shift = MeanShift(255.0, -1, learned=learned)
        expected = 255 * (image - torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1))
        torch.testing.assert_close(shift(255 * image), expected, atol=1e-4, rtol=0)
        assert len(list(shift.parameters())) == (2 if learned else 0)
        assert set(shift.state_dict()) == {"weight", "bias"}


def test_mean_colours_keep_their_precision_under_autocast() -> None:
    image = 255 * images(1, 3, 4, 4)
    shift = MeanShift(255.0, 1, learned=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(shift(image), shift(image.clone()))
        shifted = shift(image)
    assert torch.equal(shifted, shift(image))


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_only_the_mean_is_left_without_a_last_layer(name: str) -> None:
    """The authors' networks add no input: with a zero last layer the image is the mean colour."""
    method = create(name, "smoke", start_at_bicubic=False, image_range=255.0).eval()
    with torch.no_grad():
        for parameter in method.tail[-1].parameters():
            parameter.zero_()
        restored = method.restore(images(1, 3, 8, 8))
    expected = torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1).expand(1, 3, 16, 16)
    torch.testing.assert_close(restored, expected)


def test_channel_attention() -> None:
    attention = distinct(ChannelAttention(6, 3))
    features = images(2, 6, 4, 5)
    first, second = attention.gate[0], attention.gate[2]
    with torch.no_grad():
        weighed = attention(features)
        for image, result in zip(features, weighed, strict=True):
            squeezed = F.relu(first.weight[:, :, 0, 0] @ image.mean(dim=(1, 2)) + first.bias)
            weights = torch.sigmoid(second.weight[:, :, 0, 0] @ squeezed + second.bias)
            torch.testing.assert_close(result, image * weights[:, None, None])


def test_residual_groups_are_residuals_in_residuals() -> None:
    body = distinct(residual_groups(4, groups=1, blocks=2, reduction=2))
    features = images(1, 4, 5, 6)
    with torch.no_grad():
        inner = features
        for block in body[0].body[:2]:
            changed = block.body[2](F.relu(block.body[0](inner)))
            inner = inner + block.body[3](changed)
        expected = body[1](features + body[0].body[2](inner))
        torch.testing.assert_close(body(features), expected)


def test_residual_groups_refuse_what_does_not_divide() -> None:
    with pytest.raises(ValueError, match="divides by the reduction 16, found 24"):
        create("rcan", "small", channels=24)


def test_edsr_damps_its_blocks() -> None:
    method = distinct(create("edsr", "smoke", residual_scale=0.25))
    features = images(1, 4, 6, 5)
    block = method.body[0]
    with torch.no_grad():
        expected = features + 0.25 * block.body[2](F.relu(block.body[0](features)))
        torch.testing.assert_close(block(features.clone()), expected)


def test_layer_attention() -> None:
    """The more a layer's features differ from another's, the more of that one is added."""
    attention = LayerAttention()
    layers = images(2, 3, 2, 2, 3)
    assert torch.equal(attention(layers), layers.flatten(1, 2))
    with torch.no_grad():
        attention.gamma.fill_(0.7)
        result = attention(layers).reshape(layers.shape)
    for image, mixed in zip(layers, result, strict=True):
        for i in range(3):
            products = torch.stack([(image[i] * image[j]).sum() for j in range(3)])
            weights = torch.exp(products.max() - products)
            weights = weights / weights.sum()
            expected = image[i] + 0.7 * sum(weights[j] * image[j] for j in range(3))
            torch.testing.assert_close(mixed[i], expected)


def test_position_attention() -> None:
    attention = distinct(PositionAttention())
    features = images(1, 3, 4, 5)
    padded = F.pad(features, (1, 1, 1, 1, 1, 1))[0]
    kernel = attention.conv.weight[0, 0]
    with torch.no_grad():
        result = attention(features)[0]
        for channel in range(3):
            for row in range(4):
                for column in range(5):
                    cube = padded[channel : channel + 3, row : row + 3, column : column + 3]
                    weight = torch.sigmoid((cube * kernel).sum() + attention.conv.bias[0])
                    value = features[0, channel, row, column]
                    expected = value * (1 + attention.gamma[0] * weight)
                    torch.testing.assert_close(result[channel, row, column], expected)


def test_han_stacks_the_deepest_layer_first() -> None:
    method = distinct(create("han", "smoke"))
    image = images(1, 3, 6, 6) - 0.5
    with torch.no_grad():
        head = method.head(image)
        one = method.body[0](head)
        two = method.body[1](one)
        last = method.body[2](two)
        mixed = method.layer_attention(torch.stack([last, two, one], dim=1))
        joined = [method.position_attention(last), method.layer_fusion(mixed)]
        expected = method.tail(head + method.fusion(torch.cat(joined, dim=1)))
        torch.testing.assert_close(method.enlarge(image), expected)


def authors_state(method: Method) -> dict[str, Tensor]:
    """The state by the names of RCAN's and HAN's authors."""
    names = {
        "gate": "conv_du",
        "layer_attention": "la",
        "position_attention": "csa",
        "layer_fusion": "last_conv",
        "fusion": "last",
    }
    return {
        ".".join(names.get(part, part) for part in key.split(".")): value
        for key, value in method.state_dict().items()
    }


@pytest.mark.parametrize("name", ["edsr", "rcan", "han"])
def test_authors_checkpoints_come_back_as_the_same_function(name: str, tmp_path) -> None:
    original = distinct(create(name, "smoke"))
    path = tmp_path / "weights.pt"
    torch.save(authors_state(original), path)
    loaded = load_official(name, path, "smoke")
    image = images(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), original.restore(image))


def test_han_has_names_of_its_own() -> None:
    state = {"la.gamma": torch.ones(1), "last.bias": torch.ones(2), "last_conv.bias": torch.ones(3)}
    assert {key: len(value) for key, value in HAN.map_official_state(state).items()} == {
        "layer_attention.gamma": 1,
        "fusion.bias": 2,
        "layer_fusion.bias": 3,
    }


def test_swinir_refuses_windows_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="windows whose side divides 8, found 6"):
        create("swinir", "smoke", window=6)
    with pytest.raises(ValueError, match="heads for each of 1 groups, found 2"):
        create("swinir", "smoke", heads=(2, 2))
