"""Compared systems as one would write them down first: the "before" of `bench.method_speed`.

Same parameters and, but for rounding, same numbers as the systems of `baselines/`.
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from baselines.all_in_one import airnet
from baselines.dehazing import dehazeformer
from baselines.deraining import drt
from ndr.layers import layer_norm, transformer_block
from ndr.method import Method


def deformable_convolution(
    features: Tensor, offsets: Tensor, mask: Tensor, weight: Tensor
) -> Tensor:
    """torchvision's; arguments as in `baselines.all_in_one.airnet`."""
    from torchvision.ops import deform_conv2d  # noqa: PLC0415 - not in the process that is lean

    return deform_conv2d(features, offsets.contiguous(), weight, padding=1, mask=mask)


def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """PyTorch's; arguments as in `ndr.layers.biased_attention`."""
    return F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype))


def layer_norm_in_type(
    features: Tensor, weight: Tensor, bias: Tensor | None, epsilon: float
) -> Tensor:
    """PyTorch's in the type of the features; arguments as in `ndr.layers.layer_norm`."""
    return F.layer_norm(features, weight.shape, weight, bias, epsilon)


def write_straightforwardly(method: Method) -> None:
    """Give this process the straightforward formulations, and `method` what it has of them.

    For the rest of the process: modules are changed, not copies of them.
    """
    for module, name, function in (
        (airnet, "deformable_convolution", deformable_convolution),
        (drt, "biased_attention", biased_attention),
        (dehazeformer, "biased_attention", biased_attention),
        (layer_norm, "exact_layer_norm", layer_norm_in_type),
        (transformer_block, "exact_layer_norm", layer_norm_in_type),
        (dehazeformer.WideDepthwise, "forward", nn.Conv2d.forward),
    ):
        setattr(module, name, function)
    type(method).trains_channels_last = False
    if method.info.name == "nafnet":
        _give_nafnet_its_norms(method)


def _give_nafnet_its_norms(method: Method) -> None:
    """The package's layer norms, which are written by hand."""
    network = method.get_submodule("network")
    package = type(network).__module__.replace("NAFNet_arch", "arch_util")
    norm: Any = importlib.import_module(package).LayerNorm2d
    for block in network.modules():
        for name, part in list(block.named_children()):
            if isinstance(part, transformer_block.ChannelLayerNorm):
                theirs = norm(len(part.weight), part.epsilon)
                theirs.load_state_dict(part.state_dict())
                setattr(block, name, theirs)
