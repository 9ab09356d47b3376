"""SSIM (Wang et al., TIP 2004) as a differentiable term of training losses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW, DEVIATION = 11, 1.5


def gaussian_weights(size: int, deviation: float) -> Tensor:
    """Normalised Gaussian over `size` pixels."""
    position = torch.arange(size) - (size - 1) / 2
    weights = torch.exp(-(position**2) / (2 * deviation**2))
    return weights / weights.sum()


def filtered(images: Tensor, weights: Tensor) -> Tensor:
    """Filter each channel by `weights` along rows and columns, where the window fits.

    (B, C, H, W) -> (B, C, H - n + 1, W - n + 1) for n weights.
    """
    channels = images.shape[1]
    weights = weights.to(images)
    rows = weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    columns = weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    return F.conv2d(F.conv2d(images, rows, groups=channels), columns, groups=channels)


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean SSIM of two batches with values in [0, 1]; 1 where they are equal.

    Gaussian window of 11 x 11 pixels, standard deviation 1.5, of which only whole windows count.
    The metric of the evaluation is computed elsewhere; this one serves as a loss.

    Args:
        first: (B, C, H, W), at least 11 pixels a side.
        second: of the same shape.
    """
    weights = gaussian_weights(WINDOW, DEVIATION)
    a, b = first.float(), second.float()
    with torch.autocast(a.device.type, enabled=False):
        mean_a, mean_b = filtered(a, weights), filtered(b, weights)
        variance_a = filtered(a * a, weights) - mean_a**2
        variance_b = filtered(b * b, weights) - mean_b**2
        covariance = filtered(a * b, weights) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    upper = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    lower = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return (upper / lower).mean()
