"""DID-MDN (Zhang and Patel, CVPR 2018): deraining that knows how dense the rain is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.deraining.dense_blocks import RECIPE, Refinement, Stage
from baselines.loss_terms import PerceptualDistance
from ndr.layers.initialisation import start_at_zero
from ndr.method import (
    Batch,
    CheckpointError,
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    parameter_count,
    read_state,
    register_method,
)

POOLS = (32, 16, 8, 4)
"""Sides of the pixels of the coarse maps that join the last features."""
CONTEXT_COPIES = 5
PAPER_WIDTH = 16
NEVER_USED = 86_941
"""Parameters of the authors' two networks that their forward passes skip."""
DENSITIES = ("heavy", "medium", "light")
COVERAGE_BOUNDS = (0.65, 0.35)
"""Least share of rainy pixels of a heavy and of a medium rain (Sec. 5.1 of the paper)."""
VISIBLE = 5 / 255
"""By how much rain has to change a pixel to count."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Sizes of a stream's six stages: growth of the dense block, width after it, change of size."""

    kernel: int
    growths: tuple[int, ...]
    widths: tuple[int, ...]
    resizes: tuple[str, ...]


def derain_plans(width: int) -> tuple[StreamPlan, ...]:
    """The streams of the deraining network: fine, middle and coarse, larger windows with scale."""
    half, quarter = width // 2, width // 4
    growths = (width - 3, width, width, width, half, half)
    widths = (half, width, width, width, half, quarter)
    fine_growths = (max(half - 3, 1), half, quarter, quarter, half, half)
    fine_widths = (quarter, 3 * quarter, 3 * quarter, 3 * quarter, quarter, quarter)
    return (
        StreamPlan(3, fine_growths, fine_widths, ("halve", *4 * ["same"], "double")),
        StreamPlan(5, growths, widths, ("halve", "halve", "same", "same", "double", "double")),
        StreamPlan(7, growths, widths, (*3 * ["halve"], *3 * ["double"])),
    )


def residual_plans(width: int) -> tuple[StreamPlan, ...]:
    """The streams of the network whose estimate the density is read from."""
    half, quarter, eighth = width // 2, width // 4, max(width // 8, 1)
    growths = (width - 3, width, width, width, half, half)
    widths = (half, width, width, width, half, eighth)
    fine_growths = (max(half - 3, 1), half, quarter, quarter, half, half)
    fine_widths = (quarter, 3 * quarter, 3 * quarter, 3 * quarter, quarter, eighth)
    return (
        StreamPlan(3, fine_growths, fine_widths, 6 * ("same",)),
        StreamPlan(3, growths, widths, ("halve", *4 * ["same"], "double")),
        StreamPlan(3, growths, widths, ("halve", "halve", "same", "same", "double", "double")),
    )


