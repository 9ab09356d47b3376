"""Halving and doubling the size of feature maps by pixel (un)shuffling."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Downsample(nn.Module):
    """(B, C, H, W) -> (B, 2 C, H / 2, W / 2): 3x3 convolution to C / 2, pixel unshuffle by 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"downsampling needs an even number of channels, found {width}")
        self.convolution = nn.Conv2d(width, width // 2, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Halve the size; H and W are even."""
        return F.pixel_unshuffle(self.convolution(features), 2)


class Upsample(nn.Module):
    """(B, C, H, W) -> (B, C / 2, 2 H, 2 W): 3x3 convolution to 2 C, pixel shuffle by 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"upsampling needs an even number of channels, found {width}")
        self.convolution = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Double the size."""
        return F.pixel_shuffle(self.convolution(features), 2)
