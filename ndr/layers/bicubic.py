"""Bicubic resampling by 2 as MATLAB's imresize does it, inside networks.

The same numbers as `ndr.degradations.downsampling`, on batches of tensors: differentiable, in the
type of its input under autocast too, and without operations whose gradient depends on the order
of threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CUBIC = {0.25: 0.8671875, 0.75: 0.2265625, 1.25: -0.0703125, 1.75: -0.0234375}
"""Keys' cubic kernel (a = -1/2) by the distance from its centre, in samples."""


def mirrored_indices(length: int, reach: int) -> Tensor:
    """Indices of an axis of `length` samples, continued by `reach` at both ends by a mirror.

    The mirror stands on the outer edge, so that the border sample comes twice (MATLAB's
    `symmetric`); short axes are mirrored repeatedly.

    >>> mirrored_indices(3, 2).tolist()
    [1, 0, 0, 1, 2, 2, 1]
    """
    positions = torch.arange(-reach, length + reach) % (2 * length)
    return torch.minimum(positions, 2 * length - 1 - positions)


def _mirrored(images: Tensor, axis: int, reach: int) -> Tensor:
    indices = mirrored_indices(images.shape[axis], reach).to(images.device)
    return images[..., indices, :] if axis == -2 else images[..., indices]


def _filtered(images: Tensor, axis: int, weights: Sequence[float], first: int, step: int) -> Tensor:
    """Weighted sums of neighbours along an axis: output k starts at sample first + step * k.

    Slices and sums, not a convolution: autocast would run that in half precision.
    """
    count = (images.shape[axis] - first - len(weights)) // step + 1
    starts = range(first, first + len(weights))
    parts = [slice(start, start + step * (count - 1) + 1, step) for start in starts]
    chosen = [images[..., part, :] if axis == -2 else images[..., part] for part in parts]
    result = weights[0] * chosen[0]
    for weight, part in zip(weights[1:], chosen[1:], strict=True):
        result = result + weight * part
    return result


def enlarge_bicubic(images: Tensor) -> Tensor:
    """Double both sides, not clipped: (B, C, H, W) of any size -> (B, C, 2 H, 2 W), same type.

    >>> enlarge_bicubic(torch.ones(1, 3, 2, 3)).shape
    torch.Size([1, 3, 4, 6])
    """
    # Output samples lie a quarter of a sample before or behind an input sample.
    before = [CUBIC[distance] for distance in (1.75, 0.75, 0.25, 1.25)]
    after = before[::-1]
    for axis in (-2, -1):
        continued = _mirrored(images, axis, reach=2)
        count = images.shape[axis]
        phases = (
            _filtered(continued, axis, before, first=0, step=1).narrow(axis, 0, count),
            _filtered(continued, axis, after, first=1, step=1).narrow(axis, 0, count),
        )
        # Stacked behind the axis and flattened into it, the phases alternate.
        position = images.ndim + axis
        images = torch.stack(phases, dim=position + 1).flatten(position, position + 1)
    return images


def reduce_bicubic(images: Tensor) -> Tensor:
    """Halve both sides, antialiased, neither clipped nor rounded; the same type.

    Raises:
        ValueError: an odd side.

    >>> reduce_bicubic(torch.ones(1, 3, 4, 6)).shape
    torch.Size([1, 3, 2, 3])
    """
    if images.shape[-2] % 2 or images.shape[-1] % 2:
        raise ValueError(f"halving: expected even sides, found {tuple(images.shape[-2:])}")
    # Stretched by 2, the kernel is sampled at both phases' distances, half as strong.
    rising = [CUBIC[distance] / 2 for distance in (1.75, 1.25, 0.75, 0.25)]
    for axis in (-2, -1):
        continued = _mirrored(images, axis, reach=3)
        images = _filtered(continued, axis, rising + rising[::-1], first=0, step=2)
    return images
