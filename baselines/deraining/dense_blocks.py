"""Dense blocks and transitions of the deraining networks by H. Zhang, R. Yasarla and V. Patel.

Their authors train and test with one image at a time, so that batch normalisation, whose running
statistics they never use, normalises each image by itself. So do these layers, for any batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.initialisation import start_at_zero
from ndr.nearest_name import check_names

RESIZES = ("same", "halve", "double")
RECIPE: Mapping[str, Any] = {
    "patch": 512,
    "batch": 1,
    "learning_rate": 2e-4,
    "betas": (0.5, 0.999),
    "weight_decay": 5e-5,
}
"""How the authors train DID-MDN and UMRL."""


class DenseBlock(nn.Module):
    """Bottleneck block (Huang et al., CVPR 2017) whose output is joined to its input.

    Args:
        channels: of the input.
        growth: channels that are added.
        kernel: side of the second convolution.
    """

    def __init__(self, channels: int, growth: int, kernel: int) -> None:
        super().__init__()
        self.channels = channels + growth
        self.norm1 = nn.InstanceNorm2d(channels, affine=True)
        self.reduction = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.InstanceNorm2d(4 * growth, affine=True)
        self.convolution = nn.Conv2d(4 * growth, growth, kernel, padding=kernel // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, channels + growth, H, W)."""
        reduced = self.reduction(F.relu(self.norm1(features), inplace=True))
        added = self.convolution(F.relu(self.norm2(reduced), inplace=True))
        return torch.cat([features, added], dim=1)


class Transition(nn.Module):
    """Change the number of channels, and halve, keep or double the size.

    Args:
        channels_in: of the input.
        channels: of the output.
        resize: one of `RESIZES`; by means of 2x2 pixels, or by repeating pixels.
    """

    def __init__(self, channels_in: int, channels: int, resize: str) -> None:
        super().__init__()
        check_names("resize", [resize], RESIZES)
        self.resize = resize
        self.norm = nn.InstanceNorm2d(channels_in, affine=True)
        self.projection = nn.Conv2d(channels_in, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels, H', W')."""
        features = F.relu(self.norm(features), inplace=True)
        if self.resize == "halve":
            # A mean and a 1x1 convolution commute: first the one that leaves less to do.
            return self.projection(F.avg_pool2d(features, 2))
        features = self.projection(features)
        return F.interpolate(features, scale_factor=2.0) if self.resize == "double" else features


class Stage(nn.Sequential):
    """A dense block and the transition after it."""

    def __init__(
        self, channels_in: int, growth: int, channels: int, kernel: int, resize: str
    ) -> None:
        block = DenseBlock(channels_in, growth, kernel)
        super().__init__(block, Transition(block.channels, channels, resize))


class Refinement(nn.Module):
    """Last layers, which retouch the derained image: 7x7 and 3x3 convolutions, values in [-1, 1].

    Args:
        residual: add the retouch to the image and start at none, for short trainings. The authors'
            layers return a new image, and have to learn the old one first.
    """

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.first = nn.Conv2d(3, 8, 7, padding=3)
        self.second = nn.Conv2d(8, 3, 3, padding=1)
        if residual:
            start_at_zero(self.second)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> the same shape."""
        retouched = self.second(F.leaky_relu(self.first(images), 0.2))
        return images + retouched if self.residual else torch.tanh(retouched)


_OFFICIAL = re.compile(
    r"(.*?)(dense_block|trans_block|conv)(\d(?:_\d)?)\.(bn1|conv1|bn2|conv2)\.(weight|bias)"
)
_STATISTICS = re.compile(r".*\.(running_mean|running_var|num_batches_tracked)")
_BLOCK_LAYERS = {"bn1": "norm1", "conv1": "reduction", "bn2": "norm2", "conv2": "convolution"}
_TRANSITION_LAYERS = {"bn1": "norm", "conv1": "projection"}


def map_dense_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the keys of the authors' blocks and transitions to those of `stage<number>`.

    Running statistics are dropped: their networks never use them. The 1x1 convolutions of their
    transitions are transposed ones, with the channel axes exchanged. Other keys stay.
    """

    def mapped(key: str, value: Tensor) -> tuple[str, Tensor]:
        match = _OFFICIAL.fullmatch(key)
        if match is None:
            return key, value
        prefix, kind, number, layer, part = match.groups()
        if kind != "trans_block":
            return f"{prefix}stage{number}.0.{_BLOCK_LAYERS[layer]}.{part}", value
        name = f"{prefix}stage{number}.1.{_TRANSITION_LAYERS.get(layer, layer)}.{part}"
        # A vector here is a mistake of the file, which loading reports.
        return name, value.transpose(0, 1) if layer == "conv1" and value.ndim > 1 else value

    return dict(
        mapped(key, value) for key, value in state.items() if not _STATISTICS.fullmatch(key)
    )
