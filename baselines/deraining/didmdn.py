"""DID-MDN (Zhang and Patel, CVPR 2018): deraining that knows how dense the rain is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.deraining.dense_blocks import Refinement
from baselines.deraining.didmdn_networks import (
    DensityClassifier,
    MultiStreamNetwork,
    derain_plans,
    residual_plans,
)
from baselines.perceptual_distance import PerceptualDistance
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    frozen,
    parameter_count,
    register_method,
)

PAPER_WIDTH = 16
NEVER_USED = 86_941
"""Parameters of the authors' two networks that their forward passes skip."""
DENSITIES = ("heavy", "medium", "light")
COVERAGE_BOUNDS = (0.65, 0.35)
"""Least share of rainy pixels of a heavy and of a medium rain (Sec. 5.1 of the paper)."""
VISIBLE = 5 / 255
"""By how much rain has to change a pixel to count."""


def density_classes(degraded: Tensor, clean: Tensor) -> Tensor:
    """Density of the rain in pairs (B, 3, H, W), (B,): positions in `DENSITIES`.

    It is the share of pixels that rain changes visibly in some colour.
    """
    rainy = (degraded - clean).abs().amax(dim=1) > VISIBLE
    coverage = rainy.flatten(1).float().mean(dim=1)
    heavy, medium = COVERAGE_BOUNDS
    return (coverage <= heavy).long() + (coverage <= medium).long()


@register_method
class DIDMDN(Method):
    """A classifier reads the density of the rain; a network of three dense streams uses it.

    A first network estimates the clean image blindly. What it takes away is the rain, in which the
    classifier finds the density; the label joins the features of the deraining network as maps of
    1 (heavy), 2 (medium) or 3 (light).

    Loss: the run's pixel loss of the deraining network, which is told the true density; the same
    for the first network; cross-entropy of the classifier. No gradient flows between the three.

    Args:
        width: channels of the coarser streams' blocks, a multiple of 4; 16 in the paper.
        streams: how many of the three streams there are, from the coarsest.
        joint_channels: of the deraining network's joint features; None: as many as are joined, 47
            in the paper.
        classifier_channels: of the density classifier.
        perceptual: add the authors' VGG16 term (1.8 times the distance of two layers). Off unless
            asked for: the suite brings no ImageNet weights; see `baselines.perceptual_distance`.
        identity_init: start at the identity, by a zero last layer and a final refinement that adds
            to the image instead of replacing it; for short trainings.

    The published size counts the first and the deraining network, with parameters that they never
    use and that do not exist here; the classifier's is this suite's.

    Differences to the authors: the three parts are trained at once, not one after the other. The
    density is read from the pair; theirs is the name of the folder. Their classifier (65 million
    parameters, most in a dense layer for 512x512 pixels) cannot take other sizes; here a small one
    pools to a grid. Their training labels count from 0, their test labels from 1: here both from
    1. Results are mapped from [-1, 1] to [0, 1], where their test program stretches each image to
    its own extremes. They publish three checkpoints, in folders without addresses of files; since
    the classifier differs, none is listed.
    """

    info = MethodInfo(
        name="didmdn",
        paper_label="DIDMDN",
        citation="H. Zhang, V. M. Patel, Density-aware single image de-raining using a "
        "multi-stream dense network, CVPR 2018",
        tasks=frozenset({"rain"}),
        presets=frozen(
            {
                "smoke": {
                    "width": 4,
                    "streams": 1,
                    "joint_channels": 8,
                    "classifier_channels": 4,
                    "identity_init": True,
                },
                "quick": {
                    "width": 4,
                    "streams": 1,
                    "joint_channels": 8,
                    "classifier_channels": 8,
                    "identity_init": True,
                },
                "small": {"identity_init": True},
                "paper": {},
            }
        ),
        # The coarsest map has pixels of 32; the smallest features are normalised over the image.
        sizes=SizeRequirements(minimum=32, multiple_of=32),
        tiling=Tiling.DISCOURAGED,
        published_parameters=372_839 + 182_947,
        own_recipe=frozen(
            {
                "patch": 512,
                "batch": 1,
                "learning_rate": 2e-4,
                "betas": (0.5, 0.999),
                "weight_decay": 5e-5,
            }
        ),
    )

    def __init__(
        self,
        *,
        width: int = PAPER_WIDTH,
        streams: int = 3,
        joint_channels: int | None = None,
        classifier_channels: int = 48,
        perceptual: bool = False,
        identity_init: bool = False,
    ) -> None:
        super().__init__()
        if width % 4 or width < 4:
            raise ValueError(f"didmdn: expected a width that is a multiple of 4, found {width}")
        if not 1 <= streams <= 3:
            raise ValueError(f"didmdn: expected 1 to 3 streams, found {streams}")
        self.is_published = (width, streams, joint_channels) == (PAPER_WIDTH, 3, None)
        self.perceptual = PerceptualDistance("vgg16", (3, 8), (1.8, 1.8)) if perceptual else None
        self.residual = MultiStreamNetwork(residual_plans(width)[-streams:], False, 4, width + 4, 1)
        self.classifier = DensityClassifier(classifier_channels, len(DENSITIES))
        self.derain = MultiStreamNetwork(derain_plans(width)[-streams:], True, 8, joint_channels, 2)
        self.refinement = Refinement(residual=identity_init)
        if identity_init:
            nn.init.zeros_(self.derain.output.weight)
            nn.init.zeros_(self.derain.output.bias)

    def counted_parameters(self) -> int:
        """Size of first and deraining network as published, never-used layers included."""
        networks = (self.residual, self.derain, self.refinement)
        never_used = NEVER_USED if self.is_published else 0
        return sum(map(parameter_count, networks)) + never_used

    def density_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """First network's clean images, and the logits of the density of the rain they leave.

        Args:
            images: (B, 3, H, W) in [-1, 1].
        """
        # As the authors: the density being unknown here, the label of this network is always 0.
        first = self.residual(images, torch.zeros(len(images), device=images.device))
        return first, self.classifier((images - first).detach())

    def derained(self, images: Tensor, density: Tensor) -> Tensor:
        """Derain images (B, 3, H, W) in [-1, 1] whose density classes (B,) are known."""
        return self.refinement(images - self.derain(images, density + 1))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 32 -> the same shape, in [0, 1] but for `identity_init`."""
        images = 2 * degraded - 1
        density = self.density_logits(images)[1].argmax(dim=1)
        return (self.derained(images, density) + 1) / 2

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Losses of the deraining network, of the first one, and of the classifier."""
        images, clean = 2 * batch.degraded - 1, 2 * batch.clean - 1
        density = density_classes(batch.degraded, batch.clean)
        first, logits = self.density_logits(images)
        restored = self.derained(images, density)
        losses = {
            "restore": context.pixel_loss(restored, clean),
            "residual": context.pixel_loss(first, clean),
            "density": F.cross_entropy(logits.float(), density),
        }
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(restored.float(), clean)
        return losses
