"""Control: bicubic interpolation, the input of the tables with halved resolution."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ndr.layers.bicubic import mirrored_indices
from ndr.method import Method, MethodInfo, SideInformation, register_method

REACH = 2
"""Pixels that the cubic kernel sees at each side of a sample."""


@register_method
class Bicubic(Method):
    """Enlarges by cubic convolution as MATLAB's `imresize` does.

    Kernel of Keys (1981) with a = -0.5, borders continued by a mirror, output not clipped.

    Args:
        scale: integer factor of enlargement, at least 2. At scale 1 interpolation returns its
            input, which is the control `identity`: refused, so that no table shows it twice.

    Raises:
        ValueError: `scale` is no integer above 1.
    """

    info = MethodInfo(
        name="bicubic",
        paper_label="Bicubic",
        citation="R. Keys, Cubic convolution interpolation for digital image processing, "
        "IEEE TASSP 29(6), 1981",
        tasks=frozenset({"down_x2"}),
        trainable=False,
        scale=2,
    )

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        if scale != int(scale) or scale < 2:
            raise ValueError(
                f"bicubic: expected an integer scale of at least 2, found {scale}; "
                "at scale 1 use the method 'identity'"
            )
        self.scale = int(scale)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> (B, 3, scale * H, scale * W)."""
        height, width = degraded.shape[-2:]
        rows = mirrored_indices(height, REACH).to(degraded.device)
        columns = mirrored_indices(width, REACH).to(degraded.device)
        continued = degraded[..., rows, :][..., columns]
        # Only with `antialias` has PyTorch's kernel MATLAB's a = -0.5 (it is -0.75 without);
        # enlarging, nothing is smoothed.
        enlarged = F.interpolate(
            continued,
            size=(self.scale * continued.shape[-2], self.scale * continued.shape[-1]),
            mode="bicubic",
            antialias=True,
            align_corners=False,
        )
        border = self.scale * REACH
        return enlarged[..., border:-border, border:-border]
