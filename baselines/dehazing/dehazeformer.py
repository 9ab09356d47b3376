"""DehazeFormer (Song et al., TIP 2023): a U-shaped window transformer made for haze removal."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.biased_attention import biased_attention
from ndr.layers.initialisation import initialise, start_at_zero
from ndr.method import (
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    register_method,
)
from ndr.nearest_name import unknown_name

WINDOW = 8
STAGES = 5
_DRIVE = "https://drive.google.com/drive/folders/1gnQiI_7Dvy-ZdQUVYXt7pW0EFQkpK39B"
_WIDE = (48, 96, 192, 96, 48)
_NARROW = (24, 48, 96, 48, 24)
_SHARES = (1 / 4, 1 / 2, 3 / 4, 0, 0)

SIZES: Mapping[str, tuple[Sequence[int], Sequence[int], Sequence[float], str, int]] = {
    "T": (_NARROW, (4, 4, 4, 2, 2), (0, 1 / 2, 1, 0, 0), "depthwise", 687_404),
    "S": (_NARROW, (8, 8, 8, 4, 4), _SHARES, "depthwise", 1_284_884),
    "B": (_NARROW, (16, 16, 16, 8, 8), _SHARES, "depthwise", 2_517_612),
    "D": (_NARROW, (32, 32, 32, 16, 16), _SHARES, "depthwise", 4_983_068),
    "W": (_WIDE, (16, 16, 16, 8, 8), _SHARES, "depthwise", 9_686_724),
    "M": (_NARROW, (12, 12, 12, 6, 6), _SHARES, "plain", 4_635_952),
    "L": (_WIDE, (16, 16, 16, 12, 12), _SHARES, "plain", 25_451_652),
}
"""The authors' networks: channels, blocks and share of blocks with attention per stage, kind of
the parallel convolution, and parameters, counted from the authors' code."""

_HEADS = (2, 4, 6, 1, 1)
_EXPANSIONS = (2.0, 4.0, 4.0, 2.0, 2.0)


