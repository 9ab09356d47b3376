"""The one door to the networks of the package spandrel.

Their classes are no public interface of the package, so its version is pinned, every path into it
stands here, and a test builds each network.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from baselines.super_resolution.residual_groups import DIV2K_MEAN
from ndr.layers.layer_norm import LayerNorm
from ndr.layers.transformer_block import ChannelLayerNorm


def _network_class(architecture: str, module: str, name: str) -> type[nn.Module]:
    """Import the class of one network, without the package's other forty.

    `import spandrel` imports all its networks, one of these torchvision, and that TorchDynamo: 2 s
    of processor time, where one network takes 0.01 s. Some 25 processes of a report make one. The
    package has no other way in, so while a network is imported an empty module stands for the
    package. It is taken away again, and a later `import spandrel` finds the real one.
    """
    path = f"spandrel.architectures.{architecture}.__arch.{module}"
    if "spandrel" in sys.modules:
        return getattr(importlib.import_module(path), name)
    spec = importlib.util.find_spec("spandrel")
    if spec is None:
        raise ModuleNotFoundError(
            f"{name} is a network of the package spandrel, which is not installed: "
            "install what requirements.lock lists",
            name="spandrel",
        )
    sys.modules["spandrel"] = importlib.util.module_from_spec(spec)
    try:
        return getattr(importlib.import_module(path), name)
    finally:
        del sys.modules["spandrel"]


class _NumbersOnCPU(TorchFunctionMode):
    """Keeps `torch.linspace` on the CPU: constructors read its values, which meta has not."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs["device"] = "cpu"
        return func(*args, **kwargs)


@contextlib.contextmanager
def _construction() -> Iterator[None]:
    """What the constructors of the transformers need: numbers on the CPU, and no old warning."""
    with _NumbersOnCPU(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        yield


def nafnet(
    width: int, middle_blocks: int, encoder_blocks: Sequence[int], decoder_blocks: Sequence[int]
) -> nn.Module:
    """NAFNet (Chen et al., ECCV 2022) with the authors' key names.

    Its forward takes (B, 3, H, W), adds the input to the output, and pads by zeros to a multiple
    of 2 to the number of levels. Its layer norms, which are written by hand in the package, are
    the suite's: the same numbers in a third of the time.

    Args:
        width: channels of the first level; they double at each level.
        middle_blocks: blocks at the lowest resolution.
        encoder_blocks: blocks of each encoder level, from the first to the lowest.
        decoder_blocks: blocks of each decoder level, from the lowest to the first.
    """
    network = _network_class("NAFNet", "NAFNet_arch", "NAFNet")(
        width=width,
        middle_blk_num=middle_blocks,
        enc_blk_nums=list(encoder_blocks),
        dec_blk_nums=list(decoder_blocks),
    )
    for block in network.modules():
        for name, part in list(block.named_children()):
            if type(part).__name__ == "LayerNorm2d":
                theirs: Any = part
                setattr(block, name, ChannelLayerNorm(len(theirs.weight), epsilon=theirs.eps))
    return network


def nafnet_output(network: nn.Module, images: Tensor) -> Tensor:
    """What `nafnet` adds to its input: (B, 3, H, W) -> (B, channels of its last layer, H, W)."""
    part = network.get_submodule
    features = part("intro")(images)
    skips = []
    for encoder, down in zip(part("encoders").children(), part("downs").children(), strict=True):
        skips.append(encoder(features))
        features = down(skips[-1])
    features = part("middle_blks")(features)
    for decoder, up in zip(part("decoders").children(), part("ups").children(), strict=True):
        features = decoder(up(features) + skips.pop())
    return part("ending")(features)


def swinir(
    *,
    scale: int,
    width: int,
    depths: Sequence[int],
    heads: Sequence[int],
    window: int,
    drop_path: float,
    training_size: int,
    direct_shuffle: bool,
) -> nn.Module:
    """SwinIR for classical super-resolution (Liang et al., 2021) with the authors' key names.

    Its forward takes (B, 3, H, W) in [0, 1] and pads by reflection to a multiple of `window`. The
    last layer is `conv_last`, or `upsample.0` with `direct_shuffle`; the mean colour is added to
    its output.

    Args:
        scale: side of the output over side of the input.
        width: channels.
        depths: layers of each residual group.
        heads: attention heads of each group.
        window: side of the windows.
        drop_path: largest probability that a layer is skipped in training.
        training_size: side of the training patches: the masks for this size are in the state.
        direct_shuffle: enlarge by one convolution and pixel shuffle, as the lightweight network.
    """
    with _construction():
        return _network_class("SwinIR", "SwinIR", "SwinIR")(
            img_size=training_size,
            embed_dim=width,
            depths=list(depths),
            num_heads=list(heads),
            window_size=window,
            mlp_ratio=2,
            drop_path_rate=drop_path,
            norm_layer=LayerNorm,
            upscale=scale,
            upsampler="pixelshuffledirect" if direct_shuffle else "pixelshuffle",
        )


def hat(
    *,
    scale: int,
    width: int,
    depths: Sequence[int],
    heads: Sequence[int],
    window: int,
    squeeze_factor: int,
    tail_width: int,
    drop_path: float,
) -> nn.Module:
    """HAT (Chen et al., CVPR 2023) with the authors' key names.

    Its forward takes (B, 3, H, W) in [0, 1] and pads by reflection to a multiple of `window`.
    `conv_last` is the last layer; the mean colour is added to its output.

    Args:
        scale: side of the output over side of the input: 1 or 2.
        width: channels.
        depths: layers of each residual group.
        heads: attention heads of each group.
        window: side of the windows.
        squeeze_factor: channels over those inside the channel attention.
        tail_width: channels after the last group (64 in the authors' networks).
        drop_path: largest probability that a layer is skipped in training.
    """
    with _construction():
        return _network_class("HAT", "HAT", "HAT")(
            embed_dim=width,
            depths=tuple(depths),
            num_heads=tuple(heads),
            window_size=window,
            squeeze_factor=squeeze_factor,
            overlap_ratio=0.5,
            mlp_ratio=2,
            drop_path_rate=drop_path,
            norm_layer=LayerNorm,
            upscale=scale,
            num_feat=tail_width,
        )


def without_mean_colour(images: Tensor) -> Tensor:
    """Undo what SwinIR and HAT add to the output of their last layer, (B, 3, H, W)."""
    return images - torch.tensor(DIV2K_MEAN, device=images.device).reshape(1, 3, 1, 1)
