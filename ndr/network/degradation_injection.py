"""Degradation injection: the degradation U modulates a feature map F."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ndr.network.variant import Variant


class CPConvolution(nn.Module):
    """Build a cube of rank K from three pooled views of a feature map (Eq. 4 to 6).

    The means over all pixels, over rows and over columns pass a 1x1 convolution and a sigmoid; each
    gives K vectors: a_k along the channels, b_k along the height, c_k along the width. The cube
    is the mean over k of their outer products.

    The paper returns the cube. The public code multiplies the input by it, and its first release
    adds the input.
    """

    def __init__(self, width: int, rank: int, variant: Variant) -> None:
        super().__init__()
        self.rank = rank
        self.multiplies_input = variant.cp_multiplies_input
        self.residual = variant.cp_residual
        self.channel_projection = nn.Linear(width, rank * width)
        self.height_projection = nn.Linear(width, rank)
        self.width_projection = nn.Linear(width, rank)

    def cube(self, features: Tensor, offset: float = 0.0) -> Tensor:
        """Mean of K outer products, plus `offset`: (B, C, H, W) in channels-last memory.

        With the vectors as rows it is a^T (b c) / K, one product of an (H W, K) and a (K, C) matrix
        per image, so that K maps of the size of the features never exist.
        """
        batch, channels, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1)
        row_means = pixels.mean(dim=2)
        column_means = pixels.mean(dim=1)
        along_channels = self.channel_projection(row_means.mean(dim=1)).sigmoid()
        along_height = self.height_projection(row_means).sigmoid()
        along_width = self.width_projection(column_means).sigmoid()
        places = along_height[:, :, None] * along_width[:, None]
        cube = torch.baddbmm(
            places.new_full((1, 1, 1), offset),
            places.reshape(batch, height * width, self.rank),
            along_channels.reshape(batch, self.rank, channels),
            alpha=1.0 / self.rank,
        )
        return cube.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        if not self.multiplies_input:
            return self.cube(features)
        return features * self.cube(features, offset=1.0 if self.residual else 0.0)


class DegradationInjection(nn.Module):
    """Scale and shift CP(F) by what CP(U) says (Eq. 7).

    Paper: CP(F) * CP(U) + CP(U) + F. The public code lets a 1x1 convolution mix U before its CP
    convolution, and takes scale and shift from two more 1x1 convolutions (here one with both
    outputs). F, with `width` channels, is added `residuals` times.
    """

    def __init__(
        self, width: int, degradation_width: int, rank: int, variant: Variant, residuals: int
    ) -> None:
        super().__init__()
        self.residuals = residuals
        self.feature_cp = CPConvolution(width, rank, variant)
        self.degradation_cp = CPConvolution(degradation_width, rank, variant)
        self.mixing: nn.Conv2d | None = None
        self.scale_and_shift: nn.Conv2d | None = None
        if variant.learned_affine:
            self.mixing = nn.Conv2d(degradation_width, degradation_width, 1)
            self.scale_and_shift = nn.Conv2d(degradation_width, 2 * width, 1)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """Inject U (B, degradation_width, H, W) into F (B, C, H, W) -> (B, C, H, W)."""
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
