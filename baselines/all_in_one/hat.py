"""HAT (Chen et al., CVPR 2023): window attention, overlapping windows and channel attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from baselines.spandrel_networks import hat, without_mean_colour
from ndr.layers.bicubic import enlarge_bicubic
from ndr.layers.initialisation import start_at_zero
from ndr.layers.x2_head import X2Head
from ndr.method import (
    TASKS,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    register_method,
)


@register_method
class HAT(Method):
    """Six groups of hybrid attention blocks at the size of the input; network of package spandrel.

    One method for both of the paper's uses: restoration at scale 1 (Table XIII), and Table IV.

    Args:
        width: channels.
        depths: hybrid attention blocks of each group.
        heads: attention heads of each group; they divide the width.
        window: side of the windows, an even divisor of 16.
        squeeze_factor: channels over those inside the channel attention.
        tail_width: channels after the last group.
        drop_path: largest probability that a layer is skipped in training; it grows with depth.
        add_input: add the input (enlarged at x2) and start with a zero last layer, for short
            trainings; the authors' network does neither.
        upscale: `none` is their network with scale 1, 20,477,083 parameters. `pixel_shuffle` is
            their network for x2, 20,624,795 parameters: a convolution and pixel shuffle before the
            last one, not the suite's head. `pre_upsample` as in `ndr.layers.x2_head`.

    Differences to the authors: none in the network. They publish no weights for scale 1; the
    average of weights over the training is not kept.
    """

    info = MethodInfo(
        name="hat",
        paper_label="HAT",
        citation="X. Chen, X. Wang, J. Zhou, Y. Qiao, C. Dong, Activating more pixels in image "
        "super-resolution transformer, CVPR 2023",
        tasks=TASKS,
        presets={
            "smoke": {
                "width": 4,
                "depths": (2,),
                "heads": (2,),
                "window": 4,
                "squeeze_factor": 2,
                "tail_width": 4,
            },
            "small": {
                "width": 22,
                "depths": (2,),
                "heads": (2,),
                "window": 8,
                "squeeze_factor": 4,
                "tail_width": 16,
            },
        },
        narrow={"drop_path": 0.0, "add_input": True},
        sizes=SizeRequirements(minimum=16, multiple_of=16),
        # Channel attention averages over the whole image.
        tiling=Tiling.DISCOURAGED,
        published_parameters=20_477_083,
        official_weights=(
            OfficialWeights(
                name="hat_srx2",
                # A folder of all scales; the file is HAT_SRx2.pth.
                url="https://drive.google.com/drive/folders/1HpmReFfoUqUbnAOQ7rvOeNU3uf_m69w0",
                settings=("sr_x2",),
                trained_on="DF2K",
                protocol="sr_y",
                licence="Apache-2.0",
                changes={"upscale": "pixel_shuffle"},
            ),
        ),
        own_recipe={
            "steps": 500_000,
            "batch": 32,
            "patch": 128,
            "learning_rate": 2e-4,
            "betas": (0.9, 0.99),
            "weight_decay": 0.0,
            "schedule": "multistep",
            "milestones": (250_000, 400_000, 450_000, 475_000),
            "gamma": 0.5,
            "gradient_clip_norm": None,
            "pixel_loss": "l1",
        },
    )
    trains_channels_last = True

    # The authors' network is a part of this one.
    official_names = ((r"^", "network."),)

    def __init__(
        self,
        *,
        width: int = 180,
        depths: Sequence[int] = (6, 6, 6, 6, 6, 6),
        heads: Sequence[int] = (6, 6, 6, 6, 6, 6),
        window: int = 16,
        squeeze_factor: int = 30,
        tail_width: int = 64,
        drop_path: float = 0.1,
        add_input: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__()
        if len(depths) != len(heads):
            raise ValueError(
                f"hat: expected heads for each of {len(depths)} groups, found {len(heads)}"
            )
        if window % 2 or self.info.sizes.multiple_of % window:
            raise ValueError(
                f"hat: expected windows with an even side that divides "
                f"{self.info.sizes.multiple_of}, found {window}"
            )
        self.head = X2Head(upscale)
        self.scale = self.head.scale
        self.add_input = add_input
        self.network = hat(
            scale=2 if upscale == "pixel_shuffle" else 1,
            width=width,
            depths=depths,
            heads=heads,
            window=window,
            squeeze_factor=squeeze_factor,
            tail_width=tail_width,
            drop_path=drop_path,
        )
        if add_input:
            start_at_zero(self.network.get_submodule("conv_last"))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 16 -> (B, 3, scale * H, scale * W), not clipped."""
        restored = self.network(self.head.enter(degraded))
        if not self.add_input:
            return restored
        added = degraded if self.scale == 1 else enlarge_bicubic(degraded)
        return without_mean_colour(restored) + added

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The network for x2 has a convolution before the pixel shuffle."""
        return {"upscale": "pixel_shuffle" if "upsample.0.weight" in state else "none"}
