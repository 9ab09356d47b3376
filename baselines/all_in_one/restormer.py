"""Restormer (Zamir et al., CVPR 2022): a U-shaped transformer with attention between channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ndr.layers.transformer_block import OFFICIAL_NAMES, Downsample, TransformerBlock, Upsample
from ndr.layers.x2_head import X2Head
from ndr.method import (
    TASKS,
    Method,
    MethodInfo,
    OfficialWeights,
    Renaming,
    SideInformation,
    SizeRequirements,
    Tiling,
    register_method,
)

LEVELS = 4
_RELEASE = "https://github.com/swz30/Restormer/releases/download/v1.0"
_LICENCE = "Academic Public License (non-commercial)"


@register_method
class Restormer(Method):
    """Four levels of transformer blocks, skips joined by concatenation, and a global residual.

    Args:
        width: channels of the first level; they double at each level.
        blocks: transformer blocks per level; encoder and decoder have the same.
        refinement_blocks: blocks at full resolution after the decoder, with 2 * width channels.
        heads: attention heads per level.
        expansion: width of the feed-forward parts over that of their blocks.
        norm_bias: whether the layer norms subtract the mean and have a shift. The authors switch
            it off for denoising (26,111,668 parameters).
        zero_init_output: start at the identity by a zero last layer, for short trainings.
        upscale: `none`, or how twice the size is returned (`pixel_shuffle`, `pre_upsample`), see
            `ndr.layers.x2_head`; the authors' network has no such part.

    Differences to the authors: none in the network; test images are padded by reflection to a
    multiple of 8, as in their test programs.
    """

    info = MethodInfo(
        name="restormer",
        paper_label="Restormer",
        citation="S. W. Zamir, A. Arora, S. Khan, M. Hayat, F. S. Khan, M.-H. Yang, Restormer: "
        "efficient transformer for high-resolution image restoration, CVPR 2022",
        tasks=TASKS,
        presets={
            "smoke": {"width": 8, "blocks": (1, 1, 1, 1)},
            "small": {"width": 8, "blocks": (3, 3, 3, 2), "heads": (1, 2, 2, 2)},
        },
        narrow={"refinement_blocks": 1, "zero_init_output": True},
        sizes=SizeRequirements(minimum=8, multiple_of=8),
        tiling=Tiling.DISCOURAGED,
        published_parameters=26_126_644,
        official_weights=(
            OfficialWeights(
                name="deraining",
                url=f"{_RELEASE}/deraining.pth",
                settings=("derain",),
                trained_on="Rain13K",
                protocol="restormer_y",
                licence=_LICENCE,
            ),
            OfficialWeights(
                name="gaussian_color_denoising_blind",
                url=f"{_RELEASE}/gaussian_color_denoising_blind.pth",
                settings=("denoise",),
                trained_on="DF2K, BSD400 and WED",
                noise_variant="float_noclip",
                noise_seeding="zero_per_image",
                protocol="rgb_uint8",
                licence=_LICENCE,
                changes={"norm_bias": False},
            ),
        ),
    )

    official_names: ClassVar[Renaming] = (
        (r"^patch_embed\.proj\.", "embedding."),
        (r"^latent\.", "encoder.3."),
        (r"^(en|de)coder_level([123])\.", lambda m: f"{m[1]}coder.{int(m[2]) - 1}."),
        (r"^down([123])_\d\.body\.0\.", lambda m: f"downsampling.{int(m[1]) - 1}.convolution."),
        (r"^up\d_([123])\.body\.0\.", lambda m: f"upsampling.{int(m[1]) - 1}.convolution."),
        (r"^reduce_chan_level([23])\.", lambda m: f"fusion.{int(m[1]) - 1}."),
        *OFFICIAL_NAMES,
    )

    def __init__(
        self,
        *,
        width: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        refinement_blocks: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        expansion: float = 2.66,
        norm_bias: bool = True,
        zero_init_output: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__()
        if len(blocks) != LEVELS or len(heads) != LEVELS:
            raise ValueError(
                f"restormer: expected blocks and heads for {LEVELS} levels, found "
                f"{len(blocks)} and {len(heads)}"
            )

        def stage(channels: int, level: int, count: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    TransformerBlock(channels, heads[level], expansion, norm_bias=norm_bias)
                    for _ in range(count)
                )
            )

        widths = [width * 2**level for level in range(LEVELS)]
        self.embedding = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(
            stage(widths[level], level, blocks[level]) for level in range(LEVELS)
        )
        self.downsampling = nn.ModuleList(Downsample(channels) for channels in widths[:-1])
        self.upsampling = nn.ModuleList(Upsample(channels) for channels in widths[1:])
        # The first level keeps both halves of the concatenation: twice its width, no fusion.
        self.fusion = nn.ModuleList(
            [nn.Identity(), *(nn.Conv2d(2 * c, c, 1, bias=False) for c in widths[1:-1])]
        )
        decoder_widths = [2 * width, *widths[1:-1]]
        self.decoder = nn.ModuleList(
            stage(channels, level, blocks[level]) for level, channels in enumerate(decoder_widths)
        )
        self.refinement = stage(2 * width, 0, refinement_blocks)
        self.head = X2Head(upscale)
        self.scale = self.head.scale
        self.output = nn.Conv2d(2 * width, self.head.last_channels, 3, padding=1, bias=False)
        if zero_init_output:
            nn.init.zeros_(self.output.weight)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 8 -> (B, 3, scale * H, scale * W), not clipped."""
        # Layer norms read the channels of a pixel: fastest where these are neighbours in memory.
        features = self.embedding(
            self.head.enter(degraded).contiguous(memory_format=torch.channels_last)
        )
        skips = []
        for level in range(LEVELS - 1):
            skips.append(self.encoder[level](features))
            features = self.downsampling[level](skips[-1])
        features = self.encoder[-1](features)
        for level in reversed(range(LEVELS - 1)):
            features = self.upsampling[level](self.before_upsampling(level, features))
            joined = torch.cat([features, skips[level]], dim=1)
            features = self.decoder[level](self.fusion[level](joined))
        return self.head.leave(self.output(self.refinement(features)), degraded)

    def before_upsampling(self, level: int, features: Tensor) -> Tensor:
        """The decoder's features as they are enlarged to `level`; PromptIR joins its prompts."""
        return features

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The denoisers' layer norms have no shift, the other checkpoints' have one."""
        return {"norm_bias": any(key.endswith("norm1.body.bias") for key in state)}
