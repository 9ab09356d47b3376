"""MPRNet (Zamir et al., CVPR 2021): restoration in three stages that hand on features."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.loss_terms import charbonnier, filtered
from ndr.layers.bicubic import enlarge_bicubic
from ndr.layers.initialisation import start_at_zero
from ndr.layers.x2_head import SCALE, X2Head
from ndr.method import (
    TASKS,
    Batch,
    CheckpointError,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    register_method,
)

LEVELS = 3
FIRST_SLOPE = 0.25
EDGE_WEIGHT = 0.05
PYRAMID_TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)
"""Separable low-pass of Burt and Adelson's Laplacian pyramid; the taps sum to one."""
_MODE = "bilinear"
_DRIVE = "https://drive.google.com/file/d"
_LICENCE = "Academic Public License (non-commercial)"

# The last layer of a third-stage block with one attention block has such a number too.
_OFFICIAL_SLOPE = re.compile(r"(?<!\.orb\d)\.body\.1\.weight$")


def convolution(inputs: int, outputs: int, side: int = 3) -> nn.Conv2d:
    """A convolution without bias that keeps the size."""
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)


class AttentionBlock(nn.Module):
    """Two convolutions, weighted per channel by what the whole image holds, plus the input.

    Args:
        width: channels.
        reduction: channels over those between the two layers of the channel weights.
    """

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        self.squeeze = convolution(width, width // reduction, 1)
        self.excite = convolution(width // reduction, width, 1)

    def forward(self, features: Tensor, slope: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape; `slope` (1,) is that of the rectifier."""
        result = self.second(F.prelu(self.first(features), slope.to(features.dtype)))
        weights = self.squeeze(result.mean(dim=(2, 3), keepdim=True)).relu()
        return features + result * self.excite(weights).sigmoid()


class AttentionBlocks(nn.ModuleList):
    """Attention blocks one after the other."""

    def __init__(self, count: int, width: int, reduction: int) -> None:
        super().__init__(AttentionBlock(width, reduction) for _ in range(count))

    def forward(self, features: Tensor, slope: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        for block in self:
            features = block(features, slope)
        return features


class ShallowFeatures(nn.Module):
    """A convolution and an attention block: what each stage first makes of its image."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.convolution = convolution(3, width)
        self.block = AttentionBlock(width, reduction)

    def forward(self, image: Tensor, slope: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H, W)."""
        return self.block(self.convolution(image), slope)


class Halve(nn.Module):
    """Half the size by bilinear interpolation, then a 1x1 convolution to the next width."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convolution = convolution(width, width + growth, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + growth, H / 2, W / 2)."""
        return self.convolution(F.interpolate(features, scale_factor=0.5, mode=_MODE))


class Double(nn.Module):
    """Twice the size by bilinear interpolation, and a 1x1 convolution to the width above.

    The convolution comes first: both are linear and work on different dimensions, so their order
    changes nothing but rounding, and a quarter of the pixels is convolved.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convolution = convolution(width + growth, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C + growth, H, W) -> (B, C, 2 H, 2 W)."""
        return F.interpolate(self.convolution(features), scale_factor=2, mode=_MODE)


class Encoder(nn.Module):
    """Features at three sizes.

    Args:
        widths: channels of the three levels.
        blocks: attention blocks per level.
        reduction: see `AttentionBlock`.
        fusion: whether the features of an earlier stage are added at each level.
    """

    def __init__(self, widths: Sequence[int], blocks: int, reduction: int, fusion: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AttentionBlocks(blocks, width, reduction) for width in widths)
        self.reductions = nn.ModuleList(
            Halve(width, wider - width) for width, wider in itertools.pairwise(widths)
        )
        fused = widths if fusion else ()
        self.fuse_encoder = nn.ModuleList(convolution(width, width, 1) for width in fused)
        self.fuse_decoder = nn.ModuleList(convolution(width, width, 1) for width in fused)

    def forward(
        self,
        features: Tensor,
        slope: Tensor,
        earlier: tuple[Sequence[Tensor], Sequence[Tensor]] | None = None,
    ) -> list[Tensor]:
        """(B, C, H, W) -> three levels, from full size down.

        Args:
            features: shallow features.
            slope: of the rectifiers.
            earlier: levels of the encoder and of the decoder of the stage before.
        """
        levels = []
        for level, blocks in enumerate(self.levels):
            if level:
                features = self.reductions[level - 1](features)
            features = blocks(features, slope)
            if earlier is not None:
                encoded, decoded = earlier
                features = features + self.fuse_encoder[level](encoded[level])
                features = features + self.fuse_decoder[level](decoded[level])
            levels.append(features)
        return levels


class Decoder(nn.Module):
    """From the three levels of an encoder back to full size; all three levels are kept."""

    def __init__(self, widths: Sequence[int], blocks: int, reduction: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AttentionBlocks(blocks, width, reduction) for width in widths)
        self.skips = nn.ModuleList(AttentionBlock(width, reduction) for width in widths[:-1])
        self.enlargements = nn.ModuleList(
            Double(width, wider - width) for width, wider in itertools.pairwise(widths)
        )

    def forward(self, encoded: Sequence[Tensor], slope: Tensor) -> list[Tensor]:
        """Three levels -> three levels, from full size down."""
        levels = [self.levels[-1](encoded[-1], slope)]
        for level in reversed(range(LEVELS - 1)):
            features = self.enlargements[level](levels[0]) + self.skips[level](
                encoded[level], slope
            )
            levels.insert(0, self.levels[level](features, slope))
        return levels


class SupervisedAttention(nn.Module):
    """Make a stage's image, and let it choose which features go on (Sec. 3.3).

    Args:
        width: channels of the features.
        image_channels: channels that make one pixel of the stage's image (12 where the image is
            shuffled to twice the size).
    """

    def __init__(self, width: int, image_channels: int) -> None:
        super().__init__()
        self.features = convolution(width, width, 1)
        self.image = convolution(width, image_channels, 1)
        self.attention = convolution(image_channels, width, 1)

    def forward(self, features: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, H, W) and image pixels (B, `image_channels`, H, W), both the new ones.

        Args:
            features: the decoder's, at full size.
            base: image that the stage's output is added to, as channels at the features' size.
        """
        image = self.image(features) + base
        chosen = self.features(features) * self.attention(image).sigmoid()
        return features + chosen, image


class FullResolutionBlock(nn.Module):
    """Attention blocks and a convolution, plus the input."""

    def __init__(self, width: int, blocks: int, reduction: int) -> None:
        super().__init__()
        self.blocks = AttentionBlocks(blocks, width, reduction)
        self.convolution = convolution(width, width)

    def forward(self, features: Tensor, slope: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return features + self.convolution(self.blocks(features, slope))


class FullResolutionNetwork(nn.Module):
    """The third stage: no change of size, so that no detail is lost ("ORSNet").

    After each block, one level of the second stage's encoder and decoder is enlarged and added.

    Args:
        widths: channels of the second stage's levels.
        width: channels here.
        blocks: attention blocks in each of the three blocks.
        reduction: see `AttentionBlock`.
    """

    def __init__(self, widths: Sequence[int], width: int, blocks: int, reduction: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            FullResolutionBlock(width, blocks, reduction) for _ in range(LEVELS)
        )
        self.enlarge_encoder = nn.ModuleList(_enlargement(widths, level) for level in range(LEVELS))
        self.enlarge_decoder = nn.ModuleList(_enlargement(widths, level) for level in range(LEVELS))
        self.fuse_encoder = nn.ModuleList(convolution(widths[0], width, 1) for _ in range(LEVELS))
        self.fuse_decoder = nn.ModuleList(convolution(widths[0], width, 1) for _ in range(LEVELS))

    def forward(
        self, features: Tensor, slope: Tensor, encoded: Sequence[Tensor], decoded: Sequence[Tensor]
    ) -> Tensor:
        """(B, C, H, W) -> same shape, with the levels of the stage before."""
        for level, block in enumerate(self.blocks):
            features = block(features, slope)
            for enlarge, fuse, levels in (
                (self.enlarge_encoder, self.fuse_encoder, encoded),
                (self.enlarge_decoder, self.fuse_decoder, decoded),
            ):
                features = features + fuse[level](enlarge[level](levels[level]))
        return features


def _enlargement(widths: Sequence[int], level: int) -> nn.Sequential:
    """From a level to full size and the first level's width, one doubling after the other."""
    return nn.Sequential(
        *(Double(widths[n - 1], widths[n] - widths[n - 1]) for n in range(level, 0, -1))
    )


def split_in_two(features: Tensor, dimension: int) -> Tensor:
    """(B, ...) -> (2 B, ...): both halves along a dimension, as images of the batch."""
    return torch.cat(features.chunk(2, dim=dimension))


def join_two(features: Tensor, dimension: int) -> Tensor:
    """Undo `split_in_two`."""
    return torch.cat(features.chunk(2), dim=dimension)


def laplacian(images: Tensor) -> Tensor:
    """Difference between images and their next coarser level of a pyramid, at full size.

    Low-pass, every second pixel, enlarge by zeros, low-pass with four times the gain; the image
    minus that. Borders are continued by their last pixel before each low-pass.

    Args:
        images: (B, C, H, W).

    Returns:
        (B, C, H, W): edges and noise, zero on flat regions away from the border.
    """
    low = _low_pass(images)
    coarse = torch.zeros_like(low)
    coarse[..., ::2, ::2] = 4 * low[..., ::2, ::2]
    return images - _low_pass(coarse)


def edge_distance(restored: Tensor, clean_laplacian: Tensor) -> Tensor:
    """Charbonnier distance between the restored images' Laplacian and that of the clean images."""
    return charbonnier(laplacian(restored), clean_laplacian)


def _low_pass(images: Tensor) -> Tensor:
    taps = torch.tensor(PYRAMID_TAPS, dtype=images.dtype)
    return filtered(F.pad(images, (2, 2, 2, 2), mode="replicate"), taps)


@register_method
class MPRNet(Method):
    """Four quarters, two halves, the whole image: two U-nets and a network at full resolution.

    Stage 1 encodes quarters and decodes halves, stage 2 encodes halves and decodes the whole
    image, stage 3 keeps the full resolution. Each stage makes an image that is compared with the
    clean one; supervised attention lets that image choose the features that go on, and the levels
    of a stage are added to those of the next.

    Training: Charbonnier distance plus 0.05 times the edge loss, summed over the three images.

    Args:
        width: channels at full size. The authors' networks: deblurring 96 (the size that the
            literature quotes, default, 20,127,073 parameters), denoising 80 (15,741,025),
            deraining 40 with `level_growth` 20 and `stage_growth` 16 (3,637,249).
        level_growth: channels more at each lower level.
        stage_growth: channels more in the third stage.
        level_blocks: attention blocks per level of the U-nets.
        stage_blocks: attention blocks in each of the third stage's three blocks.
        reduction: channels over those inside the channel weights.
        zero_init_output: start at the identity by zero last layers of all stages, for short
            trainings.
        upscale: `none`, or how twice the size is returned (`pixel_shuffle`, `pre_upsample`), see
            `ndr.layers.x2_head`. The images inside the supervised attention are then of twice
            the size too, their 2x2 cells as channels; the authors' network has no such part.

    Differences to the authors: none in the network. They leave the edge loss out for denoising;
    one network for all tasks has one loss here, and it is the one of deblurring and deraining.
    """

    info = MethodInfo(
        name="mprnet",
        paper_label="MPRNet",
        citation="S. W. Zamir, A. Arora, S. Khan, M. Hayat, F. S. Khan, M.-H. Yang, L. Shao, "
        "Multi-stage progressive image restoration, CVPR 2021",
        tasks=TASKS,
        presets={
            "smoke": {
                "width": 4,
                "level_growth": 2,
                "stage_growth": 2,
                "level_blocks": 1,
                "stage_blocks": 1,
                "reduction": 2,
            },
            "small": {
                "width": 8,
                "level_growth": 12,
                "stage_growth": 2,
                "level_blocks": 1,
                "stage_blocks": 1,
                "reduction": 4,
            },
        },
        narrow={"zero_init_output": True},
        sizes=SizeRequirements(minimum=8, multiple_of=8),
        # Channel weights average over the image, and the image is cut in its middle.
        tiling=Tiling.DISCOURAGED,
        published_parameters=20_127_073,
        official_weights=(
            OfficialWeights(
                name="mprnet_deblurring",
                url=f"{_DRIVE}/1QwQUVbk6YVOJViCsOKYNykCsdJSVGRtb",
                licence=_LICENCE,
            ),
            OfficialWeights(
                name="mprnet_denoising",
                url=f"{_DRIVE}/1LODPt9kYmxwU98g96UrRA0_Eh5HYcsRw",
                licence=_LICENCE,
                changes={"width": 80},
            ),
            OfficialWeights(
                name="mprnet_deraining",
                url=f"{_DRIVE}/1O3WEJbcat7eTY6doXWeorAbQ1l_WmMnM",
                settings=("derain",),
                trained_on="Rain13K",
                protocol="restormer_y",
                licence=_LICENCE,
                changes={"width": 40, "level_growth": 20, "stage_growth": 16},
            ),
        ),
        own_recipe={
            "steps": 400_000,
            "batch": 16,
            "patch": 256,
            "learning_rate": 2e-4,
            "weight_decay": 0.0,
            "schedule": "cosine",
            "warmup_steps": 396,  # three epochs of the 2,103 GoPro images
            "minimum_learning_rate": 1e-6,
            "gradient_clip_norm": None,
        },
    )
    trains_channels_last = True

    official_names = (
        (r"^shallow_feat(\d)\.0\.", lambda m: f"shallow.{int(m[1]) - 1}.convolution."),
        (r"^shallow_feat(\d)\.1\.", lambda m: f"shallow.{int(m[1]) - 1}.block."),
        (r"^stage(\d)_(encoder|decoder)\.", lambda m: f"{m[2]}s.{int(m[1]) - 1}."),
        (r"^stage3_orsnet\.", "full_resolution."),
        (r"^sam(\d)\d\.conv1\.", lambda m: f"attention.{int(m[1]) - 1}.features."),
        (r"^sam(\d)\d\.conv2\.", lambda m: f"attention.{int(m[1]) - 1}.image."),
        (r"^sam(\d)\d\.conv3\.", lambda m: f"attention.{int(m[1]) - 1}.attention."),
        (r"^concat(\d)\d\.", lambda m: f"merge.{int(m[1]) - 1}."),
        (r"\.(?:en|de)coder_level(\d)\.", lambda m: f".levels.{int(m[1]) - 1}."),
        (r"\.skip_attn(\d)\.", lambda m: f".skips.{int(m[1]) - 1}."),
        (r"\.csff_(en|de)c(\d)\.", lambda m: f".fuse_{m[1]}coder.{int(m[2]) - 1}."),
        (r"\.down(\d)\d\.down\.1\.", lambda m: f".reductions.{int(m[1]) - 1}.convolution."),
        (r"\.up\d(\d)\.up\.1\.", lambda m: f".enlargements.{int(m[1]) - 1}.convolution."),
        (r"\.up_(en|de)c1\.up\.1\.", r".enlarge_\1coder.1.0.convolution."),
        (r"\.up_(en|de)c2\.(\d)\.up\.1\.", r".enlarge_\1coder.2.\2.convolution."),
        (r"\.conv_(en|de)c(\d)\.", lambda m: f".fuse_{m[1]}coder.{int(m[2]) - 1}."),
        (r"\.orb(\d)\.", lambda m: f".blocks.{int(m[1]) - 1}."),
        (r"\.blocks\.(\d)\.body\.\d+\.weight$", r".blocks.\1.convolution.weight"),
        (r"\.blocks\.(\d)\.body\.(\d+)\.", r".blocks.\1.blocks.\2."),
        (r"\.body\.0\.weight$", ".first.weight"),
        (r"\.body\.2\.weight$", ".second.weight"),
        (r"\.CA\.conv_du\.0\.", ".squeeze."),
        (r"\.CA\.conv_du\.2\.", ".excite."),
    )

    def __init__(
        self,
        *,
        width: int = 96,
        level_growth: int = 48,
        stage_growth: int = 32,
        level_blocks: int = 2,
        stage_blocks: int = 8,
        reduction: int = 4,
        zero_init_output: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__()
        widths = [width + level * level_growth for level in range(LEVELS)]
        last_width = width + stage_growth
        self.head = X2Head(upscale)
        self.scale = self.head.scale
        channels = self.head.last_channels
        self.slope = nn.Parameter(torch.full((1,), FIRST_SLOPE))
        self.shallow = nn.ModuleList(ShallowFeatures(width, reduction) for _ in range(3))
        self.encoders = nn.ModuleList(
            Encoder(widths, level_blocks, reduction, fusion) for fusion in (False, True)
        )
        self.decoders = nn.ModuleList(Decoder(widths, level_blocks, reduction) for _ in range(2))
        attention = [SupervisedAttention(width, channels) for _ in range(2)]
        self.attention = nn.ModuleList(attention)
        self.merge = nn.ModuleList(
            [convolution(2 * width, width), convolution(2 * width, last_width)]
        )
        self.full_resolution = FullResolutionNetwork(widths, last_width, stage_blocks, reduction)
        self.tail = convolution(last_width, channels)
        if zero_init_output:
            start_at_zero(self.tail, *(module.image for module in attention))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 8 -> (B, 3, scale * H, scale * W), not clipped."""
        return self.stage_images(degraded)[-1]

    def stage_images(self, degraded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The image of each stage, (B, 3, scale * H, scale * W) each; the last is the result."""
        image, base, slope = self.head.enter(degraded), self._base(degraded), self.slope
        halves = split_in_two(image, 2)
        quarters = split_in_two(halves, 3)

        encoded = self.encoders[0](self.shallow[0](quarters, slope), slope)
        encoded = [join_two(level, 3) for level in encoded]
        decoded = self.decoders[0](encoded, slope)
        # Nothing in the supervised attention looks at neighbours: halves and whole are the same.
        chosen, first = self.attention[0](join_two(decoded[0], 2), base)

        shallow = self.shallow[1](halves, slope)
        features = self.merge[0](torch.cat([shallow, split_in_two(chosen, 2)], dim=1))
        encoded = self.encoders[1](features, slope, (encoded, decoded))
        encoded = [join_two(level, 2) for level in encoded]
        decoded = self.decoders[1](encoded, slope)
        chosen, second = self.attention[1](decoded[0], base)

        shallow = self.shallow[2](image, slope)
        features = self.merge[1](torch.cat([shallow, chosen], dim=1))
        features = self.full_resolution(features, slope, encoded, decoded)
        third = self.tail(features) + base
        first, second, third = (
            self.head.leave(pixels, degraded, residual=False) for pixels in (first, second, third)
        )
        return first, second, third

    def _base(self, degraded: Tensor) -> Tensor:
        """What each stage adds to its output, as channels at the size of the features."""
        if self.scale == 1:
            return degraded
        enlarged = enlarge_bicubic(degraded)
        return enlarged if self.head.feature_scale == SCALE else F.pixel_unshuffle(enlarged, SCALE)

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Charbonnier distance of the three images, and 0.05 times that of their Laplacians.

        The run's pixel loss is not used: the distance belongs to the method.
        """
        images = [image.float() for image in self.stage_images(batch.degraded)]
        edges = laplacian(batch.clean)
        return {
            "restore": torch.stack([charbonnier(image, batch.clean) for image in images]).sum(),
            "edge": EDGE_WEIGHT * torch.stack([edge_distance(i, edges) for i in images]).sum(),
        }

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The three published checkpoints differ in their widths."""
        shapes = {
            name: state[key].shape[0]
            for name, key in (
                ("width", "shallow_feat1.0.weight"),
                ("wider", "stage1_encoder.down12.down.1.weight"),
                ("last", "concat23.weight"),
            )
            if key in state
        }
        if len(shapes) < 3:  # not a checkpoint of this method: loading it says what is missing
            return {}
        width = shapes["width"]
        return {
            "width": width,
            "level_growth": shapes["wider"] - width,
            "stage_growth": shapes["last"] - width,
        }

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the authors' keys; the one slope of all rectifiers stands there once per block.

        It is read only where each block has it.

        Raises:
            CheckpointError: the blocks have different slopes.
        """
        slopes = {key: value for key, value in state.items() if _OFFICIAL_SLOPE.search(key)}
        mapped = super().map_official_state({k: v for k, v in state.items() if k not in slopes})
        with_slope = {_OFFICIAL_SLOPE.sub("", key) for key in slopes}
        blocks = {key.split(".CA.")[0] for key in state if ".CA." in key}
        if slopes and blocks <= with_slope:
            mapped["slope"] = _only_value(slopes)
        return mapped


def _only_value(slopes: Mapping[str, Tensor]) -> Tensor:
    """The value that all of them have."""
    values = list(slopes.values())
    if not values[0].is_meta and any(not torch.equal(values[0], other) for other in values[1:]):
        found = sorted({float(value.flatten()[0]) for value in values})
        raise CheckpointError(
            f"mprnet: expected one slope for all rectifiers, found {found[:10]}; the authors' "
            "network shares it, so this checkpoint is of another one"
        )
    return values[0]
