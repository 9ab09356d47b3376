"""The parts of MPRNet: attention blocks, encoders, decoders, the full-resolution network.

All rectifiers of the network share one slope, as in the authors' code: it belongs to the network
and is handed to its parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 3
_MODE = "bilinear"


def convolution(inputs: int, outputs: int, side: int = 3) -> nn.Conv2d:
    """A convolution without bias that keeps the size."""
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)


class AttentionBlock(nn.Module):
    """Two convolutions, weighted per channel by what the whole image holds, plus the input.

    Args:
        width: channels.
        reduction: channels over those between the two layers of the channel weights.
    """

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        self.squeeze = convolution(width, width // reduction, 1)
        self.excite = convolution(width // reduction, width, 1)

    def forward(self, features: Tensor, slope: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape; `slope` (1,) is that of the rectifier."""
        result = self.second(F.prelu(self.first(features), slope.to(features.dtype)))
        weights = self.squeeze(result.mean(dim=(2, 3), keepdim=True)).relu()
        return features + result * self.excite(weights).sigmoid()


class AttentionBlocks(nn.ModuleList):
    """Attention blocks one after the other."""

    def __init__(self, count: int, width: int, reduction: int) -> None:
        super().__init__(AttentionBlock(width, reduction) for _ in range(count))

    def forward(self, features: Tensor, slope: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        for block in self:
            features = block(features, slope)
        return features


class ShallowFeatures(nn.Module):
    """A convolution and an attention block: what each stage first makes of its image."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.convolution = convolution(3, width)
        self.block = AttentionBlock(width, reduction)

    def forward(self, image: Tensor, slope: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H, W)."""
        return self.block(self.convolution(image), slope)


class Halve(nn.Module):
    """Half the size by bilinear interpolation, then a 1x1 convolution to the next width."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convolution = convolution(width, width + growth, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + growth, H / 2, W / 2)."""
        return self.convolution(F.interpolate(features, scale_factor=0.5, mode=_MODE))


class Double(nn.Module):
    """Twice the size by bilinear interpolation, and a 1x1 convolution to the width above.

    The convolution comes first: both are linear and work on different dimensions, so their order
    changes nothing but rounding, and a quarter of the pixels is convolved.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convolution = convolution(width + growth, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C + growth, H, W) -> (B, C, 2 H, 2 W)."""
        return F.interpolate(self.convolution(features), scale_factor=2, mode=_MODE)


class Encoder(nn.Module):
    """Features at three sizes.

    Args:
        widths: channels of the three levels.
        blocks: attention blocks per level.
        reduction: see `AttentionBlock`.
        fusion: whether the features of an earlier stage are added at each level.
    """

    def __init__(self, widths: Sequence[int], blocks: int, reduction: int, fusion: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AttentionBlocks(blocks, width, reduction) for width in widths)
        self.reductions = nn.ModuleList(
            Halve(width, wider - width) for width, wider in itertools.pairwise(widths)
        )
        fused = widths if fusion else ()
        self.fuse_encoder = nn.ModuleList(convolution(width, width, 1) for width in fused)
        self.fuse_decoder = nn.ModuleList(convolution(width, width, 1) for width in fused)

    def forward(
        self,
        features: Tensor,
        slope: Tensor,
        earlier: tuple[Sequence[Tensor], Sequence[Tensor]] | None = None,
    ) -> list[Tensor]:
        """(B, C, H, W) -> three levels, from full size down.

        Args:
            features: shallow features.
            slope: of the rectifiers.
            earlier: levels of the encoder and of the decoder of the stage before.
        """
        levels = []
        for level, blocks in enumerate(self.levels):
            if level:
                features = self.reductions[level - 1](features)
            features = blocks(features, slope)
            if earlier is not None:
                encoded, decoded = earlier
                features = features + self.fuse_encoder[level](encoded[level])
                features = features + self.fuse_decoder[level](decoded[level])
            levels.append(features)
        return levels


class Decoder(nn.Module):
    """From the three levels of an encoder back to full size; all three levels are kept."""

    def __init__(self, widths: Sequence[int], blocks: int, reduction: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AttentionBlocks(blocks, width, reduction) for width in widths)
        self.skips = nn.ModuleList(AttentionBlock(width, reduction) for width in widths[:-1])
        self.enlargements = nn.ModuleList(
            Double(width, wider - width) for width, wider in itertools.pairwise(widths)
        )

    def forward(self, encoded: Sequence[Tensor], slope: Tensor) -> list[Tensor]:
        """Three levels -> three levels, from full size down."""
        levels = [self.levels[-1](encoded[-1], slope)]
        for level in reversed(range(LEVELS - 1)):
            features = self.enlargements[level](levels[0]) + self.skips[level](
                encoded[level], slope
            )
            levels.insert(0, self.levels[level](features, slope))
        return levels


class SupervisedAttention(nn.Module):
    """Make a stage's image, and let it choose which features go on (Sec. 3.3).

    Args:
        width: channels of the features.
        image_channels: channels that make one pixel of the stage's image (12 where the image is
            shuffled to twice the size).
    """

    def __init__(self, width: int, image_channels: int) -> None:
        super().__init__()
        self.features = convolution(width, width, 1)
        self.image = convolution(width, image_channels, 1)
        self.attention = convolution(image_channels, width, 1)

    def forward(self, features: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, H, W) and image pixels (B, `image_channels`, H, W), both the new ones.

        Args:
            features: the decoder's, at full size.
            base: image that the stage's output is added to, as channels at the features' size.
        """
        image = self.image(features) + base
        chosen = self.features(features) * self.attention(image).sigmoid()
        return features + chosen, image


class FullResolutionBlock(nn.Module):
    """Attention blocks and a convolution, plus the input."""

    def __init__(self, width: int, blocks: int, reduction: int) -> None:
        super().__init__()
        self.blocks = AttentionBlocks(blocks, width, reduction)
        self.convolution = convolution(width, width)

    def forward(self, features: Tensor, slope: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return features + self.convolution(self.blocks(features, slope))


class FullResolutionNetwork(nn.Module):
    """The third stage: no change of size, so that no detail is lost ("ORSNet").

    After each block, one level of the second stage's encoder and decoder is enlarged and added.

    Args:
        widths: channels of the second stage's levels.
        width: channels here.
        blocks: attention blocks in each of the three blocks.
        reduction: see `AttentionBlock`.
    """

    def __init__(self, widths: Sequence[int], width: int, blocks: int, reduction: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            FullResolutionBlock(width, blocks, reduction) for _ in range(LEVELS)
        )
        self.enlarge_encoder = nn.ModuleList(_enlargement(widths, level) for level in range(LEVELS))
        self.enlarge_decoder = nn.ModuleList(_enlargement(widths, level) for level in range(LEVELS))
        self.fuse_encoder = nn.ModuleList(convolution(widths[0], width, 1) for _ in range(LEVELS))
        self.fuse_decoder = nn.ModuleList(convolution(widths[0], width, 1) for _ in range(LEVELS))

    def forward(
        self,
        features: Tensor,
        slope: Tensor,
        encoded: Sequence[Tensor],
        decoded: Sequence[Tensor],
    ) -> Tensor:
        """(B, C, H, W) -> same shape, with the levels of the stage before."""
        for level, block in enumerate(self.blocks):
            features = block(features, slope)
            for enlarge, fuse, levels in (
                (self.enlarge_encoder, self.fuse_encoder, encoded),
                (self.enlarge_decoder, self.fuse_decoder, decoded),
            ):
                features = features + fuse[level](enlarge[level](levels[level]))
        return features


def _enlargement(widths: Sequence[int], level: int) -> nn.Sequential:
    """From a level to full size and the first level's width, one doubling after the other."""
    return nn.Sequential(
        *(Double(widths[n - 1], widths[n] - widths[n - 1]) for n in range(level, 0, -1))
    )


def split_in_two(features: Tensor, dimension: int) -> Tensor:
    """(B, ...) -> (2 B, ...): both halves along a dimension, as images of the batch."""
    return torch.cat(features.chunk(2, dim=dimension))


def join_two(features: Tensor, dimension: int) -> Tensor:
    """Undo `split_in_two`."""
    return torch.cat(features.chunk(2), dim=dimension)
