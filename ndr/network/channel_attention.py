"""Attention between channels instead of pixels (Restormer, Zamir et al., CVPR 2022, Sec. 3.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALLEST_LENGTH = 1e-12


class ChannelAttention(nn.Module):
    """Mix the channels of each head by their similarity over all pixels.

    Queries, keys and values come from a 1x1 and a 3x3 depth-wise convolution. Queries and keys have
    unit length over the pixels; the softmax of their products, times a learned temperature per
    head, weighs the values, and a 1x1 convolution mixes the heads. The cost is linear in the number
    of pixels.

    Args:
        width: channels C.
        heads: groups of channels that attend among themselves; divides `width`.
        bias: whether the convolutions have one.

    Raises:
        ValueError: `heads` does not divide `width`.
    """

    def __init__(self, width: int, heads: int, bias: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(
                f"channel attention: {heads} heads do not divide {width} channels; "
                "choose a width that is a multiple of the heads"
            )
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.query_key_value = nn.Conv2d(width, 3 * width, 1, bias=bias)
        self.depthwise = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=bias)
        self.project_out = nn.Conv2d(width, width, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        batch, width, height, breadth = features.shape
        mixed = self.depthwise(self.query_key_value(features)).permute(0, 2, 3, 1)
        output = _MixChannels.apply(
            mixed.reshape(batch, height * breadth, 3 * width),
            self.temperature,
            self.project_out.weight.flatten(1),
        )
        if self.project_out.bias is not None:
            output = output + self.project_out.bias.to(output.dtype)
        return output.reshape(batch, height, breadth, width).permute(0, 3, 1, 2)


class _MixChannels(torch.autograd.Function):
    """Everything between the depth-wise convolution and the output, with its gradient.

    Written out because the automatic gradient reads and writes the feature map about twice as
    often. Three identities keep the work on matrices of C x C numbers:

    - the lengths of queries and keys are divided out of their products;
    - attention and output convolution are both linear in the values, so they are multiplied first;
    - the gradient through a length is a multiple of the query (or key) itself.

    Softmax and lengths are in single precision, whatever the precision of the features.
    """

    @staticmethod
    def forward(ctx: Any, mixed: Tensor, temperature: Tensor, projection: Tensor) -> Tensor:
        """Attend and project.

        Args:
            ctx: what the gradient needs.
            mixed: queries, keys and values side by side, (B, P, 3 C), P = H W pixels.
            temperature: (heads, 1, 1).
            projection: weight of the output convolution, (C, C).

        Returns:
            (B, P, C), in the type of `mixed`.
        """
        heads, width = len(temperature), projection.shape[0]
        exact = torch.promote_types(mixed.dtype, torch.float32)
        with torch.autocast(mixed.device.type, enabled=False):
            query, key, value = mixed.split(width, dim=-1)
            lengths = torch.linalg.vector_norm(mixed[..., : 2 * width], dim=1, dtype=exact)
            lengths = lengths.clamp_min_(SMALLEST_LENGTH).unflatten(-1, (2, heads, -1))
            inverse = lengths[:, 0, :, :, None].reciprocal() * lengths[:, 1, :, None].reciprocal()
            similarity = _products_by_head(query, key, heads).to(exact) * inverse
            weights = (similarity * temperature).softmax(dim=-1)
            by_head = projection.to(exact).unflatten(1, (heads, -1)).transpose(0, 1)
            combined = (by_head @ weights).transpose(1, 2).flatten(2)
            output = torch.bmm(value, combined.transpose(1, 2).to(mixed.dtype))
        ctx.save_for_backward(mixed, temperature, projection, lengths, similarity, weights)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of `mixed`, `temperature` and `projection`."""
        mixed, temperature, projection, lengths, similarity, weights = ctx.saved_tensors
        heads, width = len(temperature), projection.shape[0]
        kind, exact = mixed.dtype, similarity.dtype
        with torch.autocast(mixed.device.type, enabled=False):
            query, key, value = mixed.split(width, dim=-1)
            by_head = projection.to(exact).unflatten(1, (heads, -1)).transpose(0, 1)
            combined = (by_head @ weights).transpose(1, 2).flatten(2)
            result = torch.empty_like(mixed)
            query_result, key_result, value_result = result.split(width, dim=-1)
            torch.bmm(gradient, combined.to(kind), out=value_result)

            combined_gradient = torch.bmm(gradient.transpose(1, 2), value).to(exact)
            combined_gradient = combined_gradient.unflatten(2, (heads, -1)).transpose(1, 2)
            projection_gradient = (combined_gradient @ weights.transpose(-2, -1)).sum(dim=0)
            weights_gradient = by_head.transpose(-2, -1) @ combined_gradient

            shared = (weights_gradient * weights).sum(dim=-1, keepdim=True)
            scores_gradient = weights * (weights_gradient - shared)
            temperature_gradient = (scores_gradient * similarity).sum(dim=(0, 2, 3))
            similarity_gradient = scores_gradient * temperature
            through_lengths = similarity_gradient * similarity
            inverse = lengths.reciprocal()
            query_factor = through_lengths.sum(dim=-1) * inverse[:, 0].square()
            key_factor = through_lengths.sum(dim=-2) * inverse[:, 1].square()
            products_gradient = similarity_gradient * (
                inverse[:, 0, :, :, None] * inverse[:, 1, :, None]
            )
            products_gradient = products_gradient.to(kind)
            _times_by_head(key, products_gradient.transpose(-2, -1), query_result)
            query_result.addcmul_(query, query_factor.flatten(1)[:, None].to(kind), value=-1)
            _times_by_head(query, products_gradient, key_result)
            key_result.addcmul_(key, key_factor.flatten(1)[:, None].to(kind), value=-1)
        return (
            result,
            temperature_gradient.reshape(temperature.shape).to(temperature.dtype),
            projection_gradient.transpose(0, 1).flatten(1).to(projection.dtype),
        )


def _products_by_head(query: Tensor, key: Tensor, heads: int) -> Tensor:
    """Sums over pixels of query times key, (B, P, C) twice -> (B, heads, C / heads, C / heads)."""
    pairs = zip(query.chunk(heads, dim=-1), key.chunk(heads, dim=-1), strict=True)
    return torch.stack([torch.bmm(one.transpose(1, 2), other) for one, other in pairs], dim=1)


def _times_by_head(pixels: Tensor, matrices: Tensor, result: Tensor) -> None:
    """Write pixels (B, P, C) times matrices (B, heads, C / heads, C / heads) to `result`."""
    heads = matrices.shape[1]
    parts = zip(
        pixels.chunk(heads, dim=-1), matrices.unbind(1), result.chunk(heads, dim=-1), strict=True
    )
    for part, matrix, place in parts:
        torch.bmm(part, matrix, out=place)