class Stream(nn.Module):
    """Six stages; the fifth also sees the second's output, the sixth the first's.

    Args:
        plan: of the stages.
        joined: the skips are concatenated, and the image and a map of the first stage join the
            output; else the skips are added and the output stands alone.
    """

    def __init__(self, plan: StreamPlan, joined: bool) -> None:
        super().__init__()
        widths = plan.widths
        inputs = [3, widths[0], widths[1], widths[2], widths[3], widths[4]]
        if joined:
            inputs[4] += widths[1]
            inputs[5] += widths[0]
        self.stage1, self.stage2, self.stage3, self.stage4, self.stage5, self.stage6 = (
            Stage(channels, growth, width, plan.kernel, resize)
            for channels, growth, width, resize in zip(
                inputs, plan.growths, widths, plan.resizes, strict=True
            )
        )
        self.context = nn.Conv2d(widths[0], 1, 3, padding=1) if joined else None
        self.channels = widths[5] + (CONTEXT_COPIES + 3 if joined else 0)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, channels, H, W)."""
        x1 = self.stage1(images)
        x2 = self.stage2(x1)
        x4 = self.stage4(self.stage3(x2))
        if self.context is None:
            return self.stage6(self.stage5(x4 + x2) + x1)
        x5 = self.stage5(torch.cat([x4, x2], dim=1))
        x6 = self.stage6(torch.cat([x5, x1], dim=1))
        context = F.leaky_relu(self.context(x1), 0.2)
        context = F.interpolate(context, size=images.shape[-2:])
        # The authors compute this map five times, for each stage from the same layer.
        return torch.cat([x6, context.expand(-1, CONTEXT_COPIES, -1, -1), images], dim=1)


class MultiStreamNetwork(nn.Module):
    """Streams and the density label, joined, with coarse maps of themselves.

    Args:
        plans: of the streams.
        joined: see `Stream`.
        label_channels: maps that hold the label.
        hidden: channels of the joined features; None: as many as are joined.
        pooled: channels of each coarse map.
    """

    def __init__(
        self,
        plans: Sequence[StreamPlan],
        joined: bool,
        label_channels: int,
        hidden: int | None,
        pooled: int,
    ) -> None:
        super().__init__()
        self.label_channels = label_channels
        streams = [Stream(plan, joined) for plan in plans]
        self.streams = nn.ModuleList(streams)
        channels = sum(stream.channels for stream in streams) + 3 + label_channels
        hidden = hidden or channels
        self.joint = nn.Conv2d(channels, hidden, 3, padding=1)
        self.pooled = nn.ModuleList(nn.Conv2d(hidden, pooled, 1) for _ in POOLS)
        self.output = nn.Conv2d(hidden + pooled * len(POOLS), 3, 3, padding=1)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1], multiples of 32, labels (B,) -> (B, 3, H, W), (-1, 1)."""
        height, width = images.shape[-2:]
        label = labels.to(images.dtype)[:, None, None, None]
        label = label.expand(-1, self.label_channels, height, width)
        fine, *others = (stream(images) for stream in self.streams)
        joint = F.leaky_relu(self.joint(torch.cat([fine, images, *others, label], dim=1)), 0.2)
        coarse = [
            F.interpolate(F.leaky_relu(layer(F.avg_pool2d(joint, side)), 0.2), size=(height, width))
            for layer, side in zip(self.pooled, POOLS, strict=True)
        ]
        return torch.tanh(self.output(torch.cat([*coarse, joint], dim=1)))


class DensityClassifier(nn.Module):
    """Density class of a rain layer: two convolutions, means over a grid, two dense layers.

    Without normalisation, for that would take the strength of the rain away.
    """

    grid = 4

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.hidden = nn.Linear(channels // 2 * self.grid**2, 2 * channels)
        self.output = nn.Linear(2 * channels, classes)

    def forward(self, rain: Tensor) -> Tensor:
        """(B, 3, H, W) -> logits (B, classes)."""
        features = F.relu(self.second(F.relu(self.first(rain))))
        pooled = F.adaptive_avg_pool2d(features, self.grid).flatten(1)
        return self.output(F.relu(self.hidden(pooled)))


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
            asked for: the suite brings no ImageNet weights; see `baselines.loss_terms`.
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
        presets={
            "smoke": {"width": 4, "streams": 1, "joint_channels": 8, "classifier_channels": 4},
            "small": {},
        },
        narrow={"identity_init": True},
        # The coarsest map has pixels of 32; the smallest features are normalised over the image.
        sizes=SizeRequirements(minimum=32, multiple_of=32),
        tiling=Tiling.DISCOURAGED,
        published_parameters=372_839 + 182_947,
        own_recipe=RECIPE,
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
            start_at_zero(self.derain.output)

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

    @classmethod
    def read_official_state(cls, path: str | Path) -> Mapping[str, Tensor]:
        """Read a checkpoint with this class's names; the authors' three files do not fit."""
        state = read_state(path)
        if not any(key.startswith("classifier.") for key in state):
            raise CheckpointError(
                f"{path}: expected the parts residual, classifier and derain in one file; the "
                "authors publish a file of each, and their classifier, which takes 512x512 pixels "
                "only, is not the one here: train the method"
            )
        return state
