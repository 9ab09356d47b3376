"""Plain convolutions of equal size that stand in for a part of the method (Tables IX and X).

The paper replaces the part by "a plain convolution", and the CP convolution by "concatenation and
convolution", without widths. An ablation whose network shrinks would measure its size; so each
stand-in gets the hidden width at which it has as many parameters as what it replaces.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.network.degradation_injection import modulated


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
