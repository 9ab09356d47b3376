"""Degradation injection: the degradation U modulates a feature map F."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ndr.network.cp_convolution import CPConvolution
from ndr.network.variant import Variant


class DegradationInjection(nn.Module):
    """Scale and shift CP(F) by what CP(U) says (Eq. 7).

    Paper: CP(F) * CP(U) + CP(U) + F. The public code lets a 1x1 convolution mix U before its CP
    convolution, and takes scale and shift from two more 1x1 convolutions (here one with both
    outputs). How often F is added depends on the variant.

    Args:
        width: channels of F.
        degradation_width: channels of U.
        rank: K of the CP convolutions.
        variant: which of the two.
        residuals: how often F is added.
    """

    def __init__(
        self, width: int, degradation_width: int, rank: int, variant: Variant, residuals: int
    ) -> None:
        super().__init__()
        self.residuals = residuals
        self.feature_cp = CPConvolution(width, rank, variant)
        self.degradation_cp = CPConvolution(degradation_width, rank, variant)
        if variant.learned_affine:
            self.mixing = nn.Conv2d(degradation_width, degradation_width, 1)
            self.scale_and_shift = nn.Conv2d(degradation_width, 2 * width, 1)
        else:
            self.mixing = None
            self.scale_and_shift = None

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """Inject U into F.

        Args:
            features: F, (B, C, H, W).
            degradation: U, (B, degradation_width, H, W).

        Returns:
            (B, C, H, W).
        """
        if self.mixing is not None and self.scale_and_shift is not None:
            seen = self.degradation_cp(self.mixing(degradation))
            scale, shift = self.scale_and_shift(seen).chunk(2, dim=1)
        else:
            scale = shift = self.degradation_cp(degradation)
        return modulated(self.feature_cp(features), scale, shift, features, self.residuals)


def modulated(
    transformed: Tensor, scale: Tensor, shift: Tensor, features: Tensor, residuals: int
) -> Tensor:
    """Compute scale * transformed + shift + residuals * features."""
    if residuals:
        shift = torch.add(shift, features, alpha=residuals)
    return torch.addcmul(shift, scale, transformed)
