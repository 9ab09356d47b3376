"""Names of the parameters in the authors' checkpoints, and what they are called here.

Both public releases save one network with `degradation_net`, `restoration_net` and D. D stands
there twice, because the restoration network keeps a reference to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ndr.method import CheckpointError

REPRESENTATION_KEY = "degradation_representations"
REPRESENTATION_COPY_KEY = "restoration_net.dr"

_TRANSFORMER = {
    "norm1.body": "attention_norm",
    "attn": "attention",
    "attn.qkv": "attention.query_key_value",
    "attn.qkv_dwconv": "attention.depthwise",
    "attn.project_out": "attention.project_out",
    "norm2.body": "feed_forward_norm",
    "ffn.project_in": "feed_forward.project_in",
    "ffn.dwconv": "feed_forward.depthwise",
    "ffn.project_out": "feed_forward.project_out",
}
_CONVOLUTIONS = {"conv.0": "first", "conv.2": "second"}
_CP = {
    "conv_C.1": "channel_projection",
    "conv_H.1": "height_projection",
    "conv_W.1": "width_projection",
}
_INJECTION = {
    "conv1": "mixing",
    "f": "scale",
    "g": "shift",
    **{f"low_rank_transform1.{there}": f"degradation_cp.{here}" for there, here in _CP.items()},
    **{f"low_rank_transform3.{there}": f"feature_cp.{here}" for there, here in _CP.items()},
}
_QUERY = {
    "mapping": "mapping.0",
    "degradation_recog.attn.qkv": "mapping.1",
    "degradation_recog.attn.project_out": "projection.0",
    "degradation_recog.ffn.project_out": "projection.1",
}
_ATTENTION_GROUP = {
    "body.0.body.0": "first",
    "body.0.body.2": "second",
    "body.0.body.3.conv_du.0": "squeeze",
    "body.0.body.3.conv_du.2": "excite",
    "body.1": "last",
}
_U_NET = {
    "extractor": "extractor",
    "pool{level}.body.0": "downsamplings.{level}.convolution",
    "up{level}.body.0": "upsamplings.{level}.convolution",
    "block_up{level}.0": "fusions.{level}",
    "reconstruction": "reconstruction",
}


def _inside(there: str, here: str, layers: Mapping[str, str]) -> dict[str, str]:
    return {f"{there}.{inner}": f"{here}.{name}" for inner, name in layers.items()}


LAYERS = {
    **_inside("restoration_net", "restoration", _U_NET),
    **_inside(
        "restoration_net.block{level}.{block}", "restoration.encoders.{level}.{block}", _TRANSFORMER
    ),
    **_inside("restoration_net.bottom.{block}", "restoration.bottom.{block}", _TRANSFORMER),
    **_inside(
        "restoration_net.block_up{level}.{next}",
        "restoration.decoders.{level}.{next}",
        _TRANSFORMER,
    ),
    **_inside("restoration_net.refinement.{block}", "restoration.refinement.{block}", _TRANSFORMER),
    **_inside("restoration_net.res_connect{level}", "restoration.queries.{level}", _QUERY),
    "restoration_net.res_connect{level}.degradation_recog.attn": "restoration.queries.{level}",
    **_inside(
        "restoration_net.res_connect{level}.inject_degradation",
        "restoration.injections.{level}",
        _INJECTION,
    ),
    **_inside("degradation_net", "degradation", _U_NET),
    **_inside("degradation_net.block{level}", "degradation.encoders.{level}", _CONVOLUTIONS),
    **_inside("degradation_net.bottom", "degradation.bottom", _CONVOLUTIONS),
    **_inside("degradation_net.block_up{level}.1", "degradation.decoders.{level}", _CONVOLUTIONS),
    **_inside(
        "degradation_net.inject_degradation{level}", "degradation.injections.{level}", _INJECTION
    ),
    **_inside("degradation_net.refinement", "degradation.refinement", _ATTENTION_GROUP),
}
"""Layers there and here. A level counts from 1 there and from 0 here; `{next}` is a block behind
the 1x1 convolution that is number 0 there."""

_NUMBERS = {"level": ("[123]", 1), "block": (r"\d+", 0), "next": (r"[1-9]\d*", 1)}
"""Pattern of a number in a key, and how much less it is here."""

_LINEAR = re.compile(r"\.(channel|height|width)_projection\.|\.refinement\.(squeeze|excite)\.")
"""1x1 convolutions of pooled features there, linear layers here."""


def _pattern(layer: str) -> re.Pattern[str]:
    text = re.escape(layer)
    for name, (digits, _) in _NUMBERS.items():
        text = text.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{digits})")
    return re.compile(rf"{text}\.(?P<kind>weight|bias|temperature)")


_RULES = [(_pattern(there), here) for there, here in LAYERS.items()]


def own_name(key: str) -> str | None:
    """Name here of a parameter there; None for names of neither release.

    >>> own_name("restoration_net.pool2.body.0.weight")
    'restoration.downsamplings.1.convolution.weight'
    """
    for pattern, here in _RULES:
        match = pattern.fullmatch(key)
        if match is not None:
            groups = match.groupdict()
            kind = groups.pop("kind")
            numbers = {name: int(text) - _NUMBERS[name][1] for name, text in groups.items()}
            return f"{here.format(**numbers)}.{kind}"
    return None


def never_used_keys() -> frozenset[str]:
    """Parameters that the first release creates and never uses, by their exact names.

    In each injection of either network: a grouped 3x3 convolution and a second CP convolution of U.
    """
    injections = [
        *(f"restoration_net.res_connect{level}.inject_degradation" for level in (1, 2, 3)),
        *(f"degradation_net.inject_degradation{level}" for level in (1, 2, 3)),
    ]
    layers = ["fg_dwconv", *(f"low_rank_transform2.{layer}" for layer in _CP)]
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


def map_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the state dict of either public release.

    Raises:
        CheckpointError: a key that neither release has, some but not all of the never-used layers,
            scale without shift, or two different copies of D; the message names the keys.
    """
    remaining = _without_never_used(state)
    mapped = _take_representation(remaining)
    names = {key: own_name(key) for key in remaining}
    unknown = sorted(key for key, name in names.items() if name is None)
    if unknown:
        raise CheckpointError(
            f"{len(unknown)} keys belong to no public release of NDR-Restore: "
            + ", ".join(unknown[:10])
        )
    for key, name in names.items():
        value = remaining[key]
        assert name is not None
        if _LINEAR.search(name) and value.ndim == 4:
            value = value.flatten(1)
        mapped[name] = value
    return _joined_affine(mapped)


