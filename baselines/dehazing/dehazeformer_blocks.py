"""Blocks of DehazeFormer: rescaled layer norm, window attention beside a convolution, fusion."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = 8


class RescaledLayerNorm(nn.Module):
    """Layer norm over the whole image that also says how to undo itself (paper Eq. 3 to 5).

    Mean and deviation are taken over all channels and pixels of an image. Each is mapped to a
    scale and a shift per channel, which bring the image's brightness and contrast back behind the
    branch.
    """

    epsilon = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale_of_deviation = nn.Conv2d(1, channels, 1)
        self.shift_of_mean = nn.Conv2d(1, channels, 1)
        for layer, start in ((self.scale_of_deviation, 1.0), (self.shift_of_mean, 0.0)):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.constant_(layer.bias, start)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W) -> the normalised features, and scale and shift (B, C, 1, 1)."""
        variance, mean = torch.var_mean(features, dim=(1, 2, 3), keepdim=True, correction=0)
        deviation = (variance + self.epsilon).sqrt()
        # One multiplication and one addition per value: (x - m) / d * w + b.
        factor = self.weight / deviation
        normalised = torch.addcmul(self.bias - mean * factor, features, factor)
        return normalised, self.scale_of_deviation(deviation), self.shift_of_mean(mean)


class WindowAttention(nn.Module):
    """Attention between the pixels of windows, in parallel with a convolution of the values.

    Args:
        channels: width.
        heads: attention heads; 0: convolution alone.
        shifted: whether the windows begin half a window earlier. The image is continued by
            reflection, not rolled around.
        convolution: `depthwise` (5x5, on the values) or `plain` (two 3x3 with a ReLU; without
            attention it replaces values and projection).
        network_depth: blocks of the whole network; deeper ones start with smaller weights.
    """

    def __init__(
        self, channels: int, heads: int, shifted: bool, convolution: str, network_depth: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.shift = WINDOW // 2 if shifted else 0
        self.convolution: nn.Module
        if convolution == "plain":
            self.convolution = nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            )
        else:
            self.convolution = nn.Conv2d(
                channels, channels, 5, padding=2, groups=channels, padding_mode="reflect"
            )
        self.value = self.projection = None
        if heads or convolution == "depthwise":
            self.value = nn.Conv2d(channels, channels, 1)
            self.projection = nn.Conv2d(channels, channels, 1)
        start_small(self, network_depth)
        if heads:
            if channels % heads:
                raise ValueError(f"dehazeformer: {heads} heads do not divide {channels} channels")
            self.query_key = nn.Conv2d(channels, 2 * channels, 1)
            nn.init.normal_(self.query_key.weight, std=glorot_deviation(self.query_key))
            nn.init.zeros_(self.query_key.bias)
            self.position_bias = nn.Sequential(
                nn.Linear(2, 256), nn.ReLU(inplace=True), nn.Linear(256, heads)
            )
            self.register_buffer("positions", relative_positions(WINDOW), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape; at least 8 pixels a side where there are heads."""
        if self.value is None or self.projection is None:
            return self.convolution(features)
        values = self.value(features)
        mixed = self.convolution(values)
        if self.heads:
            mixed = mixed + self.attended(torch.cat([self.query_key(features), values], dim=1))
        return self.projection(mixed)

    def attended(self, joined: Tensor) -> Tensor:
        """Queries, keys and values (B, 3 C, H, W) -> (B, C, H, W)."""
        height, width = joined.shape[-2:]
        down, right = (_continuation(size, self.shift) for size in (height, width))
        padded = F.pad(joined, (self.shift, right, self.shift, down), mode="reflect")
        batch, triple, rows, columns = padded.shape
        per_head = triple // 3 // self.heads
        windows = padded.reshape(
            batch, 3, self.heads, per_head, rows // WINDOW, WINDOW, columns // WINDOW, WINDOW
        )
        # (3, B, rows, columns, heads, pixels, C / heads)
        windows = windows.permute(1, 0, 4, 6, 2, 5, 7, 3).flatten(5, 6)
        query, key, value = windows.flatten(1, 3).unbind(0)
        bias = self.position_bias(self.positions).permute(2, 0, 1)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query)[None])
        mixed = mixed.reshape(
            batch, rows // WINDOW, columns // WINDOW, self.heads, WINDOW, WINDOW, per_head
        )
        mixed = mixed.permute(0, 3, 6, 1, 4, 2, 5).reshape(batch, triple // 3, rows, columns)
        return mixed[..., self.shift : self.shift + height, self.shift : self.shift + width]


def _continuation(size: int, shift: int) -> int:
    """Pixels to add behind `size`, so that `shift` before and all together are whole windows."""
    return (WINDOW - shift + -size % WINDOW) % WINDOW if shift else -size % WINDOW


def relative_positions(window: int) -> Tensor:
    """Signed logarithm of the distance in rows and columns between two pixels of a window.

    Returns:
        (window^2, window^2, 2): sign(d) log(1 + |d|).
    """
    line = torch.arange(window)
    pixels = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).flatten(0, 1)
    distance = (pixels[:, None] - pixels[None]).float()
    return distance.sign() * torch.log1p(distance.abs())


def glorot_deviation(layer: nn.Conv2d) -> float:
    """Standard deviation after Glorot: sqrt(2 / (inputs + outputs)), with the kernel counted."""
    inputs, outputs = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    return math.sqrt(2 / (inputs + outputs))


def start_small(module: nn.Module, network_depth: int) -> None:
    """Initialise convolutions after Glorot, times (8 depth)^(-1/4), without bias.

    The authors cut the normal distribution at 2, many deviations away: no draw gets there.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            deviation = (8 * network_depth) ** -0.25 * glorot_deviation(layer)
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)


class DehazeFormerBlock(nn.Module):
    """Attention and feed-forward part, both residual; the norm stands before attention only.

    Args:
        channels: width.
        heads: attention heads; 0: a convolution instead of attention, and no norm.
        expansion: width of the feed-forward part over that of the block.
        shifted, convolution, network_depth: see `WindowAttention`.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        expansion: float,
        shifted: bool,
        convolution: str,
        network_depth: int,
    ) -> None:
        super().__init__()
        self.norm = RescaledLayerNorm(channels) if heads else None
        self.attention = WindowAttention(channels, heads, shifted, convolution, network_depth)
        hidden = int(channels * expansion)
        self.feed_forward = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, channels, 1)
        )
        start_small(self.feed_forward, network_depth)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        if self.norm is None:
            features = features + self.attention(features)
        else:
            normalised, scale, shift = self.norm(features)
            features = features + torch.addcmul(shift, self.attention(normalised), scale)
        return features + self.feed_forward(features)


class SelectiveFusion(nn.Module):
    """Weighted sum of two features; per channel the weights are a softmax of their joint mean.

    Args:
        channels: width of each.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 8, 4)
        self.weights = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, 2 * channels, 1, bias=False),
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two times (B, C, H, W) -> the same shape."""
        joint = (first + second).mean((2, 3), keepdim=True)
        weights = self.weights(joint).unflatten(1, (2, -1)).softmax(1)
        return first * weights[:, 0] + second * weights[:, 1]
