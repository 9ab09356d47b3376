"""The two networks of AirNet: degradation encoder, and degradation-guided restoration network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.1


class EncoderBlock(nn.Module):
    """Residual block with batch norm; the shortcut is a 1x1 convolution.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: 2 halves the size.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride), sizes rounded up."""
        return F.leaky_relu(self.body(features) + self.shortcut(features), SLOPE)


class DegradationEncoder(nn.Module):
    """What degrades an image: a feature map for the restoration, a vector for the contrast.

    Args:
        width: channels of the map; they double in each of the two blocks after it. The vector has
            four times as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = EncoderBlock(3, width, stride=1)
        self.body = nn.Sequential(
            EncoderBlock(width, 2 * width, stride=2), EncoderBlock(2 * width, 4 * width, stride=2)
        )
        self.head = nn.Sequential(
            nn.Linear(4 * width, 4 * width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(4 * width, 4 * width),
        )

    def vector(self, degradation: Tensor, columns: slice = slice(None)) -> Tensor:
        """(B, 4 * width) from the degradation map.

        Args:
            degradation: what `self.first` made of the image, (B, width, H, W).
            columns: which columns of the last feature map (W / 4 of them) are averaged.
        """
        return self.head(self.body(degradation)[..., columns].mean(dim=(2, 3)))


class GuidedConvolution(nn.Module):
    """Deformable 3x3 convolution whose offsets and weights per tap follow from the degradation.

    Offsets and mask start at zero, so that it first is a convolution of half the weight.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width, 3, 3))
        self.taps = nn.Conv2d(2 * width, 3 * 9, 3, padding=1)
        bound = (width * 9) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.zeros_(self.taps.weight)
        nn.init.zeros_(self.taps.bias)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """Features and degradation map (B, C, H, W) -> (B, C, H, W)."""
        from torchvision.ops import deform_conv2d

        # The kernel samples at fractions of a pixel and exists in single precision only.
        taps = self.taps(torch.cat([features, degradation], dim=1)).float()
        with torch.autocast(taps.device.type, enabled=False):
            return deform_conv2d(
                features.float().contiguous(),
                taps[:, :18].contiguous(),
                self.weight,
                padding=1,
                mask=taps[:, 18:].sigmoid(),
            )


class SpatialTransform(nn.Module):
    """Scale and shift of each value, from the degradation map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale, self.shift = (
            nn.Sequential(
                nn.Conv2d(width, width, 1, bias=False),
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(width, width, 1, bias=False),
            )
            for _ in range(2)
        )

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """Features and degradation map (B, C, H, W) -> (B, C, H, W)."""
        return features * self.scale(degradation) + self.shift(degradation)


class GuidedModule(nn.Module):
    """Features plus their deformable convolution plus their scaled and shifted copy."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = GuidedConvolution(width)
        self.transform = SpatialTransform(width)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        return (
            features
            + self.convolution(features, degradation)
            + self.transform(features, degradation)
        )


class GuidedBlock(nn.Module):
    """Two guided modules, each with a convolution, and a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.guides = nn.ModuleList(GuidedModule(width) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        result = F.leaky_relu(self.guides[0](features, degradation), SLOPE)
        result = F.leaky_relu(self.convolutions[0](result), SLOPE)
        result = F.leaky_relu(self.guides[1](result, degradation), SLOPE)
        return features + self.convolutions[1](result)


class GuidedGroup(nn.Module):
    """Guided blocks, a convolution, and a residual."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(GuidedBlock(width) for _ in range(blocks))
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        result = features
        for block in self.blocks:
            result = block(result, degradation)
        return features + self.convolution(result)


class GuidedNetwork(nn.Module):
    """The restoration network: features, guided groups with a residual, and the last layer.

    Args:
        width: channels.
        groups: guided groups.
        blocks: guided blocks in each.
        channels: channels of the last layer.
    """

    def __init__(self, width: int, groups: int, blocks: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.groups = nn.ModuleList(GuidedGroup(width, blocks) for _ in range(groups))
        self.convolution = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, image: Tensor, degradation: Tensor) -> Tensor:
        """Image (B, 3, H, W) and degradation map (B, width, H, W) -> (B, channels, H, W)."""
        features = self.first(image)
        result = features
        for group in self.groups:
            result = group(result, degradation)
        return self.last(features + self.convolution(result))
