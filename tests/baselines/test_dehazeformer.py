"""DehazeFormer: sizes, its parts written out, the authors' checkpoints."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.dehazing.dehazeformer import (
    SIZES,
    WINDOW,
    RescaledLayerNorm,
    SelectiveFusion,
    WideDepthwise,
    WindowAttention,
    relative_positions,
)
from ndr.method import parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.registry import create, load_official, method_class


def distinct(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give all parameters different values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", ["T", "S", "M", "L"])
def test_sizes(size: str) -> None:
    """D and W differ from these in depth and width only; B is the contract's."""
    with torch.device("meta"):
        assert parameter_count(create("dehazeformer", size=size)) == SIZES[size][-1]


def test_refuses_other_sizes() -> None:
    with pytest.raises(UnknownNameError, match="unknown size of dehazeformer 'XL'"):
        create("dehazeformer", size="XL")
    with pytest.raises(ValueError, match=r"expected 5 channels \(a, b, c, b, a\)"):
        create("dehazeformer", channels=(8, 8, 12, 8, 12))
    with pytest.raises(ValueError, match="4 heads do not divide 10 channels"):
        create("dehazeformer", channels=(8, 10, 12, 10, 8))


def test_norm_can_be_undone() -> None:
    norm = distinct(RescaledLayerNorm(4))
    features = 3 * images(2, 4, 5, 6) + 1
    normalised, scale, shift = norm(features)
    for index in range(2):
        values = features[index]
        deviation = torch.sqrt(values.var(correction=0) + 1e-5)
        expected = (values - values.mean()) / deviation
        expected = expected * norm.weight[0] + norm.bias[0]
        torch.testing.assert_close(normalised[index], expected)
        for found, layer, value in (
            (scale, norm.scale_of_deviation, deviation),
            (shift, norm.shift_of_mean, values.mean()),
        ):
            weight, bias = layer.weight.flatten(), layer.bias
            torch.testing.assert_close(found[index].flatten(), weight * value + bias)


def test_relative_positions() -> None:
    table = relative_positions(8)
    assert table.shape == (64, 64, 2)
    row, column = table[0, 8 * 3 + 5]  # from (0, 0) to (3, 5)
    assert (row, column) == (-torch.log(torch.tensor(4.0)), -torch.log(torch.tensor(6.0)))
    assert torch.equal(table, -table.transpose(0, 1))


def reflected(index: int, length: int) -> int:
    index = abs(index)
    return index if index < length else 2 * (length - 1) - index


@pytest.mark.parametrize("shifted", [False, True])
def test_attention_written_out(shifted: bool) -> None:
    """Window by window and head by head; behind its border the image is mirrored."""
    heads, channels, height, width = 2, 6, 11, 16
    layer = distinct(WindowAttention(channels, heads, shifted, "depthwise", 10))
    joined = images(1, 3 * channels, height, width) - 0.5
    bias = layer.position_bias(relative_positions(WINDOW))
    shift = 4 if shifted else 0
    expected = torch.zeros(channels, height, width)
    for top in range(-shift, height, WINDOW):
        for left in range(-shift, width, WINDOW):
            places = [(top + r, left + c) for r in range(WINDOW) for c in range(WINDOW)]
            pixels = torch.stack(
                [joined[0, :, reflected(r, height), reflected(c, width)] for r, c in places]
            )
            for head in range(heads):
                part = slice(3 * head, 3 * head + 3)
                q, k, v = (pixels[:, channels * n : channels * (n + 1)][:, part] for n in range(3))
                weights = (q @ k.T / math.sqrt(3) + bias[..., head]).softmax(-1)
                for (r, c), value in zip(places, weights @ v, strict=True):
                    if 0 <= r < height and 0 <= c < width:
                        expected[part, r, c] = value
    torch.testing.assert_close(layer.attended(joined)[0], expected)


@pytest.mark.parametrize("kind", ["depthwise", "plain"])
def test_blocks_without_attention(kind: str) -> None:
    layer = distinct(WindowAttention(4, 0, False, kind, 10))
    features = images(1, 4, 6, 6)
    if kind == "plain":
        assert torch.equal(layer(features), layer.convolution(features))
    else:
        expected = layer.projection(layer.convolution(layer.value(features)))
        assert torch.equal(layer(features), expected)


