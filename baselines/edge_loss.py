"""Charbonnier distance, and the edge loss that compares Laplacians (Zamir et al., CVPR 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

CHARBONNIER_EPSILON = 1e-3
PYRAMID_TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)
"""Separable low-pass of Burt and Adelson's Laplacian pyramid; the taps sum to one."""


def charbonnier(first: Tensor, second: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + epsilon^2) over all values of d = first - second.

    Close to the L1 distance, with a gradient at zero. Two equal images have the distance epsilon,
    1e-3.
    """
    difference = first - second
    return torch.sqrt(difference.square() + CHARBONNIER_EPSILON**2).mean()


def laplacian(images: Tensor) -> Tensor:
    """Difference between images and their next coarser level of a pyramid, at full size.

    Low-pass, every second pixel, enlarge by zeros, low-pass with four times the gain; the image
    minus that. Borders are continued by their last pixel before each low-pass.

    Args:
        images: (B, C, H, W).

    Returns:
        (B, C, H, W): edges and noise, zero on flat regions away from the border.
    """
    low = _low_pass(images)
    coarse = torch.zeros_like(low)
    coarse[..., ::2, ::2] = 4 * low[..., ::2, ::2]
    return images - _low_pass(coarse)


def edge_distance(restored: Tensor, clean_laplacian: Tensor) -> Tensor:
    """Charbonnier distance between the restored images' Laplacian and that of the clean images."""
    return charbonnier(laplacian(restored), clean_laplacian)


def _low_pass(images: Tensor) -> Tensor:
    channels = images.shape[1]
    taps = torch.tensor(PYRAMID_TAPS, dtype=images.dtype, device=images.device)
    kernel = taps.expand(channels, 1, 1, -1)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    rows = F.conv2d(padded, kernel, groups=channels)
    return F.conv2d(rows, kernel.transpose(-1, -2), groups=channels)
