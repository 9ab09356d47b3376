"""What every method asks of a batch of images: type, shape, finite values, accepted sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ndr.nearest_name import check_names


class ImageError(ValueError):
    """A batch of images that a method cannot take."""


class RestorationError(RuntimeError):
    """A method that cannot restore on this machine, e.g. a program that is not installed."""


def check_images(images: Tensor, what: str = "degraded images") -> None:
    """Raise unless `images` is a finite floating-point (B, 3, H, W) tensor.

    Finite values outside [0, 1] are legal: unclipped noise has them.

    Raises:
        TypeError: not a tensor, or not of a floating-point type.
        ImageError: wrong shape, or NaN or infinite values.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"{what}: expected a torch.Tensor, found {type(images).__name__}")
    if not images.is_floating_point():
        raise TypeError(
            f"{what}: expected a floating-point tensor with values in [0, 1], found "
            f"{images.dtype}; divide 8-bit images by 255"
        )
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ImageError(
            f"{what}: expected shape (B, 3, H, W) with RGB channels, found {tuple(images.shape)}"
        )
    if not torch.isfinite(images).all():
        count = int((~torch.isfinite(images)).sum())
        raise ImageError(f"{what}: {count} values are NaN or infinite; expected finite values")


def pad_by_reflection(images: Tensor, height: int, width: int) -> Tensor:
    """Pad (B, C, H, W) at the right and bottom to `height` x `width`.

    Reflection needs a source wider than the padding; what is smaller is reflected repeatedly.
    """
    if images.shape[-2] > height or images.shape[-1] > width:
        raise ValueError(
            f"cannot pad {tuple(images.shape[-2:])} to the smaller size ({height}, {width})"
        )
    # One pixel has no neighbour to reflect: repeat it.
    if images.shape[-2] == 1:
        images = images.expand(-1, -1, height, -1)
    if images.shape[-1] == 1:
        images = images.expand(-1, -1, -1, width)
    while images.shape[-2] < height or images.shape[-1] < width:
        bottom = min(height - images.shape[-2], images.shape[-2] - 1)
        right = min(width - images.shape[-1], images.shape[-1] - 1)
        images = F.pad(images, (0, right, 0, bottom), mode="reflect")
    return images


@dataclass(frozen=True, slots=True)
class SizeRequirements:
    """Image sizes that the network itself accepts; `Method.restore` pads to them."""

    minimum: int = 1
    multiple_of: int = 1
    padding: str = "reflect"
    """How an image is continued: `reflect`, or `replicate` (the border pixel again)."""

    def __post_init__(self) -> None:
        check_names("padding", [self.padding], ("reflect", "replicate"))

    def padded(self, size: int) -> int:
        """Smallest accepted length that is not below `size` (pixels)."""
        size = max(size, self.minimum)
        return -(-size // self.multiple_of) * self.multiple_of

    def pad(self, images: Tensor) -> Tensor:
        """Continue (B, C, H, W) at the right and bottom to accepted sizes."""
        height, width = (self.padded(size) for size in images.shape[-2:])
        if self.padding == "reflect":
            return pad_by_reflection(images, height, width)
        bottom, right = height - images.shape[-2], width - images.shape[-1]
        return F.pad(images, (0, right, 0, bottom), mode="replicate")
