"""Networks of DID-MDN (Zhang and Patel, CVPR 2018): three dense streams, and the density's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.deraining.dense_blocks import Stage

POOLS = (32, 16, 8, 4)
"""Sides of the pixels of the coarse maps that join the last features."""
CONTEXT_COPIES = 5


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
        for number, arguments in enumerate(
            zip(inputs, plan.growths, widths, plan.resizes, strict=True), start=1
        ):
            channels, growth, width, resize = arguments
            self.add_module(f"stage{number}", Stage(channels, growth, width, plan.kernel, resize))
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
        self.streams = nn.ModuleList(Stream(plan, joined) for plan in plans)
        channels = sum(stream.channels for stream in self.streams) + 3 + label_channels
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
