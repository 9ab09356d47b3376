"""Sizes and switches of the two networks, and the parts that they ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from ndr.network.degradation_injection import DegradationInjection
from ndr.network.degradation_query import DegradationQuery
from ndr.network.stand_ins import (
    Budget,
    ConcatenationInjection,
    PlainInjection,
    PlainQuery,
    PlainSkip,
    budget_of,
    feature_map,
)
from ndr.network.variant import Variant

LEVELS = 4
SKIPS = LEVELS - 1


@dataclass(frozen=True, slots=True)
class NDRDesign:
    """Everything that decides the shape of NDR-Restore and NDR-Degrad.

    The defaults are those of the paper (Sec. IV-A) and of its public code; the heads of the last
    level, the refinement blocks and `degradation_width` stand only in the code.
    """

    variant: Variant
    width: int = 48
    """Channels at full size; they double with each level."""
    blocks: tuple[int, ...] = (4, 6, 6, 8)
    """Transformer blocks per level, in the encoder and again in the decoder."""
    refinement_blocks: int = 3
    heads: tuple[int, ...] = (1, 2, 4, 6)
    expansion: float = 2.66
    dimension: int = 128
    """M, length of the vectors in D."""
    count: int = 32
    """N, number of vectors in D."""
    rank: int = 16
    """K of the CP convolution."""
    degrade_width: int | None = None
    """Channels of NDR-Degrad at full size; None: those of NDR-Restore."""
    degradation_width: int = 64
    """Channels of U; not used by `equations`, where U has the width of its level."""
    use_ndr: bool = True
    use_dq: bool = True
    use_di: bool = True
    use_cp: bool = True
    zero_init_output: bool = False
    """The last convolution starts at zero where the image is added to its output."""
    upscale: str = "none"
    """How NDR-Restore returns twice the size, see `ndr.layers.x2_head`."""

    def __post_init__(self) -> None:
        for name in ("blocks", "heads"):
            numbers = getattr(self, name)
            if len(numbers) != LEVELS or min(numbers) < 1:
                raise ValueError(
                    f"{name}: expected {LEVELS} numbers of at least 1, one per level, "
                    f"found {numbers}"
                )
        for name in ("width", "dimension", "count", "rank", "degradation_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in ("width", "degrade_width"):
            if (getattr(self, name) or 0) % 2:
                raise ValueError(
                    f"{name}: expected an even number of channels, found {getattr(self, name)}"
                )
        if self.degrade_width is not None and self.degrade_width < 2:
            raise ValueError(f"degrade_width: expected at least 2, found {self.degrade_width}")
        if self.degrade_width and not self.variant.narrow_query:
            raise ValueError(
                f"degrade_width: expected None with variant={self.variant.name!r}, where U has the "
                f"width of its level in both networks, found {self.degrade_width}"
            )
        if self.refinement_blocks < 0:
            raise ValueError(f"refinement_blocks: {self.refinement_blocks} is negative")

    def level_width(self, level: int) -> int:
        """Channels of the encoder at a level (0 is full size)."""
        return self.width * 2**level

    def of_degrad(self) -> NDRDesign:
        """The design of NDR-Degrad, whose levels may be narrower."""
        return self if self.degrade_width is None else replace(self, width=self.degrade_width)

    def level_degradation_width(self, level: int) -> int:
        """Channels of U at a level."""
        return self.degradation_width if self.variant.narrow_query else self.level_width(level)

    @property
    def has_representation(self) -> bool:
        """Whether D exists: only the query reads it."""
        return self.use_ndr and self.use_dq

    def query(self, level: int) -> nn.Module:
        """Degradation query of a level, or the convolution that replaces it."""
        if self.use_dq:
            return self._query(level)
        return PlainQuery(
            self.level_width(level),
            self.level_degradation_width(level),
            self._query_budget(level),
        )

    def injection(self, level: int, residuals: int) -> nn.Module:
        """Degradation injection of a level, or the convolution that replaces it."""
        if self.use_di and self.use_cp:
            return self._injection(level, residuals)
        sizes = (
            self.level_width(level),
            self.level_degradation_width(level),
            self._injection_budget(level),
            residuals,
        )
        if not self.use_di:
            return PlainInjection(*sizes)
        return ConcatenationInjection(*sizes, shared_affine=not self.variant.learned_affine)

    def plain_skip(self, level: int, residuals: int) -> nn.Module:
        """What replaces query and injection of a level where there is no NDR."""
        budget = self._query_budget(level) + self._injection_budget(level)
        return PlainSkip(self.level_width(level), budget, residuals)

    def _query(self, level: int) -> DegradationQuery:
        return DegradationQuery(
            self.level_width(level),
            self.level_degradation_width(level),
            self.dimension,
            self.variant,
        )

    def _injection(self, level: int, residuals: int = 0) -> DegradationInjection:
        return DegradationInjection(
            self.level_width(level),
            self.level_degradation_width(level),
            self.rank,
            self.variant,
            residuals,
        )

    def _query_budget(self, level: int) -> Budget:
        """What the query of a level costs: its own, and its share of D's parameters."""
        own = budget_of(
            lambda: self._query(level),
            feature_map(self.level_width(level)),
            torch.empty(self.count, self.dimension, device="meta"),
            call=DegradationQuery.as_written,
        )
        return own + Budget(self.dimension * self.count // SKIPS, 0)

    def _injection_budget(self, level: int) -> Budget:
        return budget_of(
            lambda: self._injection(level),
            feature_map(self.level_width(level)),
            feature_map(self.level_degradation_width(level)),
        )
