"""Layer norm over the channels of each pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5


class ChannelLayerNorm(nn.Module):
    """Normalise the channel vector of each pixel, (B, C, H, W) -> same shape.

    With `bias` the mean is subtracted, and a learned scale and shift follow. Without it the vector
    is divided by its standard deviation but keeps its mean, and there is no shift: the bias-free
    norm that Restormer uses for denoising.

    The input is best in channels-last memory, where the channels of a pixel are neighbours and
    `F.layer_norm` reads them in one pass; the output has the memory format of the input.
    """

    def __init__(self, width: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, features: Tensor) -> Tensor:
        """Normalise over dimension 1."""
        pixels = features.permute(0, 2, 3, 1)
        if self.bias is not None:
            normalised = F.layer_norm(pixels, self.weight.shape, self.weight, self.bias, EPSILON)
        else:
            deviation = (pixels.var(-1, keepdim=True, unbiased=False) + EPSILON).sqrt()
            normalised = pixels / deviation * self.weight
        return normalised.permute(0, 3, 1, 2)
