"""Restormer's transformer block, which is also NDR-Restore's, and its resampling (Sec. III-B)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ndr.layers.layer_norm import exact_layer_norm
from ndr.layers.row_bands import in_row_bands
from ndr.mixed_precision import autocast_off

EPSILON = 1e-5
SMALLEST_LENGTH = 1e-12
OFFICIAL_NAMES = (
    (r"\.norm1\.body\.", ".attention_norm."),
    (r"\.attn\.qkv_dwconv\.", ".attention.depthwise."),
    (r"\.attn\.qkv\.", ".attention.query_key_value."),
    (r"\.attn\.", ".attention."),
    (r"\.norm2\.body\.", ".feed_forward_norm."),
    (r"\.ffn\.dwconv\.", ".feed_forward.depthwise."),
    (r"\.ffn\.", ".feed_forward."),
)
"""The block's parts in the authors' checkpoints, see `ndr.method.Method.official_names`."""


class TransformerBlock(nn.Module):
    """Channel attention, then a gated feed-forward part, each on a layer norm and with a residual.

    See the parts for the arguments; `norm_bias` is the layer norm's.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        expansion: float = 2.66,
        bias: bool = False,
        norm_bias: bool = True,
    ) -> None:
        super().__init__()
        self.attention_norm = ChannelLayerNorm(width, norm_bias)
        self.attention = ChannelAttention(width, heads, bias)
        self.feed_forward_norm = ChannelLayerNorm(width, norm_bias)
        self.feed_forward = GatedFeedForward(width, expansion, bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape; channels-last memory is fastest."""
        features = features + self.attention(self.attention_norm(features))
        return features + self.feed_forward(self.feed_forward_norm(features))


class ChannelLayerNorm(nn.Module):
    """Normalise the channel vector of each pixel, (B, C, H, W) -> same shape.

    With `bias` the mean is subtracted, and a learned scale and shift follow. Without it the vector
    is divided by its standard deviation but keeps its mean, and there is no shift: the bias-free
    norm that Restormer uses for denoising.

    Computed in single precision at least (`ndr.layers.layer_norm`). The input is best in
    channels-last memory, where the channels of a pixel are neighbours and `F.layer_norm` reads them
    in one pass; the output has the memory format of the input.
    """

    def __init__(self, width: int, bias: bool = True, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, features: Tensor) -> Tensor:
        """Normalise over dimension 1."""
        pixels = features.permute(0, 2, 3, 1)
        if self.bias is not None:
            normalised = exact_layer_norm(pixels, self.weight, self.bias, self.epsilon)
        else:
            exact = pixels.to(torch.promote_types(pixels.dtype, torch.float32))
            deviation = (exact.var(-1, keepdim=True, unbiased=False) + self.epsilon).sqrt()
            normalised = (exact / deviation * self.weight).to(pixels.dtype)
        return normalised.permute(0, 3, 1, 2)


class ChannelAttention(nn.Module):
    """Mix the channels of each head by their similarity over all pixels.

    Queries, keys and values come from a 1x1 and a 3x3 depth-wise convolution. Queries and keys have
    unit length over the pixels; the softmax of their products, times a learned temperature per
    head, weighs the values, and a 1x1 convolution mixes the heads. The cost is linear in the number
    of pixels. `heads`, groups of channels that attend among themselves, divides `width`; `bias`
    says whether the convolutions have one.
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
        mixed = in_row_bands(
            features, 3 * width, lambda band: self.depthwise(self.query_key_value(band))
        ).permute(0, 2, 3, 1)
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
        """Attend and project: (B, P, C) in the type of `mixed`.

        Args:
            ctx: what the gradient needs.
            mixed: queries, keys and values side by side, (B, P, 3 C), P = H W pixels.
            temperature: (heads, 1, 1).
            projection: weight of the output convolution, (C, C).
        """
        heads, width = len(temperature), projection.shape[0]
        exact = torch.promote_types(mixed.dtype, torch.float32)
        with autocast_off(mixed):
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
        with autocast_off(mixed):
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


class GatedFeedForward(nn.Module):
    """Widen, look at the neighbours, let one half gate the other, narrow.

    A 1x1 convolution to twice the hidden width, a 3x3 depth-wise convolution, gelu(first half) *
    second half, a 1x1 convolution back. The hidden width is `expansion` times `width`, cut to an
    integer.
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
        return in_row_bands(
            features,
            self.project_in.out_channels,
            lambda band: self.depthwise(self.project_in(band)),
            self._gate_and_project,
        )

    def _gate_and_project(self, wide: Tensor) -> Tensor:
        output = _GateAndProject.apply(wide.permute(0, 2, 3, 1), self.project_out.weight.flatten(1))
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
        """Gate and project: (B, H, W, C) in the type of `wide`.

        Args:
            ctx: what the gradient needs.
            wide: gate and content side by side, (B, H, W, 2 hidden).
            projection: weight of the output convolution, (C, hidden).
        """
        ctx.save_for_backward(wide, projection)
        with autocast_off(wide):
            gate, content = _halves(wide)
            return F.linear(F.gelu(gate).mul_(content), projection.to(wide.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of `wide` and `projection`."""
        wide, projection = ctx.saved_tensors
        with autocast_off(wide):
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


class Downsample(nn.Module):
    """(B, C, H, W) -> (B, 2 C, H / 2, W / 2): 3x3 convolution to C / 2, pixel unshuffle by 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"downsampling needs an even number of channels, found {width}")
        self.convolution = nn.Conv2d(width, width // 2, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Halve the size; H and W are even."""
        return F.pixel_unshuffle(self.convolution(features), 2)


class Upsample(nn.Module):
    """(B, C, H, W) -> (B, C / 2, 2 H, 2 W): 3x3 convolution to 2 C, pixel shuffle by 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"upsampling needs an even number of channels, found {width}")
        self.convolution = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Double the size."""
        return F.pixel_shuffle(self.convolution(features), 2)
