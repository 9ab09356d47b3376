"""How restoration networks of scale 1 return images of twice the size (Tables IV and VI).

The paper trains restoration networks on x2 super-resolution, but neither says how they enlarge
nor is any of that code public. This is the suite's reading of it, the same for every network:

- `pixel_shuffle` (default of the tables): the last convolution makes four times the channels, its
  output is shuffled to twice the size, and where the network adds its input to its output, it adds
  the input enlarged by bicubic interpolation. All features keep the size of the input, so a
  step costs what it costs at scale 1. The last convolution grows by three times its parameters
  (9 of 12 channels): Restormer + 7,776, NAFNet (width 64) + 5,193, NDR-Restore + 7,785, and
  NDR-Degrad, whose first convolution grows instead, + 3,888.
- `pre_upsample`: bicubic interpolation of the input, then the unchanged network, at four times the
  cost and with no new parameter.

Where the last convolution starts at zero and the input is added, both start at bicubic
interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from ndr.layers.bicubic import enlarge_bicubic, reduce_bicubic
from ndr.nearest_name import check_names

UPSCALES = ("none", "pixel_shuffle", "pre_upsample")
SCALE = 2
COLOURS = 3


@dataclass(frozen=True, slots=True)
class X2Head:
    """Where and how a network enlarges: `enter` before it, `leave` after its last convolution.

    It has no parameters of its own. With `none` it changes nothing.
    """

    upscale: str = "none"
    """One of `UPSCALES`."""
    first_channels: ClassVar[int] = COLOURS
    """Input channels of the network's first convolution."""

    def __post_init__(self) -> None:
        check_names("upscale", [self.upscale], UPSCALES)

    @property
    def scale(self) -> int:
        """Side of the output over side of the input: 1 or 2."""
        return 1 if self.upscale == "none" else SCALE

    @property
    def feature_scale(self) -> int:
        """Side of the network's first features over side of the input: 1 or 2."""
        return SCALE if self.upscale == "pre_upsample" else 1

    @property
    def last_channels(self) -> int:
        """Output channels of the network's last convolution."""
        return COLOURS * SCALE**2 if self.upscale == "pixel_shuffle" else COLOURS

    def enter(self, image: Tensor) -> Tensor:
        """What the network gets: (B, 3, h, w), or (B, 3, 2 h, 2 w) with `pre_upsample`."""
        return enlarge_bicubic(image) if self.upscale == "pre_upsample" else image

    def leave(self, output: Tensor, image: Tensor, *, residual: bool = True) -> Tensor:
        """Make the network's image from the output of its last convolution.

        Args:
            output: (B, `last_channels`, H, W), H and W as of what `enter` returned.
            image: what was given to `enter`, (B, 3, h, w).
            residual: whether the network adds its input to its output.

        Returns:
            (B, 3, scale * h, scale * w).
        """
        if self.upscale == "pixel_shuffle":
            output = F.pixel_shuffle(output, SCALE)
        if not residual:
            return output
        return output + (image if self.upscale == "none" else enlarge_bicubic(image))


@dataclass(frozen=True, slots=True)
class HalvingHead:
    """The reverse of `X2Head`, for a network that turns full-size images into halved ones.

    NDR-Degrad has to re-create the degraded image of size (h, w) from the clean one of size
    (2 h, 2 w) and the U that NDR-Restore found at its own levels. Its features need the sizes of
    NDR-Restore's, so it does the reverse of what that does:

    - `pixel_shuffle`: the clean image enters by pixel unshuffle, as four times the channels at
      (h, w), and the network's output is added to the clean image reduced by bicubic interpolation.
    - `pre_upsample`: the unchanged network works at (2 h, 2 w); its image is reduced at the end.

    The reduction is the one that made the x2 data, without its rounding: what is left to learn is
    the rest of the degradation. With `none` nothing is changed.
    """

    upscale: str = "none"
    """How NDR-Restore enlarges, one of `UPSCALES`."""
    last_channels: ClassVar[int] = COLOURS
    """Output channels of the network's last convolution."""

    def __post_init__(self) -> None:
        check_names("upscale", [self.upscale], UPSCALES)

    @property
    def first_channels(self) -> int:
        """Input channels of the network's first convolution."""
        return COLOURS * SCALE**2 if self.upscale == "pixel_shuffle" else COLOURS

    def enter(self, image: Tensor) -> Tensor:
        """What the network gets: the clean image, or its 2x2 cells as channels."""
        return F.pixel_unshuffle(image, SCALE) if self.upscale == "pixel_shuffle" else image

    def leave(self, output: Tensor, image: Tensor, *, residual: bool = True) -> Tensor:
        """Make the degraded image from the output of the last convolution.

        Args:
            output: (B, 3, H, W), H and W as of what `enter` returned.
            image: what was given to `enter`, the clean image.
            residual: whether the network adds its input to its output.

        Returns:
            (B, 3, h, w), the size of the degraded image.
        """
        if self.upscale == "pixel_shuffle":
            return output + reduce_bicubic(image) if residual else output
        output = output + image if residual else output
        return reduce_bicubic(output) if self.upscale == "pre_upsample" else output
