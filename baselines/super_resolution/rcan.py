"""RCAN (Zhang et al., ECCV 2018): residual groups of channel-attention blocks."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.super_resolution.residual_groups import (
    SHORT_TRAINING,
    STEP_RECIPE,
    MeanShiftedNetwork,
    convolution,
    residual_groups,
    shuffling_tail,
)
from ndr.method import MethodInfo, OfficialWeights, Tiling, register_method


@register_method
class RCAN(MeanShiftedNetwork):
    """Ten groups of twenty blocks, residuals inside residuals, then pixel shuffle.

    Args:
        channels: width.
        groups: residual groups.
        blocks: attention blocks in each group.
        reduction: channels over those inside the channel attention.
        image_range: value of white inside the network.
        start_at_bicubic: add the enlarged input and start with a zero last layer, for short
            trainings; the authors' network does neither.

    Differences to the authors: none in the network. Its 15,444,667 parameters are the 15,444,643
    of the convolutions and the 24 of the mean colours, see `MeanShift`.
    """

    info = MethodInfo(
        name="rcan",
        paper_label="RCAN",
        citation="Y. Zhang, K. Li, K. Li, L. Wang, B. Zhong, Y. Fu, Image super-resolution using "
        "very deep residual channel attention networks, ECCV 2018",
        tasks=frozenset({"down_x2"}),
        presets={
            "smoke": {"channels": 4, "groups": 1, "blocks": 1, "reduction": 2},
            "small": {"channels": 48, "groups": 4, "blocks": 5},
        },
        narrow=SHORT_TRAINING,
        # Channel attention averages over the whole image.
        tiling=Tiling.DISCOURAGED,
        scale=2,
        published_parameters=15_444_643 + 24,
        official_weights=(
            OfficialWeights(
                name="rcan_bix2",
                # An archive of all scales; the file is RCAN_BIX2.pt.
                url="https://www.dropbox.com/s/qm9vc0p0w9i4s0n/models_ECCV2018RCAN.zip?dl=0",
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
    trains_channels_last = True

    # The layers of the channel attention.
    official_names = ((r"\.conv_du\.", ".gate."),)

    def __init__(
        self,
        *,
        channels: int = 64,
        groups: int = 10,
        blocks: int = 20,
        reduction: int = 16,
        image_range: float = 255.0,
        start_at_bicubic: bool = False,
    ) -> None:
        super().__init__(image_range=image_range, add_bicubic=start_at_bicubic, learned_shift=True)
        self.head = nn.Sequential(convolution(3, channels))
        self.body = residual_groups(channels, groups, blocks, reduction)
        self.tail = shuffling_tail(channels)
        self.start_at_bicubic_interpolation(self.tail[-1])

    def enlarge(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, 2 H, 2 W), both around zero."""
        features = self.head(image)
        return self.tail(features + self.body(features))
