"""Networks of FD-GAN: a generator around dense blocks, a discriminator of patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.structural_similarity import filtered, gaussian_weights

BOTTLENECK = 4
"""Width of a 1x1 convolution over that of the 3x3 convolution behind it."""
BLUR_SIZE, BLUR_DEVIATION = 15, 3.0


def dense_encoder(
    width: int, growth: int, layers: Sequence[int]
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Dense blocks and halving transitions of torchvision's DenseNet, without its weights.

    Normalisation is by each image's own statistics, as the authors use the network: they train on
    one image at a time, and test in training mode.
    """
    from torchvision.models import DenseNet

    # It makes a transition behind each block but the last, which is not needed.
    network = DenseNet(
        growth_rate=growth,
        block_config=(*layers, 1),
        num_init_features=width,
        bn_size=BOTTLENECK,
        num_classes=1,
    )
    numbers = range(1, len(layers) + 1)
    blocks = nn.ModuleList(network.features.get_submodule(f"denseblock{n}") for n in numbers)
    transitions = nn.ModuleList(network.features.get_submodule(f"transition{n}") for n in numbers)
    for part in (blocks, transitions):
        _normalise_single_images(part)
    return blocks, transitions


def _normalise_single_images(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.InstanceNorm2d(child.num_features, affine=True))
        else:
            _normalise_single_images(child)


class DecoderStage(nn.Module):
    """Widen by one dense layer, reduce, and double the size; no normalisation.

    Args:
        channels: of the input.
        growth: channels that the dense layer adds.
        outputs: channels of the output.
    """

    def __init__(self, channels: int, growth: int, outputs: int) -> None:
        super().__init__()
        self.bottleneck = nn.Conv2d(channels, BOTTLENECK * growth, 1, bias=False)
        self.convolution = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)
        self.reduction = nn.Conv2d(channels + growth, outputs, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, outputs, 2 H, 2 W)."""
        features = F.relu(features)
        added = F.relu(self.convolution(F.relu(self.bottleneck(features))))
        reduced = self.reduction(torch.cat([features, added], dim=1))
        return F.interpolate(reduced, scale_factor=2.0)

    @property
    def never_used(self) -> int:
        """Parameters of three normalisations that the authors' stage has and never calls."""
        before, behind = self.bottleneck, self.reduction
        return 2 * (before.in_channels + before.out_channels + behind.in_channels)


class DenseGenerator(nn.Module):
    """Encoder of three dense blocks with extra shortcuts, decoder of three stages.

    Args:
        width: channels at full size.
        growth: channels that each dense layer adds.
        layers: dense layers per block.
    """

    def __init__(self, width: int, growth: int, layers: Sequence[int]) -> None:
        super().__init__()
        widths = [width]
        for count in layers:
            widths.append((widths[-1] + count * growth) // 2)
        _, first, second, third = widths
        self.embedding = nn.Conv2d(3, width, 3, padding=1)
        self.blocks, self.transitions = dense_encoder(width, growth, layers)
        # Shortcuts lead past the first and the third block.
        self.shortcuts = nn.ModuleList(
            [nn.Conv2d(width, width // 2, 1), nn.Conv2d(second, second // 2, 1)]
        )
        self.merging = nn.ModuleList(
            [
                nn.Conv2d(width // 2 + first, first, 3, padding=1),
                nn.Conv2d(third + second // 2, third, 3, padding=1),
            ]
        )

        def part(divisor: int) -> int:
            return max(third // divisor, 4)

        self.decoder = nn.ModuleList(
            [
                DecoderStage(third, part(2), part(4)),
                DecoderStage(part(4) + second, part(4), part(8)),
                DecoderStage(part(8), part(16), part(32)),
            ]
        )
        self.output = nn.Conv2d(part(32), 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1], multiples of 8 -> the same shape, before the last tangent."""
        full = F.relu(self.embedding(images))
        past = self.shortcuts[0](F.avg_pool2d(full, 2))
        half = self.transitions[0](self.blocks[0](full))
        half = self.merging[0](torch.cat([past, half], dim=1))
        quarter = self.transitions[1](self.blocks[1](half))
        eighth = self.transitions[2](self.blocks[2](quarter))
        past = self.shortcuts[1](F.avg_pool2d(quarter, 2))
        eighth = self.merging[1](torch.cat([eighth, past], dim=1))
        raised = torch.cat([self.decoder[0](eighth), quarter], dim=1)
        return self.output(self.decoder[2](self.decoder[1](raised)))


def with_frequencies(images: Tensor) -> Tensor:
    """An image, its low frequencies (Gaussian) and its high ones (Laplacian of 3x3 pixels).

    (B, 3, H, W), more than 7 pixels a side -> (B, 9, H, W).
    """
    margin = BLUR_SIZE // 2
    continued = F.pad(images, [margin] * 4, mode="reflect")
    low = filtered(continued, gaussian_weights(BLUR_SIZE, BLUR_DEVIATION))
    kernel = images.new_ones(3, 1, 3, 3)
    kernel[:, :, 1, 1] = -8
    high = F.conv2d(images, kernel, padding=1, groups=3)
    return torch.cat([images, low, high], dim=1)


class FusionDiscriminator(nn.Module):
    """Judges patches of an image by its pixels, its low and its high frequencies.

    Args:
        width: channels of the first layer; each of the next three doubles them.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

        def plain(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False)

        def normalised(inputs: int, outputs: int) -> list[nn.Module]:
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            return [nn.LeakyReLU(0.2), convolution, nn.BatchNorm2d(outputs)]

        self.layers = nn.Sequential(
            plain(9, width, 2),
            *normalised(width, 2 * width),
            *normalised(2 * width, 4 * width),
            nn.LeakyReLU(0.2),
            plain(4 * width, 8 * width, 1),
            nn.LeakyReLU(0.2),
            plain(8 * width, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1, h, w), log odds of being real."""
        return self.layers(with_frequencies(images))
