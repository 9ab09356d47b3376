"""Residual groups of blocks with channel attention, which RCAN and HAN are made of."""

from __future__ import annotations

from torch import Tensor, nn


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
