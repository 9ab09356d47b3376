"""EPDN (Qu et al., CVPR 2019): haze removal as image translation, with an enhancer behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.dehazing.epdn_networks import (
    ENHANCER_WIDTH,
    Enhancer,
    TwoScaleDiscriminator,
    TwoScaleGenerator,
    start_normally,
)
from baselines.perceptual_distance import PerceptualDistance
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

FEATURE_WEIGHT = 10.0
"""Weight of the feature matching and of the perceptual term."""
NEVER_USED = 200
"""Parameters of a normalisation of 100 channels in each of the authors' enhancers."""
VGG_LAYERS = (1, 6, 11, 20, 29)
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

_OFFICIAL_NAMES = (
    (r"^model\.", "generator.deep."),
    (r"^model1_1\.", "generator.shallow_entry."),
    (r"^model1_2\.", "generator.shallow_exit."),
    (r"^dehaze\.", "enhancers.0."),
    (r"^dehaze2\.", "enhancers.1."),
    (r"\.conv_block\.", ".body."),
    (r"\.refine1\.", ".first."),
    (r"\.refine2\.", ".second."),
    (r"\.refine3\.", ".last."),
    (r"\.conv1010\.", ".pooled.0."),
    (r"\.conv1020\.", ".pooled.1."),
    (r"\.conv1030\.", ".pooled.2."),
    (r"\.conv1040\.", ".pooled.3."),
)


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
            no ImageNet weights; see `baselines.perceptual_distance` for where they go.
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
        presets=frozen(
            {
                "smoke": {
                    "width": 2,
                    "downsamplings": 1,
                    "blocks": 1,
                    "enhancer_width": 6,
                    "discriminator_width": 2,
                    "start_at_input": True,
                },
                "quick": {
                    "width": 4,
                    "downsamplings": 2,
                    "blocks": 1,
                    "enhancer_width": 8,
                    "discriminator_width": 4,
                    "start_at_input": True,
                },
                "small": {
                    "width": 8,
                    "downsamplings": 3,
                    "discriminator_width": 16,
                    "start_at_input": True,
                },
                "paper": {},
            }
        ),
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
        own_recipe=frozen(
            {
                "batch": 1,
                "patch": 512,
                "learning_rate": 2e-4,
                "betas": (0.6, 0.999),
                "weight_decay": 0.0,
                "gradient_clip_norm": None,
                "pixel_loss": "l2",
                "augment": ("horizontal_flip",),
            }
        ),
    )
    training_only = frozenset({"discriminator"})

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
        self.enhancers = nn.ModuleList(
            Enhancer(enhancer_width, bounded=not start_at_input) for _ in range(2)
        )
        self.discriminator = TwoScaleDiscriminator(discriminator_width)
        self.perceptual = (
            PerceptualDistance("vgg19", VGG_LAYERS, VGG_WEIGHTS) if perceptual else None
        )
        self.start_at_input = start_at_input
        start_normally(self)
        if start_at_input:
            for enhancer in self.enhancers:
                nn.init.zeros_(enhancer.last.weight)
                nn.init.zeros_(enhancer.last.bias)

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
            return self._discriminator_losses(hazy, clean)
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

    def _discriminator_losses(self, hazy: Tensor, clean: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            generated = self.generator(hazy)
        return {
            "real": 0.5 * least_squares(self.discriminator(hazy, clean), 1.0),
            "generated": 0.5 * least_squares(self.discriminator(hazy, generated), 0.0),
        }

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the keys of the authors' generator; its unused normalisation is left out."""
        mapped = {}
        for key, value in state.items():
            if re.match(r"dehaze2?\.batch1\.", key):
                continue
            name = key
            for pattern, replacement in _OFFICIAL_NAMES:
                name = re.sub(pattern, replacement, name)
            mapped[name] = value
        return mapped


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
