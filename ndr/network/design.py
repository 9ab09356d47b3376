"""Sizes and switches of the two networks, and the parts that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.network.degradation_injection import DegradationInjection, modulated
from ndr.network.degradation_query import DegradationQuery
from ndr.network.variant import Variant

LEVELS = 4
SKIPS = LEVELS - 1


class PlainConvolution(nn.Module):
    """3x3 convolution, GELU, 3x3 convolution, with about `parameters` parameters."""

    def __init__(self, width_in: int, width_out: int, parameters: int) -> None:
        super().__init__()
        per_channel = 9 * (width_in + width_out) + 1
        hidden = max(1, round((parameters - width_out) / per_channel))
        self.widen = nn.Conv2d(width_in, hidden, 3, padding=1)
        self.narrow = nn.Conv2d(hidden, width_out, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width_in, H, W) -> (B, width_out, H, W)."""
        return self.narrow(F.gelu(self.widen(features)))


class PlainSkip(nn.Module):
    """Without NDR: a convolution of F takes the place of query and injection."""

    def __init__(self, width: int, parameters: int, residuals: int) -> None:
        super().__init__()
        self.residuals = residuals
        self.convolution = PlainConvolution(width, width, parameters)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return torch.add(self.convolution(features), features, alpha=self.residuals)


class PlainQuery(nn.Module):
    """Without DQ: a convolution of F gives U; D does not exist."""

    def __init__(self, width: int, degradation_width: int, parameters: int) -> None:
        super().__init__()
        self.convolution = PlainConvolution(width, degradation_width, parameters)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, degradation_width, H, W)."""
        return self.convolution(features)


class PlainInjection(nn.Module):
    """Without DI: a convolution of F and U takes the place of the modulation."""

    def __init__(self, width: int, degradation_width: int, parameters: int, residuals: int) -> None:
        super().__init__()
        self.residuals = residuals
        self.convolution = PlainConvolution(width + degradation_width, width, parameters)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) and (B, degradation_width, H, W) -> (B, C, H, W)."""
        injected = self.convolution(torch.cat((features, degradation), dim=1))
        return torch.add(injected, features, alpha=self.residuals)


class ConcatenationInjection(nn.Module):
    """Without CP: scale and shift of F come from a convolution of F and U, concatenated.

    With `shared_affine` (the paper's Eq. 7) one map is both scale and shift.
    """

    def __init__(
        self,
        width: int,
        degradation_width: int,
        parameters: int,
        residuals: int,
        shared_affine: bool,
    ) -> None:
        super().__init__()
        self.residuals = residuals
        self.shared_affine = shared_affine
        maps = 1 if shared_affine else 2
        self.convolution = PlainConvolution(width + degradation_width, maps * width, parameters)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) and (B, degradation_width, H, W) -> (B, C, H, W)."""
        affine = self.convolution(torch.cat((features, degradation), dim=1))
        scale, shift = (affine, affine) if self.shared_affine else affine.chunk(2, dim=1)
        return modulated(features, scale, shift, features, self.residuals)


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
        if self.width % 2:
            raise ValueError(f"width: expected an even number of channels, found {self.width}")
        if self.refinement_blocks < 0:
            raise ValueError(f"refinement_blocks: {self.refinement_blocks} is negative")

    def level_width(self, level: int) -> int:
        """Channels of the encoder at a level (0 is full size)."""
        return self.width * 2**level

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
            self._query_size(level),
        )

    def injection(self, level: int, residuals: int) -> nn.Module:
        """Degradation injection of a level, or the convolution that replaces it."""
        if self.use_di and self.use_cp:
            return self._injection(level, residuals)
        sizes = (
            self.level_width(level),
            self.level_degradation_width(level),
            _size(self._injection, level),
            residuals,
        )
        if not self.use_di:
            return PlainInjection(*sizes)
        return ConcatenationInjection(*sizes, shared_affine=not self.variant.learned_affine)

    def plain_skip(self, level: int, residuals: int) -> nn.Module:
        """What replaces query and injection of a level where there is no NDR."""
        size = self._query_size(level) + _size(self._injection, level)
        return PlainSkip(self.level_width(level), size, residuals)

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

    def _query_size(self, level: int) -> int:
        """Parameters that go with the query of a level: its own, and its share of D."""
        return _size(self._query, level) + self.dimension * self.count // SKIPS


def _size(part: Callable[[int], nn.Module], level: int) -> int:
    """Parameters of a part, counted on one that takes no memory."""
    with torch.device("meta"):
        module = part(level)
    return sum(parameter.numel() for parameter in module.parameters())
