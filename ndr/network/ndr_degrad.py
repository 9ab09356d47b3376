"""NDR-Degrad: the degradation network, which only training uses (paper Sec. III-C)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.network.design import SKIPS, NDRDesign
from ndr.network.u_net import UNet
from ndr.network.x2_head import HalvingHead

REDUCTION = 16


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
        narrow = max(1, width // REDUCTION)
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
    `ndr.network.x2_head.HalvingHead`.
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
