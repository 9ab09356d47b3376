"""CSNLN (Mei et al., CVPR 2020): attention from an image to its own patches at half the size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.super_resolution.residual_groups import (
    SHORT_TRAINING,
    STEP_RECIPE,
    MeanShiftedNetwork,
    Residual,
    convolution,
)
from ndr.method import (
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    parameter_count,
    register_method,
)

PATCH = 3
"""Side of the patches that cross-scale attention compares, in pixels of the halved image."""
SOFTMAX_SCALE = 10.0
SMALLEST_NORM = 1e-4
OVERLAPS = 6.0
"""Divisor of the sum of the pasted patches, as the authors have it; nine meet at each pixel."""


def activated(layer: nn.Module) -> nn.Sequential:
    """The layer and a PReLU with one slope."""
    return nn.Sequential(layer, nn.PReLU())


def enlarging(channels: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, C, 2 H, 2 W)."""
    return activated(nn.ConvTranspose2d(channels, channels, 6, stride=2, padding=2))


def halving(channels: int) -> nn.Sequential:
    """(B, C, 2 H, 2 W) -> (B, C, H, W)."""
    return activated(nn.Conv2d(channels, channels, 6, stride=2, padding=2))


class InScaleAttention(nn.Module):
    """Each position is a mixture of all positions, by the products of their embeddings."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.queries = activated(nn.Conv2d(channels, channels // 2, 1))
        self.keys = activated(nn.Conv2d(channels, channels // 2, 1))
        self.values = activated(nn.Conv2d(channels, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape; memory grows with (H W)^2."""
        queries = self.queries(features).flatten(2).transpose(1, 2)
        keys = self.keys(features).flatten(2)
        values = self.values(features).flatten(2).transpose(1, 2)
        mixed = (queries @ keys).softmax(dim=-1) @ values
        return mixed.transpose(1, 2).reshape(features.shape)


