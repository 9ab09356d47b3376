"""Names of the parameters in the authors' checkpoints, and what they are called here.

Both public releases save one network with `degradation_net`, `restoration_net` and D. D stands
there twice, because the restoration network keeps a reference to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ndr.checkpoint import CheckpointError
from ndr.layers.transformer_block import OFFICIAL_NAMES as TRANSFORMER_NAMES

REPRESENTATION_KEY = "degradation_representations"
REPRESENTATION_COPY_KEY = "restoration_net.dr"


def _level(name: str) -> Callable[[re.Match[str]], str]:
    """Replacement by a name with the level, which counts from 1 there and from 0 here."""
    return lambda match: name.format(int(match[1]) - 1)


OFFICIAL_NAMES = (
    (rf"^{REPRESENTATION_KEY}$", "restoration.representation.vectors"),
    (r"^restoration_net\.", "restoration."),
    (r"^degradation_net\.", "degradation."),
    (r"\.pool([123])\.body\.0\.", _level(".downsamplings.{}.convolution.")),
    (r"\.up([123])\.body\.0\.", _level(".upsamplings.{}.convolution.")),
    (r"\.block([123])\.", _level(".encoders.{}.")),
    (r"\.block_up([123])\.0\.", _level(".fusions.{}.")),
    # Blocks stand behind the 1x1 convolution that is number 0 there; NDR-Degrad has one.
    (r"^degradation\.block_up([123])\.1\.", _level("degradation.decoders.{}.")),
    (r"\.block_up([123])\.(\d+)\.", lambda m: f".decoders.{int(m[1]) - 1}.{int(m[2]) - 1}."),
    (r"\.conv\.0\.", ".first."),
    (r"\.conv\.2\.", ".second."),
    (r"\.res_connect([123])\.mapping\.", _level(".queries.{}.mapping.0.")),
    (r"\.res_connect([123])\.degradation_recog\.", _level(".queries.{}.")),
    (r"(\.queries\.\d\.)attn\.qkv\.", r"\1mapping.1."),
    (r"(\.queries\.\d\.)attn\.project_out\.", r"\1projection.0."),
    (r"(\.queries\.\d\.)ffn\.project_out\.", r"\1projection.1."),
    (r"(\.queries\.\d\.)attn\.", r"\1"),
    (r"\.res_connect([123])\.inject_degradation\.", _level(".injections.{}.")),
    (r"\.inject_degradation([123])\.", _level(".injections.{}.")),
    (r"\.conv1\.", ".mixing."),
    (r"\.f\.", ".scale."),
    (r"\.g\.", ".shift."),
    (r"\.low_rank_transform1\.", ".degradation_cp."),
    (r"\.low_rank_transform3\.", ".feature_cp."),
    (r"\.conv_C\.1\.", ".channel_projection."),
    (r"\.conv_H\.1\.", ".height_projection."),
    (r"\.conv_W\.1\.", ".width_projection."),
    (r"\.refinement\.body\.0\.body\.0\.", ".refinement.first."),
    (r"\.refinement\.body\.0\.body\.2\.", ".refinement.second."),
    (r"\.refinement\.body\.0\.body\.3\.conv_du\.0\.", ".refinement.squeeze."),
    (r"\.refinement\.body\.0\.body\.3\.conv_du\.2\.", ".refinement.excite."),
    (r"\.refinement\.body\.1\.", ".refinement.last."),
    *TRANSFORMER_NAMES,
)

_LINEAR = re.compile(r"\.(channel|height|width)_projection\.|\.refinement\.(squeeze|excite)\.")
"""1x1 convolutions of pooled features there, linear layers here."""


def never_used_keys() -> frozenset[str]:
    """Parameters that the first release creates and never uses, by their exact names.

    In each injection of either network: a grouped 3x3 convolution and a second CP convolution of U.
    """
    injections = [
        *(f"restoration_net.res_connect{level}.inject_degradation" for level in (1, 2, 3)),
        *(f"degradation_net.inject_degradation{level}" for level in (1, 2, 3)),
    ]
    layers = ["fg_dwconv", *(f"low_rank_transform2.conv_{axis}.1" for axis in "CHW")]
    return frozenset(
        f"{injection}.{layer}.{kind}"
        for injection in injections
        for layer in layers
        for kind in ("weight", "bias")
    )


def never_used_count(width: int, degradation_width: int, rank: int) -> int:
    """Parameters per network in the layers of `never_used_keys`.

    >>> never_used_count(48, 64, 16)
    1077504
    """
    count = 0
    for level in range(3):
        channels = width * 2**level
        grouped_convolution = 2 * channels * channels * 9 + 2 * channels
        second_cp = (degradation_width + 1) * rank * (degradation_width + 2)
        count += grouped_convolution + second_cp
    return count


def parts_in_use(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of either release without the never-used layers, and with D, (N, M), once.

    Raises:
        CheckpointError: it has some but not all of the never-used layers, or not two equal copies
            of D; the message names the keys.
    """
    never_used = never_used_keys()
    missing = sorted(never_used - state.keys())
    if missing and len(missing) != len(never_used):
        raise CheckpointError(
            f"the checkpoint has some of the {len(never_used)} never-used parameters of the first "
            f"release, but not {', '.join(missing[:10])}"
        )
    copies = [state.get(key) for key in (REPRESENTATION_KEY, REPRESENTATION_COPY_KEY)]
    if copies[0] is None or copies[1] is None:
        raise CheckpointError(
            f"the checkpoint lacks D: expected {REPRESENTATION_KEY} and {REPRESENTATION_COPY_KEY}"
        )
    if not torch.equal(copies[0], copies[1]):
        raise CheckpointError(
            f"{REPRESENTATION_KEY} and {REPRESENTATION_COPY_KEY} are one tensor in the authors' "
            "network, but differ in this checkpoint"
        )
    left_out = {*never_used, REPRESENTATION_COPY_KEY}
    used = {key: value for key, value in state.items() if key not in left_out}
    return {**used, REPRESENTATION_KEY: copies[0].squeeze(0)}


def own_layers(mapped: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Flatten what is linear here, and join the convolutions of scale and shift, which are one.

    Raises:
        CheckpointError: scale without shift, or the reverse.
    """
    joined: dict[str, Tensor] = {}
    for name, value in mapped.items():
        layer, _, kind = name.rpartition(".")
        owner, _, role = layer.rpartition(".")
        if role not in ("scale", "shift"):
            is_linear = _LINEAR.search(name) and value.ndim == 4
            joined[name] = value.flatten(1) if is_linear else value
            continue
        partner = f"{owner}.{'shift' if role == 'scale' else 'scale'}.{kind}"
        if partner not in mapped:
            raise CheckpointError(f"the checkpoint has {name} (named as here) but not {partner}")
        if role == "scale":
            joined[f"{owner}.scale_and_shift.{kind}"] = torch.cat((value, mapped[partner]))
    return joined
