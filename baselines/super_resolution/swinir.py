"""SwinIR (Liang et al., ICCV workshops 2021): residual groups of shifted-window transformers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from baselines.spandrel_networks import swinir, without_mean_colour
from ndr.layers.bicubic import enlarge_bicubic
from ndr.layers.initialisation import start_at_zero
from ndr.method import (
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    register_method,
)

_RELEASE = "https://github.com/JingyunLiang/SwinIR/releases/download/v0.0"


@register_method
class SwinIR(Method):
    """The authors' network for classical super-resolution; network of package spandrel.

    Args:
        width: channels.
        depths: transformer layers of each residual group.
        heads: attention heads of each group; they divide the width.
        window: side of the windows, a divisor of 8.
        drop_path: largest probability that a layer is skipped in training; it grows with depth.
        training_size: side of the degraded training patches. The checkpoints hold the attention
            masks for it; other sizes work, their masks are computed each time.
        direct_shuffle: one convolution and pixel shuffle at the end, as the authors' lightweight
            network, instead of three convolutions with 64 channels.
        start_at_bicubic: add the enlarged input and start with a zero last layer, for short
            trainings; the authors' network does neither.

    Differences to the authors: images are padded by reflection to a multiple of 8; their test
    program mirrors with the border pixel repeated, by a whole window more where sides divide
    already. The average of weights over the training is not kept.
    """

    info = MethodInfo(
        name="swinir",
        paper_label="SwinIR",
        citation="J. Liang, J. Cao, G. Sun, K. Zhang, L. Van Gool, R. Timofte, SwinIR: image "
        "restoration using Swin transformer, ICCV workshops 2021",
        tasks=frozenset({"down_x2"}),
        presets={
            "smoke": {"width": 4, "depths": (2,), "heads": (2,), "window": 4, "training_size": 16},
            "small": {"width": 60, "depths": (6, 6, 6, 6), "heads": (6, 6, 6, 6)},
        },
        narrow={"drop_path": 0.0, "direct_shuffle": True, "start_at_bicubic": True},
        sizes=SizeRequirements(minimum=8, multiple_of=8),
        scale=2,
        published_parameters=11_752_487,
        official_weights=(
            OfficialWeights(
                name="swinir_classical_div2k_x2",
                url=f"{_RELEASE}/001_classicalSR_DIV2K_s48w8_SwinIR-M_x2.pth",
                settings=("sr_x2",),
                protocol="sr_y",
                licence="Apache-2.0",
            ),
            OfficialWeights(
                name="swinir_classical_df2k_x2",
                url=f"{_RELEASE}/001_classicalSR_DF2K_s64w8_SwinIR-M_x2.pth",
                licence="Apache-2.0",
                changes={"training_size": 64},
            ),
        ),
        own_recipe={
            "steps": 500_000,
            "batch": 32,
            "patch": 96,
            "learning_rate": 2e-4,
            "weight_decay": 0.0,
            "schedule": "multistep",
            "milestones": (250_000, 400_000, 450_000, 475_000),
            "gamma": 0.5,
            "gradient_clip_norm": None,
            "pixel_loss": "l1",
        },
    )

    # The authors' network is a part of this one.
    official_names = ((r"^", "network."),)

    def __init__(
        self,
        *,
        width: int = 180,
        depths: Sequence[int] = (6, 6, 6, 6, 6, 6),
        heads: Sequence[int] = (6, 6, 6, 6, 6, 6),
        window: int = 8,
        drop_path: float = 0.1,
        training_size: int = 48,
        direct_shuffle: bool = False,
        start_at_bicubic: bool = False,
    ) -> None:
        super().__init__()
        if len(depths) != len(heads):
            raise ValueError(
                f"swinir: expected heads for each of {len(depths)} groups, found {len(heads)}"
            )
        if self.info.sizes.multiple_of % window:
            raise ValueError(
                f"swinir: expected windows whose side divides {self.info.sizes.multiple_of}, "
                f"found {window}"
            )
        self.network = swinir(
            scale=self.info.scale,
            width=width,
            depths=depths,
            heads=heads,
            window=window,
            drop_path=drop_path,
            training_size=training_size,
            direct_shuffle=direct_shuffle,
        )
        self.start_at_bicubic = start_at_bicubic
        if start_at_bicubic:
            last = "upsample.0" if direct_shuffle else "conv_last"
            start_at_zero(self.network.get_submodule(last))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 8 -> (B, 3, 2 H, 2 W), not clipped."""
        enlarged = self.network(degraded)
        if not self.start_at_bicubic:
            return enlarged
        return without_mean_colour(enlarged) + enlarge_bicubic(degraded)

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Sizes: the authors publish networks of several, trained on patches of two sizes."""
        blocks: dict[int, int] = {}
        for key in state:
            found = re.match(r"layers\.(\d+)\.residual_group\.blocks\.(\d+)\.", key)
            if found is not None:
                group, block = int(found[1]), int(found[2])
                blocks[group] = max(blocks.get(group, 0), block + 1)
        bias = "layers.{}.residual_group.blocks.0.attn.relative_position_bias_table"
        keys = [bias.format(group) for group in range(len(blocks))]
        if not keys or not {"conv_first.bias", *keys} <= state.keys():
            return {}  # not a checkpoint of this method: loading it says what is missing
        window = (math.isqrt(state[keys[0]].shape[0]) + 1) // 2
        masks = state.get("layers.0.residual_group.blocks.1.attn_mask")
        changes = {
            "width": len(state["conv_first.bias"]),
            "depths": tuple(blocks.get(group, 0) for group in range(len(blocks))),
            "heads": tuple(state[key].shape[1] for key in keys),
            "window": window,
            "direct_shuffle": "conv_last.weight" not in state,
        }
        if masks is not None:  # one for each window of a training patch
            changes["training_size"] = window * math.isqrt(masks.shape[0])
        return changes