class RescaledLayerNorm(nn.Module):
    """Layer norm over the whole image that also says how to undo itself (paper Eq. 3 to 5).

    Mean and deviation are taken over all channels and pixels of an image. Each is mapped to a
    scale and a shift per channel, which bring the image's brightness and contrast back behind the
    branch.
    """

    epsilon = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale_of_deviation = nn.Conv2d(1, channels, 1)
        self.shift_of_mean = nn.Conv2d(1, channels, 1)
        for layer, start in ((self.scale_of_deviation, 1.0), (self.shift_of_mean, 0.0)):
            initialise(layer, functools.partial(nn.init.normal_, std=0.02), start)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W) -> the normalised features, and scale and shift (B, C, 1, 1)."""
        variance, mean = torch.var_mean(features, dim=(1, 2, 3), keepdim=True, correction=0)
        deviation = (variance + self.epsilon).sqrt()
        # One multiplication and one addition per value: (x - m) / d * w + b.
        factor = self.weight / deviation
        normalised = torch.addcmul(self.bias - mean * factor, features, factor)
        return normalised, self.scale_of_deviation(deviation), self.shift_of_mean(mean)


def reflecting(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution of features that are continued by reflection."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


class WideDepthwise(nn.Conv2d):
    """5x5 depth-wise convolution with reflection, on a CPU in single precision.

    The gradient of its weights takes six times as long in 16 bits there.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 5, padding=2, groups=channels, padding_mode="reflect")

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape and type."""
        if features.dtype != torch.bfloat16 or features.is_cuda:
            return super().forward(features)
        with torch.autocast(features.device.type, enabled=False):
            wide = features.float().contiguous(memory_format=torch.channels_last)
            return super().forward(wide).to(features.dtype)


class WindowAttention(nn.Module):
    """Attention between the pixels of windows, in parallel with a convolution of the values.

    Args:
        channels: width.
        heads: attention heads; 0: convolution alone.
        shifted: whether the windows begin half a window earlier. The image is continued by
            reflection, not rolled around.
        convolution: `depthwise` (5x5, on the values) or `plain` (two 3x3 with a ReLU; without
            attention it replaces values and projection).
        network_depth: blocks of the whole network; deeper ones start with smaller weights.
    """

    def __init__(
        self, channels: int, heads: int, shifted: bool, convolution: str, network_depth: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.shift = WINDOW // 2 if shifted else 0
        self.convolution: nn.Module
        if convolution == "plain":
            self.convolution = nn.Sequential(
                reflecting(channels, channels),
                nn.ReLU(inplace=True),
                reflecting(channels, channels),
            )
        else:
            self.convolution = WideDepthwise(channels)
        self.value = self.projection = None
        if heads or convolution == "depthwise":
            self.value = nn.Conv2d(channels, channels, 1)
            self.projection = nn.Conv2d(channels, channels, 1)
        start_small(self, network_depth)
        if heads:
            if channels % heads:
                raise ValueError(f"dehazeformer: {heads} heads do not divide {channels} channels")
            self.query_key = nn.Conv2d(channels, 2 * channels, 1)
            initialise(self.query_key, nn.init.xavier_normal_)
            self.position_bias = nn.Sequential(
                nn.Linear(2, 256), nn.ReLU(inplace=True), nn.Linear(256, heads)
            )
            self.register_buffer("positions", relative_positions(WINDOW), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape; at least 8 pixels a side where there are heads."""
        if self.value is None or self.projection is None:
            return self.convolution(features)
        values = self.value(features)
        mixed = self.convolution(values)
        if self.heads:
            mixed = mixed + self.attended(torch.cat([self.query_key(features), values], dim=1))
        return self.projection(mixed)

    def attended(self, joined: Tensor) -> Tensor:
        """Queries, keys and values (B, 3 C, H, W) -> (B, C, H, W)."""
        height, width = joined.shape[-2:]
        down, right = (_continuation(size, self.shift) for size in (height, width))
        padded = F.pad(joined, (self.shift, right, self.shift, down), mode="reflect")
        batch, triple, rows, columns = padded.shape
        per_head = triple // 3 // self.heads
        windows = padded.reshape(
            batch, 3, self.heads, per_head, rows // WINDOW, WINDOW, columns // WINDOW, WINDOW
        )
        # (3, B, rows, columns, heads, pixels, C / heads)
        windows = windows.permute(1, 0, 4, 6, 2, 5, 7, 3).flatten(5, 6)
        query, key, value = windows.flatten(1, 3).unbind(0)
        bias = self.position_bias(self.positions).permute(2, 0, 1)[None]
        mixed = biased_attention(query, key, value, bias)
        mixed = mixed.reshape(
            batch, rows // WINDOW, columns // WINDOW, self.heads, WINDOW, WINDOW, per_head
        )
        mixed = mixed.permute(0, 3, 6, 1, 4, 2, 5).reshape(batch, triple // 3, rows, columns)
        return mixed[..., self.shift : self.shift + height, self.shift : self.shift + width]


def _continuation(size: int, shift: int) -> int:
    """Pixels to add behind `size`, so that `shift` before and all together are whole windows."""
    return (WINDOW - shift + -size % WINDOW) % WINDOW if shift else -size % WINDOW


def relative_positions(window: int) -> Tensor:
    """Signed logarithm of the distance in rows and columns between two pixels of a window.

    Returns:
        (window^2, window^2, 2): sign(d) log(1 + |d|).
    """
    line = torch.arange(window)
    pixels = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).flatten(0, 1)
    distance = (pixels[:, None] - pixels[None]).float()
    return distance.sign() * torch.log1p(distance.abs())


def start_small(module: nn.Module, network_depth: int) -> None:
    """Initialise convolutions after Glorot, times (8 depth)^(-1/4), without bias.

    The authors cut the normal distribution at 2, many deviations away: no draw gets there.
    """
    gain = (8 * network_depth) ** -0.25
    initialise(module, functools.partial(nn.init.xavier_normal_, gain=gain))


