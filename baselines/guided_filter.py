"""The guided filter (He, Sun and Tang, TPAMI 2013), which smooths but keeps a guide's edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def box_mean(images: Tensor, radius: int) -> Tensor:
    """Mean of each pixel's square window, of which only the part inside the image counts.

    The cost does not depend on the radius: sums of windows are differences of running sums.

    Args:
        images: (B, C, H, W), in double precision: running sums grow with the image.
        radius: half the side of the window, which is 2 * radius + 1 pixels wide.
    """
    return _line_mean(_line_mean(images, radius, -1), radius, -2)


def _line_mean(images: Tensor, radius: int, dim: int) -> Tensor:
    """`box_mean` along one dimension, -1 or -2."""
    length = images.shape[dim]
    position = torch.arange(length, device=images.device)
    first = (position - radius).clamp(min=0)
    end = (position + radius + 1).clamp(max=length)
    running = F.pad(images.cumsum(dim), (1, 0) if dim == -1 else (0, 0, 1, 0))
    count = (end - first).to(images.dtype)
    sums = running.index_select(dim, end) - running.index_select(dim, first)
    return sums / (count if dim == -1 else count[:, None])


def guided_filter(values: Tensor, guide: Tensor, radius: int, smoothness: float) -> Tensor:
    """Fit `values` by a linear function of the guide in each window, and average the fits.

    Equations 5, 6 and 8 of the paper, for a guide of one value per pixel. The sums are taken in
    double precision: variances are differences of nearly equal numbers.

    Args:
        values: (B, C, H, W), any size.
        guide: (B, C, H, W), each channel guided by its own; or (B, 1, H, W), one for all.
        radius: half the side of the windows in pixels, at least 1.
        smoothness: variance of the guide below which it counts as flat (epsilon of the paper).

    Returns:
        (B, C, H, W), of the type of `values`.

    Raises:
        ValueError: shapes that do not fit, a radius below 1, a smoothness that is not positive.
    """
    one_for_all = (len(values), 1, *values.shape[2:])
    if values.ndim != 4 or guide.shape not in (values.shape, one_for_all):
        raise ValueError(
            f"guided filter: expected a guide of shape {tuple(values.shape)} or {one_for_all}, "
            f"found {tuple(guide.shape)}"
        )
    if radius < 1 or smoothness <= 0:
        raise ValueError(
            "guided filter: expected a radius of at least 1 and a positive smoothness, found "
            f"{radius} and {smoothness}"
        )
    p, i = values.double(), guide.double()  # the paper's names
    guide_mean, values_mean = box_mean(i, radius), box_mean(p, radius)
    variance = box_mean(i * i, radius) - guide_mean**2
    covariance = box_mean(i * p, radius) - guide_mean * values_mean
    slope = covariance / (variance + smoothness)
    smooth = box_mean(slope, radius) * i + box_mean(values_mean - slope * guide_mean, radius)
    return smooth.to(values.dtype)
