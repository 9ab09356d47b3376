"""DnCNN (Zhang et al., TIP 2017): blind colour denoising by predicting the noise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.initialisation import initialise, start_at_zero
from ndr.method import Method, MethodInfo, OfficialWeights, SideInformation, register_method


class NormalisedConvolution(nn.Conv2d):
    """3x3 convolution with batch normalisation between its weight and its bias.

    While training, the outputs of a batch are normalised by their own mean and variance, and the
    running estimates follow. In `eval` mode the running estimates are merged into weight and bias,
    so that inference costs one plain convolution.

    The learned factor of batch normalisation is left out: a ReLU passes a positive factor on, and
    the next convolution takes it up. So the layer has as many parameters as a plain convolution,
    and merging loses nothing.
    """

    momentum = 0.1
    epsilon = 1e-4

    bias: nn.Parameter
    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.register_buffer("running_mean", torch.zeros(channels_out))
        self.register_buffer("running_variance", torch.ones(channels_out))

    def merged(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the plain convolution that equals this layer in `eval` mode."""
        factor = (self.running_variance + self.epsilon).rsqrt()
        return self.weight * factor[:, None, None, None], self.bias - self.running_mean * factor

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels_out, H, W)."""
        if not self.training:
            weight, bias = self.merged()
            return F.conv2d(features, weight, bias, padding=1)
        response = F.conv2d(features, self.weight, padding=1)
        normalised = F.batch_norm(
            response,
            self.running_mean,
            self.running_variance,
            training=True,
            momentum=self.momentum,
            eps=self.epsilon,
        )
        return normalised + self.bias[:, None, None]


@register_method
class DnCNN(Method):
    """Plain stack of 3x3 convolutions and ReLUs; its output, the noise, is subtracted.

    The authors train with batch normalisation after all but the first and the last convolution,
    and publish the weights with it merged. Here the option `batch_norm` chooses the form; both
    have the same number of parameters, and `merged` turns the first into the second.

    Args:
        channels: width of the hidden layers.
        depth: number of convolutions, at least 3.
        batch_norm: normalise while training. Off: the published, merged form.
        zero_init_output: start at the identity by a zero last layer, for short trainings.

    Differences to the authors: the factor of batch normalisation is left out (see
    `NormalisedConvolution`); weights start after He et al. as in the paper, where the authors'
    later PyTorch code draws orthogonal ones; noise levels are those of the training data, not
    [0, 55].
    """

    info = MethodInfo(
        name="dncnn",
        paper_label="DnCNN",
        citation="K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, Beyond a Gaussian denoiser: "
        "residual learning of deep CNN for image denoising, IEEE TIP 26(7), 2017",
        tasks=frozenset({"noise"}),
        # In the seconds of `quick` the running estimates lag behind the weights: the plain form
        # learns 0.4 to 1 dB more.
        presets={
            "smoke": {"channels": 8, "depth": 4},
            "small": {"channels": 64, "depth": 12},
        },
        narrow={"zero_init_output": True},
        published_parameters=668_227,
        official_weights=(
            OfficialWeights(
                name="dncnn_color_blind",
                url="https://github.com/cszn/KAIR/releases/download/v1.0/dncnn_color_blind.pth",
                settings=("denoise",),
                noise_variant="float_noclip",
                noise_seeding="zero_per_image",
                protocol="rgb_uint8",
                licence="MIT",
                changes={"batch_norm": False},
            ),
        ),
    )
    trains_channels_last = True

    def __init__(
        self,
        channels: int = 64,
        depth: int = 20,
        batch_norm: bool = True,
        zero_init_output: bool = False,
    ) -> None:
        super().__init__()
        if depth < 3:
            raise ValueError(f"dncnn: expected a depth of at least 3, found {depth}")
        self.channels, self.depth = channels, depth
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            if batch_norm:
                layers.append(NormalisedConvolution(channels, channels))
            else:
                layers.append(nn.Conv2d(channels, channels, 3, padding=1))
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Conv2d(channels, 3, 3, padding=1))
        # The authors' key names are `model.<position>.weight` and `.bias`.
        self.model = nn.Sequential(*layers)
        initialise(self.model, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
        if zero_init_output:
            start_at_zero(self.model[-1])

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The published checkpoints have no running statistics: they are merged."""
        return {"batch_norm": any(key.endswith("running_mean") for key in state)}

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape, not clipped."""
        return degraded - self.model(degraded)

    @torch.no_grad()
    def merged(self) -> Self:
        """Copy in the published form, without normalisation; equal to this network in `eval`."""
        plain = type(self)(self.channels, self.depth, batch_norm=False)
        plain.to(next(self.parameters()))
        for source, target in zip(self.model, plain.model, strict=True):
            state = source.state_dict()
            if isinstance(source, NormalisedConvolution):
                state = dict(zip(("weight", "bias"), source.merged(), strict=True))
            target.load_state_dict(state)
        return plain.train(self.training)
