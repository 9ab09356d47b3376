"""EPDN (Qu et al., CVPR 2019): haze removal as image translation, with an enhancer behind it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.loss_terms import PerceptualDistance
from ndr.layers.initialisation import start_at_zero
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    parameter_count,
    register_method,
)

POOLED_SIZES = (32, 16, 8, 4)
ENHANCER_WIDTH = 20
FEATURE_WEIGHT = 10.0
"""Weight of the feature matching and of the perceptual term."""
NEVER_USED = 200
"""Parameters of a normalisation of 100 channels in each of the authors' enhancers."""
VGG_LAYERS = (1, 6, 11, 20, 29)
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def normalised(channels: int) -> list[nn.Module]:
    """Normalisation of each channel of each image, and ReLU."""
    return [nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]


def halving() -> nn.AvgPool2d:
    """Mean of 3x3 pixels at every second place; pixels outside of the image do not count."""
    return nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)


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
        rectifier = nn.LeakyReLU(0.2, inplace=True)
        stages = [nn.Sequential(nn.Conv2d(6, width, 4, stride=2, padding=2), rectifier)]
        for inputs, outputs, stride in zip(widths, widths[1:], (2, 2, 1), strict=False):
            layer = nn.Conv2d(inputs, outputs, 4, stride=stride, padding=2)
            stages.append(nn.Sequential(layer, nn.InstanceNorm2d(outputs), rectifier))
        stages.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, padding=2)))
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


