"""Geometric self-ensemble: the mean over the eight flips and rotations of an image.

Timofte et al., Seven ways to improve example-based single image super resolution, CVPR 2016; the
"+" in the names EDSR+, RCAN+ and HAN+. It wraps the restoration of an image, whole or in tiles, so
it works for every method without the method's knowing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from ndr.method import SideInformation

Restore = Callable[[Tensor, SideInformation], Tensor]
"""Degraded images (B, 3, H, W) and what is known of them -> (B, 3, scale * H, scale * W)."""

TRANSFORMS = tuple(itertools.product((False, True), repeat=3))
"""The symmetries of a square, as (flip rows, flip columns, transpose), applied in this order."""


def transformed(images: Tensor, flip_rows: bool, flip_columns: bool, transpose: bool) -> Tensor:
    """One of the eight flips and rotations of (..., H, W).

    >>> transformed(torch.tensor([[1, 2], [3, 4]]), True, False, True).tolist()
    [[3, 1], [4, 2]]
    """
    axes = [axis for axis, flip in ((-2, flip_rows), (-1, flip_columns)) if flip]
    images = images.flip(axes) if axes else images
    return images.mT if transpose else images


def transformed_back(
    images: Tensor, flip_rows: bool, flip_columns: bool, transpose: bool
) -> Tensor:
    """The inverse of `transformed`, steps in the reverse order.

    >>> transformed_back(torch.tensor([[3, 1], [4, 2]]), True, False, True).tolist()
    [[1, 2], [3, 4]]
    """
    return transformed(images.mT if transpose else images, flip_rows, flip_columns, False)


def restore_with_self_ensemble(restore: Restore, degraded: Tensor, side: SideInformation) -> Tensor:
    """Restore the eight versions of a batch and average what they give, turned back.

    Takes eight times as long; memory stays that of one restoration and two images. The authors'
    programs average the same eight (with values rounded to 8 bits nowhere before the mean).

    Args:
        restore: restores one batch, e.g. `method.restore`; may use tiles.
        degraded: (B, 3, H, W), RGB, nominally in [0, 1].
        side: `clean` is turned with the images.

    Returns:
        (B, 3, scale * H, scale * W), not clipped, in single precision at least.
    """
    total: Tensor | None = None
    for transform in TRANSFORMS:
        clean = None if side.clean is None else transformed(side.clean, *transform).contiguous()
        turned = transformed(degraded, *transform).contiguous()
        restored = restore(turned, SideInformation(side.sigma, clean))
        restored = transformed_back(restored, *transform)
        # In single precision: eight terms lose a bit or two of bfloat16.
        restored = restored.to(torch.promote_types(restored.dtype, torch.float32))
        total = restored.clone() if total is None else total + restored
    assert total is not None
    return total / len(TRANSFORMS)
