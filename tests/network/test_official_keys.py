"""Checkpoints of both public releases: exact keys in, a network out, anything else refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ndr.method import CheckpointError, load_strictly
from ndr.network.method import NDRRestoreMethod
from ndr.network.official_keys import OFFICIAL_NAMES, never_used_count, never_used_keys
from ndr.registry import load_official

WIDTH, BLOCKS, REFINEMENT, HEADS, EXPANSION = 4, (1, 2, 1, 1), 2, (1, 2, 2, 2), 2.66
U, M, N, K = 6, 10, 5, 3
ARGUMENTS = {
    "width": WIDTH,
    "blocks": BLOCKS,
    "refinement_blocks": REFINEMENT,
    "heads": HEADS,
    "M": M,
    "N": N,
    "K": K,
    "degradation_width": U,
}


map_state = NDRRestoreMethod.map_official_state


def own_name(key: str) -> str:
    for pattern, replacement in OFFICIAL_NAMES:
        key = re.sub(pattern, replacement, key, count=1)
    return key


def transformer(prefix: str, width: int, heads: int) -> dict[str, tuple[int, ...]]:
    hidden = int(width * EXPANSION)
    shapes = {
        "norm1.body.weight": (width,),
        "norm1.body.bias": (width,),
        "attn.temperature": (heads, 1, 1),
        "attn.qkv.weight": (3 * width, width, 1, 1),
        "attn.qkv_dwconv.weight": (3 * width, 1, 3, 3),
        "attn.project_out.weight": (width, width, 1, 1),
        "norm2.body.weight": (width,),
        "norm2.body.bias": (width,),
        "ffn.project_in.weight": (2 * hidden, width, 1, 1),
        "ffn.dwconv.weight": (2 * hidden, 1, 3, 3),
        "ffn.project_out.weight": (width, hidden, 1, 1),
    }
    return {f"{prefix}.{key}": shape for key, shape in shapes.items()}


def convolution(
    prefix: str, channels_out: int, channels_in: int, kernel: int, bias: bool = True
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}.weight": (channels_out, channels_in, kernel, kernel)
    }
    if bias:
        shapes[f"{prefix}.bias"] = (channels_out,)
    return shapes


def cp_block(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    return {
        **convolution(f"{prefix}.conv_C.1", K * width, width, 1),
        **convolution(f"{prefix}.conv_H.1", K, width, 1),
        **convolution(f"{prefix}.conv_W.1", K, width, 1),
    }


def injection(prefix: str, width: int, never_used: bool) -> dict[str, tuple[int, ...]]:
    shapes = {
        **convolution(f"{prefix}.conv1", U, U, 1),
        **convolution(f"{prefix}.f", width, U, 1),
        **convolution(f"{prefix}.g", width, U, 1),
        **cp_block(f"{prefix}.low_rank_transform1", U),
        **cp_block(f"{prefix}.low_rank_transform3", width),
    }
    if never_used:
        # Two groups: each output sees half of the 2 * width inputs.
        shapes |= convolution(f"{prefix}.fg_dwconv", 2 * width, width, 3)
        shapes |= cp_block(f"{prefix}.low_rank_transform2", U)
    return shapes


def u_net(prefix: str) -> dict[str, tuple[int, ...]]:
    shapes = convolution(f"{prefix}.extractor", WIDTH, 3, 3)
    shapes |= convolution(f"{prefix}.reconstruction", 3, 2 * WIDTH, 3)
    for level in (1, 2, 3):
        width = WIDTH * 2 ** (level - 1)
        out = 2 * width if level == 1 else width
        shapes |= convolution(f"{prefix}.pool{level}.body.0", width // 2, width, 3, bias=False)
        shapes |= convolution(f"{prefix}.up{level}.body.0", 4 * width, 2 * width, 3, bias=False)
        shapes |= convolution(f"{prefix}.block_up{level}.0", out, 2 * width, 1, bias=False)
    return shapes


def restoration(never_used: bool) -> dict[str, tuple[int, ...]]:
    net = "restoration_net"
    shapes = u_net(net)
    for level in (1, 2, 3, 4):
        width = WIDTH * 2 ** (level - 1)
        name = "bottom" if level == 4 else f"block{level}"
        for block in range(BLOCKS[level - 1]):
            shapes |= transformer(f"{net}.{name}.{block}", width, HEADS[level - 1])
        if level == 4:
            continue
        for block in range(BLOCKS[level - 1]):
            out = 2 * width if level == 1 else width
            shapes |= transformer(f"{net}.block_up{level}.{block + 1}", out, HEADS[level - 1])
        skip = f"{net}.res_connect{level}"
        shapes |= convolution(f"{skip}.mapping", U, width, 3, bias=False)
        shapes[f"{skip}.degradation_recog.attn.temperature"] = (1,)
        shapes |= convolution(f"{skip}.degradation_recog.attn.qkv", M, U, 1)
        shapes |= convolution(f"{skip}.degradation_recog.attn.project_out", U, M, 1)
        shapes |= convolution(f"{skip}.degradation_recog.ffn.project_out", U, U, 1)
        shapes |= injection(f"{skip}.inject_degradation", width, never_used)
    for block in range(REFINEMENT):
        shapes |= transformer(f"{net}.refinement.{block}", 2 * WIDTH, HEADS[0])
    return shapes


def degradation(never_used: bool) -> dict[str, tuple[int, ...]]:
    net = "degradation_net"
    shapes = u_net(net)
    stages = [(f"block{level}", WIDTH * 2 ** (level - 1)) for level in (1, 2, 3)]
    stages += [("bottom", 8 * WIDTH), ("block_up3.1", 4 * WIDTH), ("block_up2.1", 2 * WIDTH)]
    for name, width in [*stages, ("block_up1.1", 2 * WIDTH)]:
        shapes |= convolution(f"{net}.{name}.conv.0", width, width, 3)
        shapes |= convolution(f"{net}.{name}.conv.2", width, width, 3)
    for level in (1, 2, 3):
        prefix = f"{net}.inject_degradation{level}"
        shapes |= injection(prefix, WIDTH * 2 ** (level - 1), never_used)
    group, wide = f"{net}.refinement.body", 2 * WIDTH
    shapes |= convolution(f"{group}.0.body.0", wide, wide, 3)
    shapes |= convolution(f"{group}.0.body.2", wide, wide, 3)
    shapes |= convolution(f"{group}.0.body.3.conv_du.0", 1, wide, 1)
    shapes |= convolution(f"{group}.0.body.3.conv_du.2", wide, 1, 1)
    shapes |= convolution(f"{group}.1", wide, wide, 3)
    return shapes


def official_state(never_used: bool) -> dict[str, Tensor]:
    """A checkpoint of the first release (`never_used`) or of the current one, random numbers."""
    shapes = {"degradation_representations": (1, N, M)}
    shapes |= restoration(never_used) | degradation(never_used)
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    return {**state, "restoration_net.dr": state["degradation_representations"]}


@pytest.mark.parametrize(
    ("never_used", "variant"), [(True, "first_release"), (False, "current_release")]
)
def test_checkpoints_of_both_releases_load(tmp_path: Path, never_used: bool, variant: str) -> None:
    state = official_state(never_used)
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "model.pth")
    arguments = {key: value for key, value in ARGUMENTS.items() if key != "variant"}
    method = load_official("ndr_restore", tmp_path / "model.pth", **arguments)
    assert isinstance(method, NDRRestoreMethod)
    # Keys and shapes are equal but for the never-used layers; the residuals are not.
    assert method.restoration.image_residual == (variant == "first_release")
    assert torch.equal(method.representation(), state["degradation_representations"][0])
    level = method.restoration.injections[1].scale_and_shift.weight
    prefix = "restoration_net.res_connect2.inject_degradation"
    assert torch.equal(level[: 2 * WIDTH], state[f"{prefix}.f.weight"])
    assert torch.equal(level[2 * WIDTH :], state[f"{prefix}.g.weight"])
    second = method.restoration.decoders[1][1].feed_forward.project_in.weight
    assert torch.equal(second, state["restoration_net.block_up2.2.ffn.project_in.weight"])
    squeeze = method.degradation.refinement.squeeze.weight
    official = state["degradation_net.refinement.body.0.body.3.conv_du.0.weight"]
    assert torch.equal(squeeze, official[:, :, 0, 0])


def test_every_number_of_a_checkpoint_arrives() -> None:
    state = official_state(never_used=False)
    mapped = map_state(state)
    del state["restoration_net.dr"]
    assert sum(v.numel() for v in mapped.values()) == sum(v.numel() for v in state.values())
    total = sum(value.double().sum() for value in mapped.values())
    assert total == pytest.approx(sum(value.double().sum() for value in state.values()))
    assert mapped.keys() == NDRRestoreMethod(**ARGUMENTS).state_dict().keys()


def test_never_used_layers_are_listed_exactly() -> None:
    with_them, without = official_state(never_used=True), official_state(never_used=False)
    assert with_them.keys() - without.keys() == never_used_keys()
    for net in ("restoration_net", "degradation_net"):
        count = sum(
            with_them[key].numel() for key in never_used_keys() if key.startswith(f"{net}.")
        )
        assert count == never_used_count(WIDTH, U, K)


@pytest.mark.parametrize("never_used", [True, False])
@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ("restoration_net.block1.0.attn.gate.weight", "encoders.0.0.attention.gate.weight"),
        ("restoration_net.block5.0.attn.qkv.weight", "block5.0.attention.query_key_value.weight"),
        (
            "degradation_net.inject_degradation1.low_rank_transform4.conv_C.1.weight",
            "injections.0.low_rank_transform4.channel_projection.weight",
        ),
        ("restoration_net.block_up1.0.norm1.body.weight", "fusions.0.attention_norm.weight"),
        ("restoration.queries.0.mapping.0.weight", "(a second restoration.queries.0.mapping.0."),
        ("head.weight", "head.weight"),
    ],
)
def test_an_unknown_key_is_named(never_used: bool, extra: str, named: str) -> None:
    state = official_state(never_used) | {extra: torch.zeros(1)}
    with pytest.raises(CheckpointError, match=rf"1 unknown: .*{re.escape(named)}"):
        NDRRestoreMethod(**ARGUMENTS).load_official_state(state, "checkpoint")


@pytest.mark.parametrize("never_used", [True, False])
def test_each_missing_key_is_an_error(never_used: bool) -> None:
    state = official_state(never_used)
    method = NDRRestoreMethod(**ARGUMENTS)
    for key in state:
        rest = {other: value for other, value in state.items() if other != key}
        kept = {*never_used_keys(), "degradation_representations", "restoration_net.dr"}
        expected = key if key in kept else own_name(key)
        named = expected.rpartition(".")[0].removesuffix(".shift").removesuffix(".scale")
        with pytest.raises(CheckpointError) as error:
            load_strictly(method, map_state(rest), "checkpoint")
        assert named in str(error.value), key


def test_a_key_of_another_depth_is_an_error() -> None:
    state = official_state(never_used=False)
    state["restoration_net.bottom.1.norm1.body.weight"] = torch.ones(8 * WIDTH)
    with pytest.raises(CheckpointError, match=r"restoration\.bottom\.1\.attention_norm\.weight"):
        load_strictly(NDRRestoreMethod(**ARGUMENTS), map_state(state), "checkpoint")


def test_two_different_representations_are_refused() -> None:
    state = official_state(never_used=False)
    state["restoration_net.dr"] = state["restoration_net.dr"] + 1
    with pytest.raises(CheckpointError, match=r"restoration_net\.dr are one tensor"):
        map_state(state)


def test_wrong_shape_is_named() -> None:
    state = official_state(never_used=False)
    state["restoration_net.extractor.weight"] = torch.zeros(WIDTH + 1, 3, 3, 3)
    with pytest.raises(CheckpointError, match=r"extractor\.weight: expected \(4, 3, 3, 3\)"):
        load_strictly(NDRRestoreMethod(**ARGUMENTS), map_state(state), "checkpoint")