@register_method
class EPDN(Method):
    """A generator of two scales, then two enhancers that see its output and the image.

    Adversarial training: least-squares discriminators of two scales judge the generator's output
    beside the hazy image; the generator also matches their features. The enhanced image is compared
    with the clean one directly and, where `perceptual` is on, in the features of VGG19.

    Args:
        width: channels of the shallow branch at full size.
        downsamplings: of the deep branch.
        blocks: residual blocks per branch.
        enhancer_width: channels of the enhancers.
        discriminator_width: channels of the discriminators' first layer.
        perceptual: add the authors' VGG19 term (weight 10). Off unless asked for: the suite brings
            no ImageNet weights; see `baselines.loss_terms` for where they go.
        start_at_input: enhancers add to their image, without bound, and start at zero, for short
            trainings. The published ones end with a hyperbolic tangent.

    Differences to the authors: the discriminator steps first and the generator then sees the
    stepped one, where theirs computes both losses before; a normalisation in the enhancers that is
    never used does not exist here, but `counted_parameters` counts it.
    """

    info = MethodInfo(
        name="epdn",
        paper_label="EPDN",
        citation="Y. Qu, Y. Chen, J. Huang, Y. Xie, Enhanced pix2pix dehazing network, CVPR 2019",
        tasks=frozenset({"haze"}),
        presets={
            "smoke": {
                "width": 2,
                "downsamplings": 1,
                "blocks": 1,
                "enhancer_width": 6,
                "discriminator_width": 2,
            },
            "small": {"width": 8, "downsamplings": 3, "discriminator_width": 16},
        },
        narrow={"start_at_input": True},
        sizes=SizeRequirements(minimum=64, multiple_of=32),
        tiling=Tiling.DISCOURAGED,
        published_parameters=17_379_249,
        official_weights=(
            OfficialWeights(
                name="epdn",
                url="https://drive.google.com/open?id=1hXaBHmKxpNsoDXS68hc-Jr-A5X602Zny",
                settings=("dehaze",),
                licence="none stated",
            ),
        ),
        own_recipe={
            "batch": 1,
            "patch": 512,
            "learning_rate": 2e-4,
            "betas": (0.6, 0.999),
            "weight_decay": 0.0,
            "gradient_clip_norm": None,
            "pixel_loss": "l2",
            "augment": ("horizontal_flip",),
        },
    )
    training_only = official_lacks = frozenset({"discriminator"})

    official_names = (
        (r"^model\.", "generator.deep."),
        (r"^model1_1\.", "generator.shallow_entry."),
        (r"^model1_2\.", "generator.shallow_exit."),
        (r"^dehaze\.", "enhancers.0."),
        (r"^dehaze2\.", "enhancers.1."),
        (r"\.conv_block\.", ".body."),
        (r"\.refine1\.", ".first."),
        (r"\.refine2\.", ".second."),
        (r"\.refine3\.", ".last."),
        (r"\.conv10([1-4])0\.", lambda match: f".pooled.{int(match[1]) - 1}."),
    )
    official_unused = r"dehaze2?\.batch1\."

    def __init__(
        self,
        *,
        width: int = 16,
        downsamplings: int = 4,
        blocks: int = 3,
        enhancer_width: int = ENHANCER_WIDTH,
        discriminator_width: int = 64,
        perceptual: bool = False,
        start_at_input: bool = False,
    ) -> None:
        super().__init__()
        self.generator = TwoScaleGenerator(width, downsamplings, blocks)
        enhancers = [Enhancer(enhancer_width, bounded=not start_at_input) for _ in range(2)]
        self.enhancers = nn.ModuleList(enhancers)
        self.discriminator = TwoScaleDiscriminator(discriminator_width)
        self.perceptual = (
            PerceptualDistance("vgg19", VGG_LAYERS, VGG_WEIGHTS) if perceptual else None
        )
        self.start_at_input = start_at_input
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(layer.weight, std=0.02)
        if start_at_input:
            start_at_zero(*(enhancer.last for enhancer in enhancers))

    def generated_and_enhanced(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the generator and of the last enhancer, all in [-1, 1]: (B, 3, H, W)."""
        generated = self.generator(images)
        enhanced = images
        for enhancer in self.enhancers:
            refined = enhancer(generated, enhanced)
            enhanced = enhanced + refined if self.start_at_input else refined
        return generated, enhanced

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 2^(downsamplings + 1) -> the same shape."""
        return (self.generated_and_enhanced(2 * degraded - 1)[1] + 1) / 2

    def optimiser_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """The discriminators step first, then generator and enhancers."""
        return {
            "discriminator": list(self.discriminator.parameters()),
            "generator": [*self.generator.parameters(), *self.enhancers.parameters()],
        }

    def counted_parameters(self) -> int:
        """Generator and enhancers, with a normalisation in each that the authors never use."""
        used = parameter_count(self.generator) + parameter_count(self.enhancers)
        return used + len(self.enhancers) * NEVER_USED

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Terms of the group whose turn it is."""
        hazy, clean = 2 * batch.degraded - 1, 2 * batch.clean - 1
        if context.optimiser == "discriminator":
            with torch.no_grad():
                generated = self.generator(hazy)
            return {
                "real": 0.5 * least_squares(self.discriminator(hazy, clean), 1.0),
                "generated": 0.5 * least_squares(self.discriminator(hazy, generated), 0.0),
            }
        generated, enhanced = self.generated_and_enhanced(hazy)
        judged = self.discriminator(hazy, generated)
        with torch.no_grad():
            truth = self.discriminator(hazy, clean)
        losses = {
            "adversarial": least_squares(judged, 1.0),
            "feature_matching": FEATURE_WEIGHT * feature_distance(judged, truth),
            "restore": context.pixel_loss(enhanced, clean),
        }
        if self.perceptual is not None:
            losses["perceptual"] = FEATURE_WEIGHT * self.perceptual(enhanced, clean)
        return losses


def least_squares(judged: list[list[Tensor]], target: float) -> Tensor:
    """Sum over the scales of the mean squared distance of the judgements to a target."""
    return torch.stack([(scale[-1].float() - target).square().mean() for scale in judged]).sum()


def feature_distance(judged: list[list[Tensor]], truth: list[list[Tensor]]) -> Tensor:
    """Mean over the scales of the summed L1 distances of all layers but the judgement.

    The published weight 4 / (layers + 1) is 1 for three layers.
    """
    distances = [
        torch.stack([F.l1_loss(a, b.detach()) for a, b in zip(ours[:-1], theirs[:-1], strict=True)])
        for ours, theirs in zip(judged, truth, strict=True)
    ]
    return torch.stack([scale.sum() for scale in distances]).mean()
