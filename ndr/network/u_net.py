"""The shape that both networks share: four levels, skips, and a decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ndr.network.design import SKIPS, NDRDesign
from ndr.network.resampling import Downsample, Upsample
from ndr.network.x2_head import HalvingHead, X2Head


class UNet(nn.Module):
    """Encoder, bottom and decoder; subclasses decide what passes through the skips.

    Widths are `width * 2**level`. The decoder's first level keeps twice the width: upsampled
    feature and skip are concatenated and not narrowed there.

    Args:
        design: sizes.
        stage: makes the blocks of a level, from (level, channels).
        refinement: blocks after the decoder, at twice the width.
        image_residual: whether the input image is added to the output.
        head: how images enter and leave where the output has another size than the input.
    """

    def __init__(
        self,
        design: NDRDesign,
        stage: Callable[[int, int], nn.Module],
        refinement: nn.Module,
        image_residual: bool,
        head: X2Head | HalvingHead,
    ) -> None:
        super().__init__()
        widths = [design.level_width(level) for level in range(SKIPS)]
        decoder_widths = [2 * design.width, *widths[1:]]
        self.image_residual = image_residual
        self.head = head
        self.extractor = nn.Conv2d(head.first_channels, design.width, 3, padding=1)
        self.encoders = nn.ModuleList(stage(level, width) for level, width in enumerate(widths))
        self.downsamplings = nn.ModuleList(Downsample(width) for width in widths)
        self.bottom = stage(SKIPS, design.level_width(SKIPS))
        self.upsamplings = nn.ModuleList(Upsample(2 * width) for width in widths)
        self.fusions = nn.ModuleList(
            nn.Conv2d(2 * width, decoder_width, 1, bias=False)
            for width, decoder_width in zip(widths, decoder_widths, strict=True)
        )
        self.decoders = nn.ModuleList(
            stage(level, width) for level, width in enumerate(decoder_widths)
        )
        self.refinement = refinement
        self.reconstruction = nn.Conv2d(2 * design.width, head.last_channels, 3, padding=1)
        if design.zero_init_output and image_residual:
            nn.init.zeros_(self.reconstruction.weight)
            nn.init.zeros_(self.reconstruction.bias)

    def encode(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features of the three skips, from full size down, and of the bottom."""
        features = self.extractor(
            self.head.enter(image).contiguous(memory_format=torch.channels_last)
        )
        skips = []
        for encoder, downsampling in zip(self.encoders, self.downsamplings, strict=True):
            features = encoder(features)
            skips.append(features)
            features = downsampling(features)
        return skips, self.bottom(features)

    def decode(self, image: Tensor, skips: Sequence[Tensor], bottom: Tensor) -> Tensor:
        """Image of the head's size in single precision from the features; `image` is the input."""
        features = bottom
        for level in reversed(range(SKIPS)):
            features = self.upsamplings[level](features)
            features = self.fusions[level](torch.cat((skips[level], features), dim=1))
            features = self.decoders[level](features)
        output = self.reconstruction(self.refinement(features)).to(image.dtype)
        return self.head.leave(output, image, residual=self.image_residual)
