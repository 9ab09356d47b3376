"""Gated feed-forward part of a transformer block (Restormer, Sec. 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class GatedFeedForward(nn.Module):
    """Widen, look at the neighbours, let one half gate the other, narrow.

    A 1x1 convolution to twice the hidden width, a 3x3 depth-wise convolution, gelu(first half) *
    second half, a 1x1 convolution back.

    Args:
        width: channels in and out.
        expansion: hidden width over `width`; the product is cut to an integer.
        bias: whether the convolutions have one.
    """

    def __init__(self, width: int, expansion: float = 2.66, bias: bool = False) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.project_in = nn.Conv2d(width, 2 * hidden, 1, bias=bias)
        self.depthwise = nn.Conv2d(
            2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias
        )
        self.project_out = nn.Conv2d(hidden, width, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        wide = self.depthwise(self.project_in(features)).permute(0, 2, 3, 1)
        output = _GateAndProject.apply(wide, self.project_out.weight.flatten(1))
        if self.project_out.bias is not None:
            output = output + self.project_out.bias.to(output.dtype)
        return output.permute(0, 3, 1, 2)


class _GateAndProject(torch.autograd.Function):
    """(gelu(gate) * content) times a matrix, with its gradient.

    The gradient computes the gated product again from its two factors, which must be kept anyway;
    the automatic one keeps twice as much.
    """

    @staticmethod
    def forward(ctx: Any, wide: Tensor, projection: Tensor) -> Tensor:
        """Gate and project.

        Args:
            ctx: what the gradient needs.
            wide: gate and content side by side, (B, H, W, 2 hidden).
            projection: weight of the output convolution, (C, hidden).

        Returns:
            (B, H, W, C), in the type of `wide`.
        """
        ctx.save_for_backward(wide, projection)
        with torch.autocast(wide.device.type, enabled=False):
            gate, content = _halves(wide)
            return F.linear(F.gelu(gate).mul_(content), projection.to(wide.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of `wide` and `projection`."""
        wide, projection = ctx.saved_tensors
        with torch.autocast(wide.device.type, enabled=False):
            gate, content = _halves(wide)
            product_gradient = gradient @ projection.to(wide.dtype)
            result = torch.empty_like(wide)
            gate_result, content_result = result.chunk(2, dim=-1)
            gated = F.gelu(gate)
            product = (gated * content).flatten(0, 2)
            projection_gradient = gradient.flatten(0, 2).T @ product
            content_result.copy_(gated.mul_(product_gradient))
            product_gradient.mul_(content)
            gate_result.copy_(torch.ops.aten.gelu_backward(product_gradient, gate))
        return result, projection_gradient.to(projection.dtype)


def _halves(wide: Tensor) -> tuple[Tensor, Tensor]:
    """Both halves of the last dimension, each in one piece: gelu is several times faster so."""
    gate, content = wide.chunk(2, dim=-1)
    return gate.contiguous(), content.contiguous()
