"""IRCNN (Zhang et al., CVPR 2017): a bank of dilated denoisers, one for each noise level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ndr.layers.initialisation import initialise
from ndr.method import (
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    parameter_count,
    register_method,
)

DILATIONS = (1, 2, 3, 4, 3, 2, 1)
OFFICIAL_LEVELS = tuple(float(level) for level in range(2, 51, 2))
"""Noise levels of the 25 published denoisers, on the 0..255 scale."""

CARRIERS = 6
"""Hidden channels that carry the image and its negative in a short training's start."""


def dilated_denoiser(channels: int, identity_init: bool) -> nn.Sequential:
    """Seven 3x3 convolutions that predict the noise, (B, 3, H, W) in and out.

    Their dilations grow and shrink, so that 33x33 pixels decide about one.
    """
    widths = [3, *[channels] * (len(DILATIONS) - 1), 3]
    convolutions = [
        nn.Conv2d(widths[index], widths[index + 1], 3, padding=dilation, dilation=dilation)
        for index, dilation in enumerate(DILATIONS)
    ]
    layers = [layer for c in convolutions for layer in (c, nn.ReLU(inplace=True))]
    network = nn.Sequential(*layers[:-1])
    initialise(network, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
    if identity_init:
        _carry_the_image(convolutions)
    return network


@torch.no_grad()
def _carry_the_image(convolutions: Sequence[nn.Conv2d]) -> None:
    """Pass the image through the rectifiers on the first channels, and predict no noise.

    Random dilated layers hide the pixel itself from the last layer; it takes thousands of steps to
    find it again.
    """
    first, *hidden, last = convolutions
    for convolution in (first, *hidden):
        convolution.weight[:CARRIERS] = 0
    for carrier in range(CARRIERS):
        first.weight[carrier, carrier % 3, 1, 1] = 1 if carrier < 3 else -1
        for convolution in hidden:
            convolution.weight[carrier, carrier, 1, 1] = 1
    nn.init.zeros_(last.weight)


@register_method
class IRCNN(Method):
    """A denoiser per noise level; the level of an image picks the one that restores it.

    An image of level sigma goes to the network of the lowest level that is not below sigma, or to
    the highest. In training each network learns from those images of a batch that it would
    restore; one without an image rests in that step.

    Args:
        channels: width of the hidden layers.
        levels: noise levels of the networks, ascending, on the 0..255 scale.
        identity_init: start at the identity, with the image on hand in the last layer, for short
            trainings. Needs at least 6 channels.

    Differences to the authors: three networks, for the paper's three levels, where they publish 25
    (for 2, 4 ... 50; their file loads as such a bank); their later PyTorch form without batch
    normalisation, of which their published weights are free as well.

    Raises:
        ValueError: levels that do not ascend, or `identity_init` with fewer than 6 channels.
    """

    info = MethodInfo(
        name="ircnn",
        paper_label="IRCNN",
        citation="K. Zhang, W. Zuo, S. Gu, L. Zhang, Learning deep CNN denoiser prior for image "
        "restoration, CVPR 2017",
        tasks=frozenset({"noise"}),
        presets={
            "smoke": {"channels": 8, "levels": (25.0, 50.0)},
            "small": {},
        },
        narrow={"identity_init": True},
        side_information=frozenset({"sigma"}),
        published_parameters=188_163,
        official_weights=(
            OfficialWeights(
                name="ircnn_color",
                url="https://github.com/cszn/KAIR/releases/download/v1.0/ircnn_color.pth",
                settings=("denoise",),
                noise_variant="float_noclip",
                noise_seeding="zero_per_image",
                protocol="rgb_uint8",
                licence="MIT",
                changes={"levels": OFFICIAL_LEVELS},
            ),
        ),
        own_recipe={"pixel_loss": "l2", "patch": 35, "batch": 256, "learning_rate": 1e-3},
    )
    trains_channels_last = True

    official_names = ((r"^(\d+)\.model\.", r"networks.\1."),)

    def __init__(
        self,
        channels: int = 64,
        levels: Sequence[float] = (15.0, 25.0, 50.0),
        identity_init: bool = False,
    ) -> None:
        super().__init__()
        if not levels or sorted(set(levels)) != list(levels):
            raise ValueError(f"ircnn: expected ascending noise levels, found {tuple(levels)}")
        if identity_init and channels < CARRIERS:
            raise ValueError(
                f"ircnn: identity_init needs at least {CARRIERS} channels, found {channels}"
            )
        self.levels = tuple(float(level) for level in levels)
        self.networks = nn.ModuleList(
            dilated_denoiser(channels, identity_init) for _ in self.levels
        )

    def counted_parameters(self) -> int:
        """Size of one of the networks: the authors count them one by one."""
        return parameter_count(self.networks[0])

    def network_of(self, sigma: Tensor) -> Tensor:
        """Index of the network for each noise level, (B,) -> (B,)."""
        bounds = torch.tensor(self.levels, dtype=sigma.dtype, device=sigma.device)
        return torch.bucketize(sigma.contiguous(), bounds).clamp(max=len(self.levels) - 1)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape, not clipped.

        `side.sigma` is the noise level on the 0..255 scale, one for all images or one each.
        """
        chosen = self.network_of(side.noise_levels(degraded)).tolist()
        if len(set(chosen)) == 1:
            return degraded - self.networks[chosen[0]](degraded)
        restored = torch.empty_like(degraded)
        for index in sorted(set(chosen)):
            images = [image for image, network in enumerate(chosen) if network == index]
            noise = self.networks[index](degraded[images])
            restored[images] = degraded[images] - noise.to(degraded.dtype)
        return restored

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The published file holds the networks of all 25 levels; one network serves all levels."""
        banks = {key.partition("model.")[0] for key in state}
        levels = OFFICIAL_LEVELS[-1:] if banks == {""} else OFFICIAL_LEVELS
        first = state.get("model.0.bias", state.get("0.model.0.bias"))
        if first is None or len(banks) != len(levels):
            return {}
        return {"channels": len(first), "levels": levels}

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the authors' keys; a network that stands alone has no number there."""
        if all(key.startswith("model.") for key in state):
            state = {f"0.{key}": value for key, value in state.items()}
        return super().map_official_state(state)
