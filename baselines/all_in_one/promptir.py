"""PromptIR (Potlapalli et al., NeurIPS 2023): Restormer with learned prompts in its decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.all_in_one.restormer import LEVELS, Restormer
from ndr.layers.transformer_block import TransformerBlock, Upsample
from ndr.method import (
    TASKS,
    MethodInfo,
    OfficialWeights,
    SizeRequirements,
    Tiling,
    parameter_count,
    register_method,
)

PROMPTS = LEVELS - 1
PROMPT_HEADS_LEVEL = 2
"""Level whose number of heads the prompts' transformer blocks have, at all levels."""

_RELEASE = "https://github.com/va1shn9v/PromptIR/releases/download/v1.0"
_LICENCE = "Academic Public License (non-commercial)"

_UNUSED_ON_PROMPTS = ((64, 64), (128, 128), (320, 256))
"""Channels in and out of three layers that the authors' network has and never runs; three more
take the latter beside a level's."""


class Prompt(nn.Module):
    """Learned feature maps, mixed by what the image holds (Sec. 3.1.1).

    The weights are the softmax of a linear layer on the features' means; the mixture is
    interpolated to the features' size and convolved.

    Args:
        width: channels of the features that decide.
        components: number of learned maps.
        channels: channels of a map.
        side: height and width of a map.
    """

    def __init__(self, width: int, components: int, channels: int, side: int) -> None:
        super().__init__()
        self.components = nn.Parameter(torch.rand(1, components, channels, side, side))
        self.weighting = nn.Linear(width, components)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, `channels`, H, W)."""
        weights = self.weighting(features.mean(dim=(-2, -1))).softmax(dim=1)
        # Weights are in single precision under autocast, and so is the mixture.
        mixture = torch.einsum("bn,nchw->bchw", weights, self.components[0].to(weights.dtype))
        return self.convolution(F.interpolate(mixture, features.shape[-2:], mode="bilinear"))


@register_method
class PromptIR(Restormer):
    """Restormer whose decoder is told of the degradation by prompts.

    Before each of the decoder's three enlargements, a prompt is appended to the features; a
    transformer block lets both interact, and a 1x1 convolution narrows them.

    Args:
        width: channels of the first level; they double at each level.
        blocks: transformer blocks per level; encoder and decoder have the same.
        refinement_blocks: blocks at full resolution after the decoder, with 2 * width channels.
        heads: attention heads per level.
        expansion: width of the feed-forward parts over that of their blocks.
        prompt_components: learned maps per prompt.
        prompt_channels: channels of the prompts, from full size down.
        prompt_sides: sides of the prompts' maps, from full size down.
        zero_init_output: start at the identity by a zero last layer, for short trainings.
        upscale: `none`, or how twice the size is returned (`pixel_shuffle`, `pre_upsample`), see
            `ndr.layers.x2_head`; the authors' network has no such part.

    Differences to the authors: six 1x1 convolutions that their network has and never uses do not
    exist here (215,296 of the published 35,592,263 parameters); `map_official_state` drops them.
    The lowest level's features are narrowed from 384 to 192 channels after the prompt, so that
    two of the decoder's layers differ from Restormer's, as theirs do. Their warm-up and cosine are
    built for 150 epochs and stopped after 120.
    """

    info = MethodInfo(
        name="promptir",
        paper_label="PromptIR",
        citation="V. Potlapalli, S. W. Zamir, S. Khan, F. S. Khan, PromptIR: prompting for "
        "all-in-one blind image restoration, NeurIPS 2023",
        tasks=TASKS,
        presets={
            "smoke": {
                "width": 8,
                "blocks": (1, 1, 1, 1),
                "prompt_components": 2,
                "prompt_channels": (4, 8, 16),
                "prompt_sides": (8, 4, 2),
            },
            "small": {
                "width": 8,
                "blocks": (2, 2, 2, 2),
                "prompt_channels": (8, 16, 32),
                "prompt_sides": (16, 8, 4),
            },
        },
        narrow={"refinement_blocks": 1, "zero_init_output": True},
        sizes=SizeRequirements(minimum=8, multiple_of=8),
        tiling=Tiling.DISCOURAGED,
        published_parameters=35_592_263,
        official_weights=(
            OfficialWeights(
                name="promptir",
                url=f"{_RELEASE}/model.ckpt",
                settings=("promptir_noise_rain_haze",),
                noise_variant="uint8_trunc",
                protocol="airnet",
                licence=_LICENCE,
            ),
        ),
        own_recipe={
            # 120 epochs of 46,296 noisy, 24,000 rainy and 72,135 hazy patches.
            "steps": 534_000,
            "batch": 32,
            "patch": 128,
            "learning_rate": 2e-4,
            "optimiser": "adamw",
            "weight_decay": 1e-2,
            "schedule": "cosine",
            "warmup_steps": 66_750,
            # Where their cosine of 150 epochs is when the training ends after 120.
            "minimum_learning_rate": 2.3e-5,
            "gradient_clip_norm": None,
            "pixel_loss": "l1",
        },
    )
    trains_channels_last = True

    official_unused = r"(net\.)?(chnl_reduce|reduce_noise_channel_)\d\."
    # Their checkpoint is one of PyTorch Lightning, where the network is called `net`. The prompts
    # are numbered from 1 there, by the level that they lead to.
    official_names = (
        (r"^net\.", ""),
        (r"^prompt([123])\.prompt_param$", lambda m: f"prompts.{int(m[1]) - 1}.components"),
        (r"^prompt([123])\.linear_layer\.", lambda m: f"prompts.{int(m[1]) - 1}.weighting."),
        (r"^prompt([123])\.conv3x3\.", lambda m: f"prompts.{int(m[1]) - 1}.convolution."),
        (r"^noise_level([123])\.", lambda m: f"interactions.{int(m[1]) - 1}."),
        (r"^reduce_noise_level([123])\.", lambda m: f"reductions.{int(m[1]) - 1}."),
        *Restormer.official_names,
    )

    def __init__(
        self,
        *,
        width: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        refinement_blocks: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        expansion: float = 2.66,
        prompt_components: int = 5,
        prompt_channels: Sequence[int] = (64, 128, 320),
        prompt_sides: Sequence[int] = (64, 32, 16),
        zero_init_output: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__(
            width=width,
            blocks=blocks,
            refinement_blocks=refinement_blocks,
            heads=heads,
            expansion=expansion,
            zero_init_output=zero_init_output,
            upscale=upscale,
        )
        if len(prompt_channels) != PROMPTS or len(prompt_sides) != PROMPTS:
            raise ValueError(
                f"promptir: expected channels and sides of {PROMPTS} prompts, found "
                f"{len(prompt_channels)} and {len(prompt_sides)}"
            )
        # Channels of the decoder at the three sizes below full, before and after the prompts.
        widths = [width * 2**level for level in range(1, LEVELS)]
        narrowed = [*widths[:-1], widths[-1] // 2]
        self.upsampling[-1] = Upsample(narrowed[-1])
        self.fusion[-1] = nn.Conv2d(narrowed[-1] // 2 + widths[-2], widths[-2], 1, bias=False)
        self.prompts = nn.ModuleList(
            Prompt(wide, prompt_components, channels, side)
            for wide, channels, side in zip(widths, prompt_channels, prompt_sides, strict=True)
        )
        joined = [w + channels for w, channels in zip(widths, prompt_channels, strict=True)]
        self.interactions = nn.ModuleList(
            TransformerBlock(channels, heads[PROMPT_HEADS_LEVEL], expansion) for channels in joined
        )
        self.reductions = nn.ModuleList(
            nn.Conv2d(channels, narrow, 1, bias=False)
            for channels, narrow in zip(joined, narrowed, strict=True)
        )

    def before_upsampling(self, level: int, features: Tensor) -> Tensor:
        """Append the level's prompt, let both interact, and narrow them."""
        joined = torch.cat([features, self.prompts[level](features)], dim=1)
        return self.reductions[level](self.interactions[level](joined))

    def counted_parameters(self) -> int:
        """With the six 1x1 convolutions that the authors' network never uses."""
        width = self.embedding.out_channels
        unused = sum(inputs * outputs for inputs, outputs in _UNUSED_ON_PROMPTS)
        for level, (_, channels) in enumerate(_UNUSED_ON_PROMPTS):
            unused += (width * 2**level + channels) * width * 2**level
        return parameter_count(self) + unused

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """There is one checkpoint, of the default network."""
        return {}