def _without_never_used(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    known = never_used_keys()
    missing = sorted(known - state.keys())
    if missing and len(missing) != len(known):
        raise CheckpointError(
            f"the checkpoint has some of the {len(known)} never-used parameters of the first "
            f"release, but not {', '.join(missing[:10])}"
        )
    return {key: value for key, value in state.items() if key not in known}


def _take_representation(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move both copies of D, (1, N, M) each, out of the state."""
    copies = [state.pop(key, None) for key in (REPRESENTATION_KEY, REPRESENTATION_COPY_KEY)]
    if copies[0] is None or copies[1] is None:
        raise CheckpointError(
            f"the checkpoint lacks D: expected {REPRESENTATION_KEY} and {REPRESENTATION_COPY_KEY}"
        )
    if not torch.equal(copies[0], copies[1]):
        raise CheckpointError(
            f"{REPRESENTATION_KEY} and {REPRESENTATION_COPY_KEY} are one tensor in the authors' "
            "network, but differ in this checkpoint"
        )
    return {"restoration.representation.vectors": copies[0].squeeze(0)}


def _joined_affine(mapped: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join the convolutions of scale and shift, which are one here."""
    joined: dict[str, Tensor] = {}
    for name, value in mapped.items():
        layer, _, kind = name.rpartition(".")
        owner, _, role = layer.rpartition(".")
        if role not in ("scale", "shift"):
            joined[name] = value
            continue
        partner = f"{owner}.{'shift' if role == 'scale' else 'scale'}.{kind}"
        if partner not in mapped:
            raise CheckpointError(f"the checkpoint has {name} (named as here) but not {partner}")
        if role == "scale":
            joined[f"{owner}.scale_and_shift.{kind}"] = torch.cat((value, mapped[partner]))
    return joined
