"""The haze model I = J t + A (1 - t): its inversion, and what a pair of images says of t and A.

I is the hazy image, J the clean one, t the transmission (B, 1, H, W) in [0, 1] and A the airlight
(B, 3, 1, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.guided_filter import box_mean

WINDOW_RADIUS = 4
"""A transmission is fitted to windows of 9 x 9 pixels: depth changes little inside of them."""
TEXTURE = 1e-3
"""Variance of a clean window at which its fit counts one half (values in [0, 1])."""


def symmetric_padding(images: Tensor, before: int, after: int) -> Tensor:
    """Continue (B, C, H, W) on all sides by its mirror image, the border pixel included.

    Args:
        images: at least as high and wide as the padding.
        before: rows above and columns at the left.
        after: rows below and columns at the right.
    """
    for dim in (-1, -2):
        length = images.shape[dim]
        position = torch.arange(-before, length + after, device=images.device)
        position = torch.where(position < 0, -1 - position, position)
        position = torch.where(position >= length, 2 * length - 1 - position, position)
        images = images.index_select(dim, position)
    return images


def luminance(images: Tensor) -> Tensor:
    """Grey value of RGB images, weights of ITU-R BT.601: (B, 3, H, W) -> (B, 1, H, W)."""
    red, green, blue = images.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def without_haze(hazy: Tensor, transmission: Tensor, airlight: Tensor) -> Tensor:
    """J = (I - A) / t + A; the transmission must be above 0."""
    return (hazy - airlight) / transmission + airlight


@dataclass(frozen=True, slots=True)
class PairedTransmission:
    """Transmission of a hazy and a clean image, and how far each of its pixels is to be trusted."""

    value: Tensor
    """(B, 1, H, W) in [0, 1]."""
    weight: Tensor
    """(B, 1, H, W) in [0, 1); near 0 where the clean image is flat."""

    def distance(self, estimate: Tensor) -> Tensor:
        """Weighted mean of the squared error of an estimate (B, 1, H, W)."""
        squared = self.weight * (estimate.float() - self.value) ** 2
        return squared.sum() / self.weight.sum().clamp(min=1e-6)


def transmission_of_pair(hazy: Tensor, clean: Tensor) -> PairedTransmission:
    """Fit t to a pair: where t and A are constant, I = t J + const, so t is a slope.

    It is the least-squares slope of I over J in each window, all three colours together; the
    airlight need not be known. A flat window fixes no slope, which the weight says.
    """
    hazy, clean = hazy.detach().double(), clean.detach().double()

    def covariance(a: Tensor, b: Tensor) -> Tensor:
        each = box_mean(a * b, WINDOW_RADIUS) - box_mean(a, WINDOW_RADIUS) * box_mean(
            b, WINDOW_RADIUS
        )
        return each.mean(1, keepdim=True)

    variance = covariance(clean, clean).clamp(min=0)
    slope = covariance(hazy, clean) / variance.clamp(min=1e-8)
    return PairedTransmission(slope.clamp(0, 1).float(), (variance / (variance + TEXTURE)).float())


def airlight_of_pair(hazy: Tensor, clean: Tensor, transmission: PairedTransmission) -> Tensor:
    """Least-squares A of a pair with known transmission, drawn towards white where it is unsure.

    Minimises the weighted sum of |I - t J - (1 - t) A|^2 per colour, with the prior that A is 1
    counting as much as one pixel in a hundred of full haze.

    Returns:
        (B, 3, 1, 1) in [0.3, 1].
    """
    share = transmission.weight * (1 - transmission.value)
    rest = hazy.detach().float() - transmission.value * clean.detach().float()
    prior = 0.01 * rest[0, 0].numel()
    upper = (share * rest).sum((2, 3), keepdim=True) + prior
    lower = (share * (1 - transmission.value)).sum((2, 3), keepdim=True) + prior
    return (upper / lower).clamp(0.3, 1)


def windowed_maximum(images: Tensor, radius: int) -> Tensor:
    """Maximum in windows of 2 * radius + 1 pixels, of which the part inside the image counts."""
    return F.max_pool2d(images, 2 * radius + 1, stride=1, padding=radius)
