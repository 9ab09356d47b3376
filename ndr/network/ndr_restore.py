"""NDR-Restore and NDR-Degrad: two U-Nets with one degradation (paper Sec. III)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.transformer_block import Downsample, TransformerBlock, Upsample
from ndr.layers.x2_head import HalvingHead, X2Head
from ndr.network.degradation_query import DegradationQuery, DegradationRepresentation
from ndr.network.design import SKIPS, NDRDesign


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
            for parameter in self.reconstruction.parameters():
                nn.init.zeros_(parameter)

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


@dataclass(frozen=True, slots=True)
class SkipRecord:
    """What happens on one skip connection; S is empty where nothing is queried.

    Shapes: `affinity` S (B, N, H, W), `degradation` U (B, C_U, H, W), `features` F and `injected`
    (B, C, H, W), H and W being those of the level. `injected` is the answer of Eq. 7, which holds F
    once where the variant adds it there: what the first release adds to it afterwards, F once more,
    is left out, or "after minus before" would be F itself for the greater part.
    """

    affinity: Tensor | None
    degradation: Tensor | None
    features: Tensor
    injected: Tensor


class NDRRestore(UNet):
    """Transformer U-Net whose skips query D and are modulated by the answer.

    The bottom has neither query nor injection, as in the public code.
    """

    head: X2Head

    def __init__(self, design: NDRDesign) -> None:
        super().__init__(
            design,
            stage=lambda level, width: nn.Sequential(
                *(
                    TransformerBlock(width, design.heads[level], design.expansion)
                    for _ in range(design.blocks[level])
                )
            ),
            refinement=nn.Sequential(
                *(
                    TransformerBlock(2 * design.width, design.heads[0], design.expansion)
                    for _ in range(design.refinement_blocks)
                )
            ),
            image_residual=design.variant.image_residual,
            head=X2Head(design.upscale),
        )
        residuals = design.variant.restore_residuals
        self.further_residuals = max(0, residuals - 1)
        """How often F is added to the answer of Eq. 7, which holds it once."""
        self.representation: DegradationRepresentation | None = None
        self.queries: nn.ModuleList | None = None
        self.injections: nn.ModuleList | None = None
        self.plain_skips: nn.ModuleList | None = None
        if not design.use_ndr:
            self.plain_skips = nn.ModuleList(
                design.plain_skip(level, residuals) for level in range(SKIPS)
            )
            return
        if design.has_representation:
            self.representation = DegradationRepresentation(design.dimension, design.count)
        self.queries = nn.ModuleList(design.query(level) for level in range(SKIPS))
        self.injections = nn.ModuleList(
            design.injection(level, residuals) for level in range(SKIPS)
        )

    def forward(
        self,
        image: Tensor,
        records: list[SkipRecord] | None = None,
        replaced: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Restore (B, 3, H, W), H and W multiples of 8.

        Args:
            image: the degraded image.
            records: where given, one `SkipRecord` per level is appended.
            replaced: U of the three levels to inject in place of those that are queried.

        Returns:
            The restored image, same shape or twice the size, and U of the three levels (none
            without NDR).
        """
        skips, bottom = self.encode(image)
        injected, degradations = [], []
        for level, features in enumerate(skips):
            given = None if replaced is None else replaced[level]
            output, degradation = self._skip(level, features, given)
            injected.append(output)
            if degradation is not None:
                degradations.append(degradation)
            if records is not None:
                affinity = self._affinity(level, features)
                own = torch.sub(output, features, alpha=self.further_residuals)
                records.append(SkipRecord(affinity, degradation, features, own))
        return self.decode(image, injected, bottom), tuple(degradations)

    def _skip(
        self, level: int, features: Tensor, given: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        if self.plain_skips is not None:
            return self.plain_skips[level](features), None
        assert self.queries is not None
        assert self.injections is not None
        query = self.queries[level]
        if given is not None:
            degradation = given
        elif self.representation is None:
            degradation = query(features)
        else:
            degradation = query(features, self.representation())
        return self.injections[level](features, degradation), degradation

    def _affinity(self, level: int, features: Tensor) -> Tensor | None:
        query = None if self.queries is None else self.queries[level]
        if self.representation is None or not isinstance(query, DegradationQuery):
            return None
        return query.affinity(features, self.representation())


class ResidualConvolutions(nn.Module):
    """Two 3x3 convolutions, each with a ReLU, and a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return features + F.relu(self.second(F.relu(self.first(features))))


class ResidualAttentionGroup(nn.Module):
    """Residual channel-attention block (Zhang et al., ECCV 2018) inside one more residual.

    The attention narrows to a sixteenth of the channels, one at least.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(1, width // 16)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.squeeze = nn.Linear(width, narrow)
        self.excite = nn.Linear(narrow, width)
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        inner = self.second(F.relu(self.first(features)))
        weights = self.excite(F.relu(self.squeeze(inner.mean(dim=(2, 3))))).sigmoid()
        block = torch.addcmul(features, inner, weights[:, :, None, None])
        return features + self.last(block)


class NDRDegrad(UNet):
    """Convolutional U-Net that turns a clean image into the degraded one, given U.

    U is injected into the three skips. The public code adds the image to the output in both
    releases, unlike in NDR-Restore. Where NDR-Restore doubles the size, this network halves it: see
    `ndr.layers.x2_head.HalvingHead`.
    """

    def __init__(self, design: NDRDesign) -> None:
        super().__init__(
            design,
            stage=lambda _, width: ResidualConvolutions(width),
            refinement=ResidualAttentionGroup(2 * design.width),
            image_residual=True,
            head=HalvingHead(design.upscale),
        )
        self.injections = nn.ModuleList(
            design.injection(level, design.variant.degrade_residuals) for level in range(SKIPS)
        )

    def forward(self, image: Tensor, degradations: Sequence[Tensor]) -> Tensor:
        """Degrade an image.

        Args:
            image: clean, (B, 3, H, W); H and W are multiples of 8, of 16 where the size is halved.
            degradations: U of the three levels, as `NDRRestore` returns them for the degraded
                image. Gradients flow back into them.

        Returns:
            The degraded image, same shape or half the size.
        """
        skips, bottom = self.encode(image)
        injected = [
            injection(features, degradation)
            for injection, features, degradation in zip(
                self.injections, skips, degradations, strict=True
            )
        ]
        return self.decode(image, injected, bottom)
