"""FD-GAN (Dong et al., AAAI 2020): a dense generator, judged by an image and its frequencies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.dehazing.fdgan_networks import DenseGenerator, FusionDiscriminator
from baselines.perceptual_distance import PerceptualDistance
from baselines.structural_similarity import structural_similarity
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    frozen,
    parameter_count,
    register_method,
)

PIXEL_WEIGHT, SIMILARITY_WEIGHT, PERCEPTUAL_WEIGHT, ADVERSARIAL_WEIGHT = 2.0, 1.0, 2.0, 0.1
VGG_LAYERS = (3, 8, 15, 22)
FOURTH_BLOCK_LAYERS = 16
_DRIVE = "https://drive.google.com/drive/folders/1Jkf9NgBrGHErQMwFN7wv1QY_vPYUt19r"

_NEVER_USED = re.compile(
    r"(conv0|dense_block31|dense_norm31)\."
    r"|(dense_block[456]\.bn[12]|trans_block[456]\.bn1)\."
    r"|.*\.(running_mean|running_var|num_batches_tracked)$"
)
_OFFICIAL_NAMES = (
    (r"^conv_refin1\.", "embedding."),
    (r"^dense_block([123])\.", lambda match: f"blocks.{int(match[1]) - 1}."),
    (r"^trans_block([123])\.", lambda match: f"transitions.{int(match[1]) - 1}."),
    (r"^conv_refin2\.", "shortcuts.0."),
    (r"^conv_refin5\.", "shortcuts.1."),
    (r"^conv_refine4\.", "merging.0."),
    (r"^conv_refin6\.", "merging.1."),
    (r"^dense_block([456])\.conv1\.", lambda match: f"decoder.{int(match[1]) - 4}.bottleneck."),
    (r"^dense_block([456])\.conv2\.", lambda match: f"decoder.{int(match[1]) - 4}.convolution."),
    (r"^trans_block([456])\.conv1\.", lambda match: f"decoder.{int(match[1]) - 4}.reduction."),
    (r"^conv_refin3\.", "output."),
    # Files of early torchvision: denselayer1.norm.1 for denselayer1.norm1.
    (r"\.(norm|conv)\.([12])\.", r".\1\2."),
)


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
            weights; see `baselines.perceptual_distance` for where they go.
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
        presets=frozen(
            {
                "smoke": {
                    "width": 4,
                    "growth": 4,
                    "layers": (1, 1, 1),
                    "discriminator_width": 2,
                    "start_at_input": True,
                },
                "quick": {
                    "width": 8,
                    "growth": 8,
                    "layers": (1, 1, 2),
                    "discriminator_width": 4,
                    "start_at_input": True,
                },
                "small": {
                    "width": 16,
                    "growth": 8,
                    "layers": (3, 6, 12),
                    "discriminator_width": 16,
                    "start_at_input": True,
                },
                "paper": {},
            }
        ),
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
        own_recipe=frozen(
            {
                "batch": 1,
                "learning_rate": 2e-4,
                "betas": (0.5, 0.999),
                "weight_decay": 0.0,
                "gradient_clip_norm": None,
            }
        ),
    )
    training_only = frozenset({"discriminator"})

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
        self.perceptual = (
            PerceptualDistance("vgg16", VGG_LAYERS, [1 / len(VGG_LAYERS)] * len(VGG_LAYERS))
            if perceptual
            else None
        )
        self.start_at_input = start_at_input
        if start_at_input:
            nn.init.zeros_(self.generator.output.weight)
            nn.init.zeros_(self.generator.output.bias)

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
        channels = self.generator.transitions[-1].conv.out_channels
        hidden = 4 * self.growth
        for _ in range(FOURTH_BLOCK_LAYERS):
            never_used += 2 * channels + channels * hidden + 2 * hidden + 9 * hidden * self.growth
            channels += self.growth
        never_used += 2 * channels  # the normalisation behind the fourth block
        never_used += sum(stage.never_used for stage in self.generator.decoder)
        return parameter_count(self.generator) + never_used

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
        mapped = {}
        for key, value in state.items():
            if _NEVER_USED.match(key):
                continue
            name = key
            for pattern, replacement in _OFFICIAL_NAMES:
                name = re.sub(pattern, replacement, name)
            # Theirs is a transposed convolution of one pixel: (in, out, 1, 1).
            turned = value.ndim == 4 and name.endswith("reduction.weight")
            mapped[f"generator.{name}"] = value.transpose(0, 1) if turned else value
        return mapped


def judgement_loss(log_odds: Tensor, real: bool) -> Tensor:
    """Cross-entropy of judgements, whose logistic function is the probability of being real."""
    return F.softplus(-log_odds.float() if real else log_odds.float()).mean()
