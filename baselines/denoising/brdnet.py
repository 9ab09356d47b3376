"""BRDNet (Tian, Xu, Zuo, Neural Networks 2020): two branches with batch renormalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.initialisation import initialise, start_at_zero
from ndr.method import Method, MethodInfo, SideInformation, parameter_count, register_method


class BatchRenormalisation(nn.Module):
    """Batch normalisation that moves towards the running statistics while training (Ioffe, 2017).

    The features are normalised by the mean and deviation of the batch, then scaled and shifted so
    that, within limits, they are what the running statistics would have made of them:

        y = gamma ((x - mean) / deviation * r + d) + beta
        r = deviation / running deviation,         clipped to [1 / r_max, r_max]
        d = (mean - running mean) / running deviation, clipped to [-d_max, d_max]

    No gradient flows through r and d. The limits open with each batch, t = `rate` * batches:

        r_max = R / (1 + (R - 1) exp(-t)),  d_max = D / (1 + (D / 0.001 - 1) exp(-2 t))

    with R = 3 and D = 5, from plain batch normalisation (1 and 0.001) on. In `eval` mode the
    running statistics alone count.

    Args:
        channels: of the features.
        momentum: share of the running statistics that a batch leaves.
        rate: by how much t grows with a batch.

    Differences to the authors' Keras layer: that reads its limits once, while the graph is built,
    and so keeps r = 1 and d = 0 for ever; and it adds epsilon to the running variance twice.
    """

    r_limit, d_limit, d_start = 3.0, 5.0, 1e-3
    epsilon = 1e-3

    running_mean: Tensor
    running_variance: Tensor
    batches: Tensor

    def __init__(self, channels: int, momentum: float, rate: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.rate = rate
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self.register_buffer("batches", torch.zeros(()))

    def limits(self) -> tuple[Tensor, Tensor]:
        """r_max and d_max for the next batch, both of shape ()."""
        t = self.rate * self.batches
        r_max = self.r_limit / (1 + (self.r_limit - 1) * torch.exp(-t))
        d_max = self.d_limit / (1 + (self.d_limit / self.d_start - 1) * torch.exp(-2 * t))
        return r_max, d_max

    @torch.no_grad()
    def _correction(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The factor r and the shift d of this batch, (C,); the running statistics follow it."""
        variance, mean = torch.var_mean(
            features.to(self.running_mean.dtype), dim=(0, 2, 3), correction=0
        )
        running_deviation = (self.running_variance + self.epsilon).sqrt()
        r_max, d_max = self.limits()
        r = ((variance + self.epsilon).sqrt() / running_deviation).clamp(1 / r_max, r_max)
        d = ((mean - self.running_mean) / running_deviation).clamp(-d_max, d_max)
        self.running_mean.lerp_(mean, 1 - self.momentum)
        self.running_variance.lerp_(variance, 1 - self.momentum)
        self.batches += 1
        return r, d

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        if not self.training:
            return F.batch_norm(
                features,
                self.running_mean,
                self.running_variance,
                self.weight,
                self.bias,
                eps=self.epsilon,
            )
        r, d = self._correction(features)
        # The correction stands where the factor and the shift do: one pass over the features.
        factor, shift = self.weight * r, self.weight * d + self.bias
        return F.batch_norm(features, None, None, factor, shift, training=True, eps=self.epsilon)


@register_method
class BRDNet(Method):
    """Two networks that each predict the noise, one with dilation, and a layer that joins them.

    Upper branch: convolutions with batch renormalisation. Lower branch: two runs of convolutions
    with dilation 2 and no normalisation, enclosed by convolutions with it. Each branch ends in an
    image, and one convolution predicts the noise from both images.

    Args:
        channels: width of the hidden layers.
        depth: convolutions of each branch, at least 6.
        momentum: of the running statistics, see `BatchRenormalisation`.
        renormalisation_rate: how fast the limits open, see `BatchRenormalisation`.
        zero_init_output: start at the identity by a zero last layer, for short trainings.

    The published size, 1,115,051, counts the convolutions; the normalisation has 2,432 more.

    Differences to the authors: see `BatchRenormalisation`; noise levels are those of the training
    data, where they train a network for each. They publish Keras files (`model_50.h5`), one per
    level, which this suite does not read.

    Raises:
        ValueError: a depth below 6.
    """

    info = MethodInfo(
        name="brdnet",
        paper_label="BRDNet",
        citation="C. Tian, Y. Xu, W. Zuo, Image denoising using deep CNN with batch "
        "renormalization, Neural Networks 121, 2020",
        tasks=frozenset({"noise"}),
        # Hundreds of steps at `quick`: statistics and limits have to move faster to arrive.
        presets={
            "smoke": {"channels": 8, "depth": 6},
            "small": {"channels": 48, "depth": 12, "renormalisation_rate": 0.002},
        },
        narrow={"zero_init_output": True},
        published_parameters=1_115_051,
        own_recipe={"pixel_loss": "l2", "patch": 50, "batch": 20, "learning_rate": 1e-3},
    )
    trains_channels_last = True

    def __init__(
        self,
        channels: int = 64,
        depth: int = 17,
        momentum: float = 0.99,
        renormalisation_rate: float = 1e-3,
        zero_init_output: bool = False,
    ) -> None:
        super().__init__()
        if depth < 6:
            raise ValueError(f"brdnet: expected a depth of at least 6, found {depth}")

        def hidden(count: int, dilation: int = 1, width_in: int = channels) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for index in range(count):
                width = channels if index else width_in
                layers.append(nn.Conv2d(width, channels, 3, padding=dilation, dilation=dilation))
                if dilation == 1:
                    layers.append(BatchRenormalisation(channels, momentum, renormalisation_rate))
                layers.append(nn.ReLU(inplace=True))
            return layers

        dilated = depth - 4
        self.upper = nn.Sequential(
            *hidden(depth - 1, width_in=3), nn.Conv2d(channels, 3, 3, padding=1)
        )
        self.lower = nn.Sequential(
            *hidden(1, width_in=3),
            *hidden(dilated - dilated // 2, dilation=2),
            *hidden(1),
            *hidden(dilated // 2, dilation=2),
            *hidden(1),
            nn.Conv2d(channels, 3, 3, padding=1),
        )
        self.fusion = nn.Conv2d(6, 3, 3, padding=1)
        initialise(self, nn.init.xavier_uniform_)
        if zero_init_output:
            start_at_zero(self.fusion)

    def counted_parameters(self) -> int:
        """Size of the convolutions, as the literature counts it."""
        return sum(parameter_count(m) for m in self.modules() if isinstance(m, nn.Conv2d))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape, not clipped."""
        images = torch.cat(
            [degraded - self.upper(degraded), degraded - self.lower(degraded)], dim=1
        )
        return degraded - self.fusion(images)
