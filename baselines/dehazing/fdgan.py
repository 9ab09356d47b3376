"""FD-GAN (Dong et al., AAAI 2020): a dense generator, judged by an image and its frequencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.loss_terms import (
    PerceptualDistance,
    filtered,
    gaussian_weights,
    structural_similarity,
)
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

BOTTLENECK = 4
"""Width of a 1x1 convolution over that of the 3x3 convolution behind it."""
BLUR_SIZE, BLUR_DEVIATION = 15, 3.0
PIXEL_WEIGHT, SIMILARITY_WEIGHT, PERCEPTUAL_WEIGHT, ADVERSARIAL_WEIGHT = 2.0, 1.0, 2.0, 0.1
VGG_LAYERS = (3, 8, 15, 22)
FOURTH_BLOCK_LAYERS = 16
_DRIVE = "https://drive.google.com/drive/folders/1Jkf9NgBrGHErQMwFN7wv1QY_vPYUt19r"


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

        stages = [
            DecoderStage(third, part(2), part(4)),
            DecoderStage(part(4) + second, part(4), part(8)),
            DecoderStage(part(8), part(16), part(32)),
        ]
        self.decoder = nn.ModuleList(stages)
        self.encoded = third
        self.never_used = sum(stage.never_used for stage in stages)
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


@register_method
class FDGAN(Method):
    """Encoder of DenseNet121's first three blocks, a light decoder, and a fusion discriminator.

    The discriminator sees an image together with its low and high frequencies. The generator's
    losses: L1, 1 - SSIM, adversarial, and where `perceptual` is on the distance in features of
    VGG16, with weights 2, 1, 0.1 and 2.

    Args:
        width: channels at full size.
        growth: channels that each dense layer adds.
        layers: dense layers per block.
        discriminator_width: channels of the discriminator's first layer.
        perceptual: add the VGG16 term. Off unless asked for: the suite brings no ImageNet
            weights; see `baselines.loss_terms` for where they go.
        start_at_input: add to the input, without a bound, and start at zero, for short trainings.
            The published network ends with a hyperbolic tangent.

    Of the published 13,980,691 parameters a part is never used: the first convolution and the
    fourth dense block of DenseNet121 and the decoder's normalisations. They do not exist here, but
    `counted_parameters` counts them.

    Differences to the authors: the encoder starts at random, theirs at ImageNet's weights;
    normalisation takes each image's own statistics also while training on several; results are
    not stretched to the full range of values, as their demonstration does when it saves them.
    Their training program is not public: the sizes of the frequency filters and the widths of the
    discriminator are this suite's choice.
    """

    info = MethodInfo(
        name="fdgan",
        paper_label="FDGAN",
        citation="Y. Dong, Y. Liu, H. Zhang, S. Chen, Y. Qiao, FD-GAN: generative adversarial "
        "networks with fusion-discriminator for single image dehazing, AAAI 2020",
        tasks=frozenset({"haze"}),
        presets={
            "smoke": {"width": 4, "growth": 4, "layers": (1, 1, 1), "discriminator_width": 2},
            "small": {"width": 16, "growth": 8, "layers": (3, 6, 12), "discriminator_width": 16},
        },
        narrow={"start_at_input": True},
        sizes=SizeRequirements(minimum=16, multiple_of=8),
        tiling=Tiling.DISCOURAGED,
        published_parameters=13_980_691,
        official_weights=tuple(
            OfficialWeights(
                name=f"netG_epoch_{kind}",
                url=_DRIVE,
                licence="none stated",
                settings=("dehaze",) if kind == "synthetic" else (),
            )
            for kind in ("synthetic", "real")
        ),
        own_recipe={
            "batch": 1,
            "learning_rate": 2e-4,
            "betas": (0.5, 0.999),
            "weight_decay": 0.0,
            "gradient_clip_norm": None,
        },
    )
    training_only = official_lacks = frozenset({"discriminator"})

    official_names = (
        (r"^conv_refin1\.", "embedding."),
        (r"^dense_block([123])\.", lambda match: f"blocks.{int(match[1]) - 1}."),
        (r"^trans_block([123])\.", lambda match: f"transitions.{int(match[1]) - 1}."),
        (r"^conv_refin2\.", "shortcuts.0."),
        (r"^conv_refin5\.", "shortcuts.1."),
        (r"^conv_refine4\.", "merging.0."),
        (r"^conv_refin6\.", "merging.1."),
        (r"^dense_block([456])\.conv1\.", lambda match: f"decoder.{int(match[1]) - 4}.bottleneck."),
        (
            r"^dense_block([456])\.conv2\.",
            lambda match: f"decoder.{int(match[1]) - 4}.convolution.",
        ),
        (r"^trans_block([456])\.conv1\.", lambda match: f"decoder.{int(match[1]) - 4}.reduction."),
        (r"^conv_refin3\.", "output."),
        # Files of early torchvision: denselayer1.norm.1 for denselayer1.norm1.
        (r"\.(norm|conv)\.([12])\.", r".\1\2."),
    )
    official_unused = (
        r"(conv0|dense_block31|dense_norm31)\."
        r"|(dense_block[456]\.bn[12]|trans_block[456]\.bn1)\."
        r"|.*\.(running_mean|running_var|num_batches_tracked)$"
    )

    def __init__(
        self,
        *,
        width: int = 64,
        growth: int = 32,
        layers: Sequence[int] = (6, 12, 24),
        discriminator_width: int = 36,
        perceptual: bool = False,
        start_at_input: bool = False,
    ) -> None:
        super().__init__()
        if len(layers) != 3:
            raise ValueError(f"fdgan: expected layers of 3 dense blocks, found {tuple(layers)}")
        self.growth = growth
        self.generator = DenseGenerator(width, growth, layers)
        self.discriminator = FusionDiscriminator(discriminator_width)
        weights = [1 / len(VGG_LAYERS)] * len(VGG_LAYERS)
        self.perceptual = PerceptualDistance("vgg16", VGG_LAYERS, weights) if perceptual else None
        self.start_at_input = start_at_input
        if start_at_input:
            start_at_zero(self.generator.output)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 8, at least 16 -> the same shape."""
        images = 2 * degraded - 1
        output = self.generator(images)
        restored = images + output if self.start_at_input else torch.tanh(output)
        return (restored + 1) / 2

    def optimiser_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """The discriminator steps first, then the generator."""
        return {
            "discriminator": list(self.discriminator.parameters()),
            "generator": list(self.generator.parameters()),
        }

    def counted_parameters(self) -> int:
        """The generator, with the layers of the authors' that it never uses."""
        width = self.generator.embedding.out_channels
        never_used = 3 * width * 7**2  # DenseNet's first convolution
        channels = self.generator.encoded
        hidden = 4 * self.growth
        for _ in range(FOURTH_BLOCK_LAYERS):
            never_used += 2 * channels + channels * hidden + 2 * hidden + 9 * hidden * self.growth
            channels += self.growth
        never_used += 2 * channels  # the normalisation behind the fourth block
        return parameter_count(self.generator) + never_used + self.generator.never_used

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Terms of the group whose turn it is."""
        if context.optimiser == "discriminator":
            with torch.no_grad():
                restored = self(batch.degraded, SideInformation())
            return {
                "real": judgement_loss(self.discriminator(2 * batch.clean - 1), real=True),
                "restored": judgement_loss(self.discriminator(2 * restored - 1), real=False),
            }
        restored = self(batch.degraded, SideInformation())
        judged = self.discriminator(2 * restored - 1)
        similarity = structural_similarity(restored, batch.clean)
        losses = {
            "restore": PIXEL_WEIGHT * context.pixel_loss(restored, batch.clean),
            "similarity": SIMILARITY_WEIGHT * (1 - similarity),
            "adversarial": ADVERSARIAL_WEIGHT * judgement_loss(judged, real=True),
        }
        if self.perceptual is not None:
            losses["perceptual"] = PERCEPTUAL_WEIGHT * self.perceptual(restored, batch.clean)
        return losses

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the keys of the authors' generator; layers that it never uses are left out."""
        named = super().map_official_state(state)
        # Theirs is a transposed convolution of one pixel: (in, out, 1, 1).
        return {
            f"generator.{name}": value.transpose(0, 1)
            if value.ndim == 4 and name.endswith("reduction.weight")
            else value
            for name, value in named.items()
        }


def judgement_loss(log_odds: Tensor, real: bool) -> Tensor:
    """Cross-entropy of judgements, whose logistic function is the probability of being real."""
    return F.softplus(-log_odds.float() if real else log_odds.float()).mean()
