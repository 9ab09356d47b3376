"""FFDNet (Zhang et al., TIP 2018): colour denoising at a known noise level."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.initialisation import initialise
from ndr.method import (
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    register_method,
)

PLANES = 12
"""Colours times the four pixels of a 2x2 cell."""

_RELEASE = "https://github.com/cszn/KAIR/releases/download/v1.0"


@register_method
class FFDNet(Method):
    """Convolutions at half resolution on the shuffled image and a map of the noise level.

    The image (B, 3, H, W) becomes (B, 12, H / 2, W / 2); sigma / 255 joins as channel 13. There is
    neither a residual nor batch normalisation: the output is the image itself.

    Args:
        channels: width of the hidden layers.
        depth: number of convolutions, at least 3.
        identity_init: start as the network that returns its (non-negative) input, for short
            trainings: twelve channels pass the pixels on, the others start at random. Needs at
            least 12 channels.

    Difference to the authors: the noise levels are those of the training data, not [0, 75].

    Raises:
        ValueError: a depth below 3, or `identity_init` with fewer than 12 channels.
    """

    info = MethodInfo(
        name="ffdnet",
        paper_label="FFDNet",
        citation="K. Zhang, W. Zuo, L. Zhang, FFDNet: toward a fast and flexible solution for "
        "CNN-based image denoising, IEEE TIP 27(9), 2018",
        tasks=frozenset({"noise"}),
        presets={
            "smoke": {"channels": 16, "depth": 4},
            "small": {"channels": 64, "depth": 12},
        },
        narrow={"identity_init": True},
        sizes=SizeRequirements(minimum=2, multiple_of=2, padding="replicate"),
        side_information=frozenset({"sigma"}),
        published_parameters=852_108,
        official_weights=(
            OfficialWeights(
                name="ffdnet_color",
                url=f"{_RELEASE}/ffdnet_color.pth",
                settings=("denoise",),
                noise_variant="float_noclip",
                noise_seeding="zero_per_image",
                protocol="rgb_uint8",
                licence="MIT",
                sha256="286f04f7e3a20254c067ba95efb5d3339f4fc8a09a365a93cd469184d4cdb279",
                bytes=3_411_551,
            ),
        ),
    )
    trains_channels_last = True

    def __init__(self, channels: int = 96, depth: int = 12, identity_init: bool = False) -> None:
        super().__init__()
        if depth < 3:
            raise ValueError(f"ffdnet: expected a depth of at least 3, found {depth}")
        widths = [PLANES + 1, *[channels] * (depth - 1), PLANES]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [nn.Conv2d(width_in, width_out, 3, padding=1), nn.ReLU(inplace=True)]
        # The authors' key names are `model.<position>.weight` and `.bias`.
        self.model = nn.Sequential(*layers[:-1])
        initialise(self.model, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
        if identity_init:
            self._start_at_identity(channels)

    @torch.no_grad()
    def _start_at_identity(self, channels: int) -> None:
        if channels < PLANES:
            raise ValueError(
                f"ffdnet: identity_init needs at least {PLANES} channels, found {channels}"
            )
        for convolution in self.model:
            if isinstance(convolution, nn.Conv2d):
                nn.init.dirac_(convolution.weight[:PLANES, :PLANES])
                convolution.weight[:PLANES, PLANES:] = 0

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) with even H and W -> the same shape, not clipped.

        `side.sigma` is the noise level on the 0..255 scale, one for all images or one each.
        """
        planes = F.pixel_unshuffle(degraded, 2)
        level = side.noise_levels(degraded) / 255
        level_map = level[:, None, None, None].expand(-1, 1, *planes.shape[-2:])
        return F.pixel_shuffle(self.model(torch.cat([planes, level_map], dim=1)), 2)