class DehazeFormerBlock(nn.Module):
    """Attention and feed-forward part, both residual; the norm stands before attention only.

    Args:
        channels: width.
        heads: attention heads; 0: a convolution instead of attention, and no norm.
        expansion: width of the feed-forward part over that of the block.
        shifted, convolution, network_depth: see `WindowAttention`.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        expansion: float,
        shifted: bool,
        convolution: str,
        network_depth: int,
    ) -> None:
        super().__init__()
        self.norm = RescaledLayerNorm(channels) if heads else None
        self.attention = WindowAttention(channels, heads, shifted, convolution, network_depth)
        hidden = int(channels * expansion)
        self.feed_forward = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, channels, 1)
        )
        start_small(self.feed_forward, network_depth)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        if self.norm is None:
            features = features + self.attention(features)
        else:
            normalised, scale, shift = self.norm(features)
            features = features + torch.addcmul(shift, self.attention(normalised), scale)
        return features + self.feed_forward(features)


class SelectiveFusion(nn.Module):
    """Weighted sum of two features; per channel the weights are a softmax of their joint mean.

    Args:
        channels: width of each.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 8, 4)
        self.weights = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, 2 * channels, 1, bias=False),
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two times (B, C, H, W) -> the same shape."""
        joint = (first + second).mean((2, 3), keepdim=True)
        weights = self.weights(joint).unflatten(1, (2, -1)).softmax(1)
        return first * weights[:, 0] + second * weights[:, 1]


@register_method
class DehazeFormer(Method):
    """Three levels; each stage's last blocks attend within windows, beside a convolution.

    The output has four channels: one K for all colours and three B, and the clean image is
    K I - B + I, with I in [-1, 1]. Skips are joined by a learned weighting of their channels.

    The paper names no size; its 30.87 dB lie between the authors' figures of their sizes, so the
    default is their best small one for outdoor haze, B.

    Args:
        size: one of `SIZES`: T, S, B, D, W, M, L.
        channels: of the five stages, instead of the size's; the first is the last, the second the
            fourth, and heads (2, 4, 6) must divide those of the first three.
        blocks: per stage, instead of the size's.
        zero_init_output: start at the identity by a zero last layer, for short trainings.

    Differences to the authors: none in the network. Small images are padded to 32 pixels, so that
    windows of 8 pixels at the lowest level can be continued by reflection.

    Raises:
        UnknownNameError: no such size.
        ValueError: channels or blocks that do not fit.
    """

    info = MethodInfo(
        name="dehazeformer",
        paper_label="DehazeFormer",
        citation="Y. Song, Z. He, H. Qian, X. Du, Vision transformers for single image dehazing, "
        "IEEE TIP 32, 2023",
        tasks=frozenset({"haze"}),
        presets={
            "smoke": {"channels": (4, 4, 6, 4, 4), "blocks": (1, 2, 2, 1, 1)},
            "small": {},
        },
        narrow={"size": "T", "zero_init_output": True},
        sizes=SizeRequirements(minimum=32, multiple_of=4),
        tiling=Tiling.DISCOURAGED,
        published_parameters=SIZES["B"][-1],
        official_weights=tuple(
            OfficialWeights(
                name=f"dehazeformer_{size.lower()}_{haze}",
                url=_DRIVE,
                licence="MIT",
                changes={} if size == "B" else {"size": size},
                settings=("dehaze",) if (size, haze) == ("B", "outdoor") else (),
            )
            for haze, sizes in (("outdoor", "BTSM"), ("indoor", "BTSMDWL"))
            for size in sizes
        ),
        own_recipe={
            "batch": 16,
            "patch": 256,
            "learning_rate": 2e-4,
            "optimiser": "adamw",
            "weight_decay": 1e-2,
            "schedule": "cosine",
            "minimum_learning_rate": 2e-6,
            "gradient_clip_norm": None,
            "augment": ("horizontal_flip",),
        },
    )
    trains_channels_last = True

    official_names = (
        (r"^patch_embed\.proj", "embedding"),
        (r"^layer(\d)\.blocks", r"stages.\1"),
        (r"^patch_merge(\d)\.proj", r"downsampling.\1"),
        (r"^skip(\d)", r"skips.\1"),
        (r"^patch_split(\d)\.proj\.0", r"upsampling.\1"),
        (r"^fusion(\d)\.mlp", r"fusion.\1.weights"),
        (r"^patch_unembed\.proj\.0", "output"),
        (r"\.norm1\.meta1", ".norm.scale_of_deviation"),
        (r"\.norm1\.meta2", ".norm.shift_of_mean"),
        (r"\.norm1\.", ".norm."),
        (r"\.attn\.attn\.meta", ".attention.position_bias"),
        (r"\.attn\.QK", ".attention.query_key"),
        (r"\.attn\.V", ".attention.value"),
        (r"\.attn\.proj", ".attention.projection"),
        (r"\.attn\.conv", ".attention.convolution"),
        (r"\.mlp\.mlp", ".feed_forward"),
    )
    # The table of relative positions is a constant here.
    official_unused = r".*\.relative_positions$"

    def __init__(
        self,
        *,
        size: str = "B",
        channels: Sequence[int] | None = None,
        blocks: Sequence[int] | None = None,
        zero_init_output: bool = False,
    ) -> None:
        super().__init__()
        if size not in SIZES:
            raise unknown_name("size of dehazeformer", size, SIZES)
        usual_channels, usual_blocks, shares, convolution, _ = SIZES[size]
        widths, depths = channels or usual_channels, blocks or usual_blocks
        if (
            len(widths) != STAGES
            or len(depths) != STAGES
            or tuple(widths[3:]) != (widths[1], widths[0])
        ):
            raise ValueError(
                f"dehazeformer: expected {STAGES} channels (a, b, c, b, a) and {STAGES} blocks, "
                f"found {tuple(widths)} and {tuple(depths)}"
            )

        def stage(index: int) -> nn.Sequential:
            with_attention = shares[index] * depths[index]
            return nn.Sequential(
                *(
                    DehazeFormerBlock(
                        widths[index],
                        heads=_HEADS[index] if number >= depths[index] - with_attention else 0,
                        expansion=_EXPANSIONS[index],
                        shifted=number % 2 == 1,
                        convolution=convolution,
                        network_depth=sum(depths),
                    )
                    for number in range(depths[index])
                )
            )

        self.embedding = reflecting(3, widths[0])
        # Numbered from 1 as the authors do.
        self.stages = nn.ModuleDict({str(i + 1): stage(i) for i in range(STAGES)})
        self.downsampling = nn.ModuleDict(
            {str(i): nn.Conv2d(widths[i - 1], widths[i], 2, stride=2) for i in (1, 2)}
        )
        self.skips = nn.ModuleDict(
            {str(i): nn.Conv2d(widths[i - 1], widths[i - 1], 1) for i in (1, 2)}
        )
        self.upsampling = nn.ModuleDict(
            {str(i): nn.Conv2d(widths[i + 1], 4 * widths[i + 2], 1) for i in (1, 2)}
        )
        self.fusion = nn.ModuleDict({str(i): SelectiveFusion(widths[i + 2]) for i in (1, 2)})
        self.output = reflecting(widths[4], 4)
        if zero_init_output:
            start_at_zero(self.output)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1], multiples of 4 -> (B, a, H, W)."""
        full = self.stages["1"](self.embedding(images))
        half = self.stages["2"](self.downsampling["1"](full))
        lowest = self.stages["3"](self.downsampling["2"](half))
        raised = F.pixel_shuffle(self.upsampling["1"](lowest), 2)
        raised = self.fusion["1"](raised, self.skips["2"](half)) + raised
        raised = F.pixel_shuffle(self.upsampling["2"](self.stages["4"](raised)), 2)
        raised = self.fusion["2"](raised, self.skips["1"](full)) + raised
        return self.stages["5"](raised)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape, not clipped; training patches may be small."""
        height, width = degraded.shape[-2:]
        images = 2 * self.info.sizes.pad(degraded) - 1
        factor, offset = self.output(self.features(images)).split((1, 3), dim=1)
        restored = (factor * images - offset + images) / 2 + 0.5
        return restored[..., :height, :width]

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """The size, told by the number of blocks, the width and the kind of convolution."""
        depths = tuple(
            1 + max((int(m[1]) for key in state if (m := re.match(pattern, key))), default=-1)
            for pattern in (rf"layer{stage}\.blocks\.(\d+)\." for stage in range(1, STAGES + 1))
        )
        width = len(state.get("patch_embed.proj.bias", ()))
        plain = any(key.endswith("attn.conv.0.weight") for key in state)
        for size, (widths, known, _, convolution, _) in SIZES.items():
            if (tuple(known), widths[0], convolution == "plain") == (depths, width, plain):
                return {"size": size}
        return {}
