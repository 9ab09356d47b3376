"""EDSR (Lim et al., CVPR workshops 2017): residual blocks without normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.super_resolution.residual_groups import (
    SHORT_TRAINING,
    STEP_RECIPE,
    MeanShiftedNetwork,
    convolution,
    shuffling_tail,
)
from ndr.method import MethodInfo, OfficialWeights, register_method

_SERVER = "https://cv.snu.ac.kr/research/EDSR/models"
_BASE = {"channels": 64, "blocks": 16, "residual_scale": 1.0}


class ScaledResidualBlock(nn.Module):
    """Convolution, ReLU, convolution; the sum is damped by a constant, which wide blocks need."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels), nn.ReLU(inplace=True), convolution(channels, channels)
        )
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return features.add(self.body(features), alpha=self.scale)


@register_method
class EDSR(MeanShiftedNetwork):
    """Residual blocks at the size of the input, then pixel shuffle.

    The default is the authors' large network, the one that they call EDSR; with 64 channels, 16
    blocks and `residual_scale=1` it is their baseline (1,369,859 parameters).

    Args:
        channels: width.
        blocks: residual blocks.
        residual_scale: factor on the output of each block.
        image_range: value of white inside the network.
        start_at_bicubic: add the enlarged input and start with a zero last layer, for short
            trainings; the authors' network does neither.

    Differences to the authors: none in the network. The mean colours are constants (their
    checkpoints hold them) and not counted.
    """

    info = MethodInfo(
        name="edsr",
        paper_label="EDSR",
        citation="B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, Enhanced deep residual networks for "
        "single image super-resolution, CVPR workshops 2017",
        tasks=frozenset({"down_x2"}),
        presets={
            "smoke": {"channels": 4, "blocks": 1, "residual_scale": 1.0},
            "small": {**_BASE},
        },
        narrow=SHORT_TRAINING,
        scale=2,
        published_parameters=40_729_603,
        official_weights=(
            OfficialWeights(
                name="edsr_x2",
                url=f"{_SERVER}/edsr_x2-0edfb8a3.pt",
                settings=("sr_x2",),
                protocol="sr_y",
                licence="MIT (code); none stated for the weights",
            ),
            OfficialWeights(
                name="edsr_baseline_x2",
                url=f"{_SERVER}/edsr_baseline_x2-1bc95232.pt",
                licence="MIT (code); none stated for the weights",
                changes=_BASE,
            ),
        ),
        own_recipe={**STEP_RECIPE, "steps": 300_000, "milestones": (200_000,)},
    )
    trains_channels_last = True

    def __init__(
        self,
        *,
        channels: int = 256,
        blocks: int = 32,
        residual_scale: float = 0.1,
        image_range: float = 255.0,
        start_at_bicubic: bool = False,
    ) -> None:
        super().__init__(image_range=image_range, add_bicubic=start_at_bicubic, learned_shift=False)
        self.head = nn.Sequential(convolution(3, channels))
        self.body = nn.Sequential(
            *(ScaledResidualBlock(channels, residual_scale) for _ in range(blocks)),
            convolution(channels, channels),
        )
        self.tail = shuffling_tail(channels)
        self.start_at_bicubic_interpolation(self.tail[-1])

    def enlarge(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, 2 H, 2 W), both around zero."""
        features = self.head(image)
        return self.tail(features + self.body(features))
