"""What EDSR, RCAN, HAN and CSNLN share: residual groups, the mean colour, the short start."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.bicubic import enlarge_bicubic
from ndr.layers.initialisation import start_at_zero
from ndr.method import Method, SideInformation

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean of the training images of DIV2K, RGB in [0, 1]."""

STEP_RECIPE: dict[str, Any] = {
    "batch": 16,
    "patch": 96,
    "learning_rate": 1e-4,
    "betas": (0.9, 0.999),
    "weight_decay": 0.0,
    "schedule": "multistep",
    "gamma": 0.5,
    "gradient_clip_norm": None,
    "pixel_loss": "l1",
}
"""What the published recipes of the four share: Adam, degraded patches of 48x48 pixels."""
SHORT_TRAINING = {"image_range": 1.0, "start_at_bicubic": True}
"""Arguments of all narrow presets: a range of 255 needs small learning rates and many steps."""


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def shuffling_tail(channels: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, 3, 2 H, 2 W): convolution, pixel shuffle, convolution."""
    enlarging = nn.Sequential(convolution(channels, 4 * channels), nn.PixelShuffle(2))
    return nn.Sequential(enlarging, convolution(channels, 3))


class ChannelAttention(nn.Module):
    """Weighs channels by a small network on their means (squeeze and excitation).

    Args:
        channels: of the features.
        reduction: channels over those between the two layers.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return features * self.gate(features.mean(dim=(2, 3), keepdim=True))


class Residual(nn.Module):
    """Adds its input to the output of `body`."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return features + self.body(features)


def attention_block(channels: int, reduction: int) -> Residual:
    """Residual channel-attention block (RCAB)."""
    return Residual(
        convolution(channels, channels),
        nn.ReLU(inplace=True),
        convolution(channels, channels),
        ChannelAttention(channels, reduction),
    )


def residual_groups(channels: int, groups: int, blocks: int, reduction: int) -> nn.Sequential:
    """Groups of attention blocks, each closed by a convolution, and a last convolution.

    Args:
        channels: width throughout.
        groups: number of groups.
        blocks: attention blocks in each.
        reduction: see `ChannelAttention`; must divide `channels`.
    """
    if channels % reduction:
        raise ValueError(
            f"expected a number of channels that divides by the reduction {reduction}, "
            f"found {channels}"
        )
    return nn.Sequential(
        *(
            Residual(
                *(attention_block(channels, reduction) for _ in range(blocks)),
                convolution(channels, channels),
            )
            for _ in range(groups)
        ),
        convolution(channels, channels),
    )


class MeanShift(nn.Module):
    """Adds or subtracts the mean colour as a 1x1 convolution, which starts as that.

    Args:
        image_range: value of white.
        sign: 1 adds, -1 subtracts.
        learned: whether weight and bias (12 numbers) are trained. RCAN and HAN mean to fix them,
            but set `requires_grad` on the module, which has no effect, so their networks train
            them; EDSR and CSNLN do fix them.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, image_range: float, sign: int, *, learned: bool) -> None:
        super().__init__()
        values = {
            "weight": torch.eye(3).reshape(3, 3, 1, 1),
            "bias": sign * image_range * torch.tensor(DIV2K_MEAN),
        }
        for name, value in values.items():
            if learned:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> same shape, in single precision."""
        # Autocast would round the image itself to eight bits of mantissa.
        with torch.autocast(image.device.type, enabled=False):
            return F.conv2d(image.to(self.weight.dtype), self.weight, self.bias)


class MeanShiftedNetwork(Method):
    """Base of networks that enlarge an image whose mean colour is subtracted.

    Subclasses define `enlarge` and call `start_at_bicubic_interpolation` where asked to.

    Args:
        image_range: value of white inside the network.
        add_bicubic: add the enlarged input to the output, which the authors' networks do not;
            for short trainings.
        learned_shift: see `MeanShift`.
    """

    def __init__(self, *, image_range: float, add_bicubic: bool, learned_shift: bool) -> None:
        super().__init__()
        self.image_range = image_range
        self.add_bicubic = add_bicubic
        self.sub_mean = MeanShift(image_range, -1, learned=learned_shift)
        self.add_mean = MeanShift(image_range, 1, learned=learned_shift)

    def enlarge(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, 2 H, 2 W), both around zero."""
        raise NotImplementedError

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> (B, 3, 2 H, 2 W), not clipped."""
        image = self.sub_mean(degraded * self.image_range)
        enlarged = self.enlarge(image)
        if self.add_bicubic:
            enlarged = enlarged + enlarge_bicubic(image)
        return self.add_mean(enlarged) / self.image_range

    def start_at_bicubic_interpolation(self, last: nn.Module) -> None:
        """Zero the last convolution, if the enlarged input is added to its output."""
        if self.add_bicubic:
            start_at_zero(last)
