"""NDR-Restore: the restoration network (paper Sec. III-B)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ndr.network.degradation_representation import DegradationRepresentation
from ndr.network.design import SKIPS, NDRDesign
from ndr.network.transformer_block import TransformerBlock
from ndr.network.u_net import UNet
from ndr.network.x2_head import X2Head


@dataclass(frozen=True, slots=True)
class SkipRecord:
    """What happens on one skip connection; S is empty where nothing is queried.

    Shapes: `affinity` S (B, N, H, W), `degradation` U (B, C_U, H, W), `features` F and `injected`
    (B, C, H, W), H and W being those of the level.
    """

    affinity: Tensor | None
    degradation: Tensor | None
    features: Tensor
    injected: Tensor


class NDRRestore(UNet):
    """Transformer U-Net whose skips query D and are modulated by the answer.

    The bottom has neither query nor injection, as in the public code.
    """

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
        self, image: Tensor, records: list[SkipRecord] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Restore an image.

        Args:
            image: (B, 3, H, W); H and W are multiples of 8.
            records: where given, one `SkipRecord` per level is appended.

        Returns:
            The restored image, same shape or twice the size, and U of the three levels (none
            without NDR).
        """
        skips, bottom = self.encode(image)
        injected, degradations = [], []
        for level, features in enumerate(skips):
            output, degradation = self._skip(level, features)
            injected.append(output)
            if degradation is not None:
                degradations.append(degradation)
            if records is not None:
                affinity = self._affinity(level, features)
                records.append(SkipRecord(affinity, degradation, features, output))
        return self.decode(image, injected, bottom), tuple(degradations)

    def _skip(self, level: int, features: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.plain_skips is not None:
            return self.plain_skips[level](features), None
        assert self.queries is not None
        assert self.injections is not None
        query = self.queries[level]
        if self.representation is None:
            degradation = query(features)
        else:
            degradation = query(features, self.representation())
        return self.injections[level](features, degradation), degradation

    def _affinity(self, level: int, features: Tensor) -> Tensor | None:
        if self.representation is None or self.queries is None:
            return None
        return self.queries[level].affinity(features, self.representation())