def test_fusion_weights_add_up_to_one() -> None:
    fusion = distinct(SelectiveFusion(6))
    same = images(2, 6, 4, 4)
    torch.testing.assert_close(fusion(same, same), same)
    first, second = same, images(2, 6, 4, 4).flip(0)
    logits = fusion.weights((first + second).mean((2, 3), keepdim=True))
    share = torch.sigmoid(logits[:, :6] - logits[:, 6:])
    torch.testing.assert_close(fusion(first, second), share * first + (1 - share) * second)


def test_output_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """K I - B + I in [-1, 1], with one K for the three colours."""
    method = create("dehazeformer", "smoke")
    image, output = images(1, 3, 32, 32), images(1, 4, 32, 32)
    monkeypatch.setattr(method, "features", lambda images: output)
    method.output = nn.Identity()
    i = 2 * image - 1
    expected = output[:, :1] * i - output[:, 1:] + i
    torch.testing.assert_close(method.restore(image), (expected + 1) / 2)


def authors_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """This class's names in the authors' words, by single replacements."""
    plain = {
        "embedding": "patch_embed.proj",
        "output": "patch_unembed.proj.0",
        "norm.scale_of_deviation": "norm1.meta1",
        "norm.shift_of_mean": "norm1.meta2",
        "norm": "norm1",
        "attention.position_bias": "attn.attn.meta",
        "attention.query_key": "attn.QK",
        "attention.value": "attn.V",
        "attention.projection": "attn.proj",
        "attention.convolution": "attn.conv",
        "feed_forward": "mlp.mlp",
    }
    renamed = {}
    for key, value in state.items():
        head, number, *rest = key.split(".")
        tail = ".".join(rest)
        if head == "stages":
            block, _, inner = tail.partition(".")
            old = max((p for p in plain if inner.startswith(f"{p}.")), key=len)
            name = f"layer{number}.blocks.{block}.{plain[old]}{inner[len(old) :]}"
        elif head in ("downsampling", "skips", "upsampling", "fusion"):
            stem = {
                "downsampling": f"patch_merge{number}.proj",
                "skips": f"skip{number}",
                "upsampling": f"patch_split{number}.proj.0",
                "fusion": f"fusion{number}.mlp",
            }[head]
            name = f"{stem}.{tail.removeprefix('weights.')}"
        else:
            name = ".".join([plain[head], number, *rest])
        renamed[name] = value
    return renamed


def test_official_names(tmp_path: Path) -> None:
    """A network written as its authors would comes back as the same function."""
    method = distinct(create("dehazeformer", size="T"))
    state = authors_names(method.state_dict())
    state["layer2.blocks.2.attn.attn.relative_positions"] = relative_positions(WINDOW)
    assert method_class("dehazeformer").official_changes(state) == {"size": "T"}
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "t.pth")
    loaded = load_official("dehazeformer", tmp_path / "t.pth")
    image = images(1, 3, 33, 40)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), method.restore(image))


def test_small_patches_train() -> None:
    method = distinct(create("dehazeformer", "smoke"))
    patch = images(1, 3, 16, 12)
    padded = F.pad(F.pad(patch, (0, 11, 0, 15), "reflect"), (0, 9, 0, 1), "reflect")
    restored = method(patch, None)
    torch.testing.assert_close(restored, method(padded, None)[..., :16, :12])


def test_wide_convolution_in_half_precision() -> None:
    """It computes in 32 bits what 16 are given and returned; its weights learn as exactly."""
    torch.manual_seed(0)
    layer = WideDepthwise(6)
    features = torch.randn(2, 6, 16, 16).bfloat16().requires_grad_()
    above = torch.randn(2, 6, 16, 16).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(features)
    assert output.dtype == torch.bfloat16
    found = torch.autograd.grad(output, (features, *layer.parameters()), above)
    layer.double()
    exact = features.detach().double().requires_grad_()
    result = layer(exact)
    expected = torch.autograd.grad(result, (exact, *layer.parameters()), above.double())
    for one, other in zip((output, *found), (result, *expected), strict=True):
        bound = 1e-6 if one.dtype == torch.float32 else 3e-3
        assert (one - other).norm() <= bound * other.norm()
