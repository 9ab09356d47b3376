"""Networks of EPDN: generator of two scales, enhancer, discriminators of two scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POOLED_SIZES = (32, 16, 8, 4)
ENHANCER_WIDTH = 20
DISCRIMINATOR_LAYERS = 5


def normalised(channels: int) -> list[nn.Module]:
    """Normalisation of each channel of each image, and ReLU."""
    return [nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]


def halving(size: int = 3) -> nn.AvgPool2d:
    """Mean of 3x3 pixels at every second place; pixels outside of the image do not count."""
    return nn.AvgPool2d(size, stride=2, padding=1, count_include_pad=False)


class ResidualBlock(nn.Module):
    """x + two convolutions with normalisation; the image is continued by reflection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            *normalised(channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return features + self.body(features)


def _entry(width: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), *normalised(width)]


def _down(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), *normalised(2 * width)]


def _up(width: int) -> list[nn.Module]:
    transposed = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
    return [transposed, *normalised(width // 2)]


class TwoScaleGenerator(nn.Module):
    """A deep branch on the halved image joins a shallow one on the whole (after pix2pixHD).

    Args:
        width: channels of the shallow branch at full size.
        downsamplings: of the deep branch.
        blocks: residual blocks of the deep branch, and as many of the shallow one.
    """

    def __init__(self, width: int, downsamplings: int, blocks: int) -> None:
        super().__init__()
        widths = [2 * width * 2**level for level in range(downsamplings + 1)]
        deep = _entry(widths[0])
        for channels in widths[:-1]:
            deep += _down(channels)
        deep += [ResidualBlock(widths[-1]) for _ in range(blocks)]
        for channels in reversed(widths[1:]):
            deep += _up(channels)
        # Positions in these lists are those of the authors' key names.
        self.deep = nn.Sequential(*deep)
        self.shallow_entry = nn.Sequential(*_entry(width), *_down(width))
        self.shallow_exit = nn.Sequential(
            *(ResidualBlock(2 * width) for _ in range(blocks)),
            *_up(2 * width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, 3, 7),
            nn.Tanh(),
        )
        self.halving = halving()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1], multiples of 2^(downsamplings + 1) -> the same shape."""
        deep = self.deep(self.halving(images))
        return self.shallow_exit(self.shallow_entry(images) + deep)


class Enhancer(nn.Module):
    """Refines an image with a second one beside it, and with means over large squares.

    Args:
        width: channels.
        bounded: whether a hyperbolic tangent ends it.
    """

    def __init__(self, width: int, bounded: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(6, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.pooled = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in POOLED_SIZES)
        self.last = nn.Conv2d(width + len(POOLED_SIZES), 3, 3, padding=1)
        self.bounded = bounded

    def forward(self, generated: Tensor, images: Tensor) -> Tensor:
        """Two times (B, 3, H, W) -> the same shape.

        Patches smaller than a square of means are one square.
        """
        features = F.leaky_relu(self.first(torch.cat([generated, images], dim=1)), 0.2)
        features = F.leaky_relu(self.second(features), 0.2)
        size = features.shape[-2:]
        means = [
            F.interpolate(
                F.leaky_relu(convolution(F.avg_pool2d(features, min(square, *size))), 0.2), size
            )
            for square, convolution in zip(POOLED_SIZES, self.pooled, strict=True)
        ]
        refined = self.last(torch.cat([*means, features], dim=1))
        return torch.tanh(refined) if self.bounded else refined


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of a hazy image with its restored one.

    Args:
        width: channels of the first layer; they double twice more, and once more without stride.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        stages: list[nn.Module] = [
            nn.Sequential(
                nn.Conv2d(6, widths[0], 4, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True)
            )
        ]
        for inputs, outputs, stride in zip(widths, widths[1:], (2, 2, 1), strict=False):
            stages.append(
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, 4, stride=stride, padding=2),
                    nn.InstanceNorm2d(outputs),
                    nn.LeakyReLU(0.2, inplace=True),
                )
            )
        stages.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, padding=2)))
        assert len(stages) == DISCRIMINATOR_LAYERS
        self.stages = nn.ModuleList(stages)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """(B, 6, H, W) -> the outputs of all layers; the last, (B, 1, h, w), is the judgement."""
        outputs = []
        for stage in self.stages:
            pair = stage(pair)
            outputs.append(pair)
        return outputs


class TwoScaleDiscriminator(nn.Module):
    """Two patch discriminators: on the image and on the halved image."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(width) for _ in range(2))
        self.halving = halving()

    def forward(self, hazy: Tensor, restored: Tensor) -> list[list[Tensor]]:
        """Outputs of the layers for each scale, the full size first."""
        pair = torch.cat([hazy, restored], dim=1)
        return [self.scales[0](pair), self.scales[1](self.halving(pair))]


def start_normally(module: nn.Module) -> None:
    """Initialise the weights of convolutions by a normal distribution of deviation 0.02."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=0.02)