class CrossScaleAttention(nn.Module):
    """Each 3x3 patch is replaced by 6x6 patches whose halved versions resemble it.

    The result has twice the size: patches are pasted two pixels apart and overlap.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.queries = activated(nn.Conv2d(channels, channels // 2, 1))
        self.keys = activated(nn.Conv2d(channels, channels // 2, 1))
        self.values = activated(nn.Conv2d(channels, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W), even -> (B, C, 2 H, 2 W); memory grows with (H W)^2."""
        height, width = features.shape[-2:]
        # The authors' bilinear reduction by 2 is the mean of four pixels.
        halved = self.keys(F.avg_pool2d(features, 2))
        keys = F.unfold(halved, PATCH, padding=PATCH // 2)
        keys = keys / keys.square().sum(dim=1, keepdim=True).sqrt().clamp(min=SMALLEST_NORM)
        queries = F.unfold(self.queries(features), PATCH, padding=PATCH // 2)
        # (B, H W, patches): the softmax is fastest along neighbours in memory.
        weights = (queries.transpose(1, 2) @ (SOFTMAX_SCALE * keys)).softmax(dim=-1)
        patches = F.unfold(self.values(features), 2 * PATCH, padding=2, stride=2)
        # A transposed convolution whose kernels are the patches of one image: faster than
        # multiplying and folding at the authors' sizes.
        pasted = [
            F.conv_transpose2d(
                image_weights.T.reshape(1, -1, height, width),
                image_patches.T.reshape(-1, features.shape[1], 2 * PATCH, 2 * PATCH),
                stride=2,
                padding=2,
            )
            for image_weights, image_patches in zip(weights, patches, strict=True)
        ]
        return torch.cat(pasted) / OVERLAPS


class SelfExemplarCell(nn.Module):
    """One step of the recurrent network: both attentions, then a correction by the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_scale = InScaleAttention(channels)
        self.in_scale_enlarging = enlarging(channels)
        self.cross_scale = CrossScaleAttention(channels)
        self.branch_difference = Residual(
            convolution(channels, channels), nn.PReLU(), convolution(channels, channels)
        )
        self.reprojection = halving(channels)
        self.error_enlarging = enlarging(channels)
        self.halving = halving(channels)
        self.last = activated(convolution(channels, channels))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> the next step's input (B, C, H, W), and features (B, C, 2 H, 2 W)."""
        in_scale = self.in_scale_enlarging(self.in_scale(features))
        joined = in_scale + self.branch_difference(self.cross_scale(features) - in_scale)
        error = features - self.reprojection(joined)
        enlarged = joined + self.error_enlarging(error)
        return self.last(self.halving(enlarged)), enlarged


@register_method
class CSNLN(MeanShiftedNetwork):
    """One cell, used again and again; the enlarged features of all steps make the image.

    Images of more than `chop_pixels` are restored in four overlapping quarters, and these again,
    as the authors do it: the memory of both attentions grows with the square of the pixels. In
    training patches stay whole.

    Args:
        channels: width.
        depth: steps of the cell.
        chop_pixels: most pixels that are restored in one piece; the authors' value is 3600.
        chop_overlap: pixels that a quarter reaches beyond its half.
        image_range: value of white inside the network.
        start_at_bicubic: add the enlarged input and start with a zero last layer, for short
            trainings; the authors' network does neither.

    Differences to the authors: images of at most `chop_pixels` are not quartered, nor are sides too
    short for it; sides are padded to even ones, which their attention needs too. Their 3,061,289
    parameters include 24 constants, the mean colours.
    """

    info = MethodInfo(
        name="csnln",
        paper_label="CSNLN",
        citation="Y. Mei, Y. Fan, Y. Zhou, L. Huang, T. S. Huang, H. Shi, Image super-resolution "
        "with cross-scale non-local attention and exhaustive self-exemplars mining, CVPR 2020",
        tasks=frozenset({"down_x2"}),
        # Means over many patches are small: at a range of 1 the first hundreds of steps change next
        # to nothing.
        presets={
            "smoke": {"channels": 4, "depth": 2},
            "small": {"channels": 32, "depth": 4},
        },
        narrow={"chop_pixels": 2000, **SHORT_TRAINING},
        sizes=SizeRequirements(minimum=2, multiple_of=2),
        # Attention looks at the whole piece.
        tiling=Tiling.DISCOURAGED,
        scale=2,
        published_parameters=3_061_289,
        official_weights=(
            OfficialWeights(
                name="csnln_x2",
                # A folder of all scales; the file is model_x2.pt.
                url="https://drive.google.com/drive/folders/1C--KFcfAsvLM4K0J6td4TqNeiaGsTXd_",
                settings=("sr_x2",),
                protocol="sr_y",
                licence="none stated",
            ),
        ),
        own_recipe={
            **STEP_RECIPE,
            "steps": 1_000_000,
            "milestones": (200_000, 400_000, 600_000, 800_000),
        },
    )

    official_names = (
        (r"^SEM\.multi_source_projection\.up_attention\.", "cell.cross_scale."),
        (r"^SEM\.multi_source_projection\.down_attention\.", "cell.in_scale."),
        (r"^SEM\.multi_source_projection\.upsample\.", "cell.in_scale_enlarging."),
        (r"^SEM\.multi_source_projection\.encoder\.", "cell.branch_difference."),
        (r"\.conv_match_?1\.", ".queries."),
        (r"\.conv_match_?2\.", ".keys."),
        (r"\.conv_assembly\.", ".values."),
        (r"^SEM\.down_sample_1\.", "cell.reprojection."),
        (r"^SEM\.error_encode\.", "cell.error_enlarging."),
        (r"^SEM\.down_sample_2\.", "cell.halving."),
        (r"^SEM\.post_conv\.", "cell.last."),
    )
    # A constant, `SMALLEST_NORM`.
    official_unused = r"SEM\.multi_source_projection\.up_attention\.escape_NaN$"

    def __init__(
        self,
        *,
        channels: int = 128,
        depth: int = 12,
        chop_pixels: int = 3600,
        chop_overlap: int = 10,
        image_range: float = 1.0,
        start_at_bicubic: bool = False,
    ) -> None:
        super().__init__(image_range=image_range, add_bicubic=start_at_bicubic, learned_shift=False)
        self.depth = depth
        self.chop_pixels = chop_pixels
        self.chop_overlap = chop_overlap
        self.head = nn.Sequential(
            activated(convolution(3, channels)), activated(convolution(channels, channels))
        )
        self.cell = SelfExemplarCell(channels)
        self.tail = nn.Sequential(convolution(depth * channels, 3))
        self.start_at_bicubic_interpolation(self.tail[-1])

    def counted_parameters(self) -> int:
        """The authors' constant mean colours are parameters that are not trained."""
        constants = (self.sub_mean.weight, self.sub_mean.bias)
        return parameter_count(self) + 2 * sum(value.numel() for value in constants)

    def enlarge(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), even -> (B, 3, 2 H, 2 W), both around zero."""
        features = self.head(image)
        steps = []
        for _ in range(self.depth):
            features, enlarged = self.cell(features)
            steps.append(enlarged)
        return self.tail(torch.cat(steps, dim=1))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), even -> (B, 3, 2 H, 2 W), not clipped."""
        height, width = degraded.shape[-2:]
        rows, columns = (_halves(length, self.chop_overlap) for length in (height, width))
        whole = self.training or height * width < self.chop_pixels
        if whole or len(rows) == len(columns) == 1:
            return super().forward(degraded, side)
        enlarged = degraded.new_empty(*degraded.shape[:2], 2 * height, 2 * width)
        for (top, bottom), (first_row, end_row) in rows:
            for (left, right), (first_column, end_column) in columns:
                piece = self(degraded[..., top:bottom, left:right], side)
                enlarged[..., 2 * first_row : 2 * end_row, 2 * first_column : 2 * end_column] = (
                    piece[
                        ...,
                        2 * (first_row - top) : 2 * (end_row - top),
                        2 * (first_column - left) : 2 * (end_column - left),
                    ]
                )
        return enlarged


def _halves(length: int, overlap: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The two pieces of an axis, and which part of it each makes: (piece, part) of (start, end).

    One piece where two would not be shorter than the axis.
    """
    middle = length // 2
    size = middle + overlap
    size += 2 - size % 2
    if size >= length:
        return [((0, length), (0, length))]
    return [((0, size), (0, middle)), ((length - size, length), (middle, length))]
