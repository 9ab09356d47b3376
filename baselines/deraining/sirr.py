"""SIRR (Wei et al., CVPR 2019): semi-supervised deraining of the detail layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.guided_filter import guided_filter
from ndr.layers.initialisation import initialise
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    register_method,
)

RADIUS, SMOOTHNESS = 15, 1.0
"""Of the guided filter that takes the detail off an image in [0, 1]."""
START_VARIANCES = (1e-1, 1e-2, 1e-3)
VARIANCE_FLOOR = 1e-6
NARROWEST = 0.25
"""Least variance of a component, as a share of that of the labelled rain."""
PATCH_PIXELS = 64 * 64
"""Pixels of the authors' patches, to which the weight of the total variation belongs."""


class NormalisedConvolution(nn.Module):
    """3x3 convolution, then normalisation by the statistics of what is there.

    While training that is the batch, in `eval` mode each image by itself, for the authors test
    with a batch of one and keep no running statistics.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        initialise(self.convolution, nn.init.xavier_uniform_)
        self.weight = nn.Parameter(torch.ones(channels_out))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels_out, H, W)."""
        response = self.convolution(features)
        if self.training or len(response) == 1:
            return self._normalised(response)
        return torch.cat([self._normalised(image) for image in response.split(1)])

    def _normalised(self, response: Tensor) -> Tensor:
        return F.batch_norm(response, None, None, self.weight, self.bias, training=True)


class RainMixture(nn.Module):
    """Gaussian mixture of zero mean for the values of the removed rain, followed by EM.

    One EM step per batch goes on from the mixture of the batch before; it is part of the
    checkpoint. The component that is nearest to the rain of the labelled pairs, in
    Kullback-Leibler divergence, takes over that rain's variance, and none becomes much narrower: a
    mixture of what little rain an untrained network removes would forbid it to remove more.
    """

    variances: Tensor
    shares: Tensor

    def __init__(self) -> None:
        super().__init__()
        count = len(START_VARIANCES)
        self.register_buffer("variances", torch.tensor(START_VARIANCES))
        self.register_buffer("shares", torch.full((count,), 1 / count))

    def responsibilities(self, rain: Tensor) -> Tensor:
        """Posterior of the components for each value, (n,) -> (n, components): the E step."""
        squares = rain[:, None] ** 2
        log_density = -0.5 * (math.log(2 * math.pi) + self.variances.log())
        return (
            log_density - 0.5 * squares / self.variances + self.shares.clamp(min=1e-12).log()
        ).softmax(dim=1)

    @torch.no_grad()
    def follow(self, rain: Tensor, labelled_rain: Tensor) -> None:
        """E and M step on the rain removed from unlabelled images, (n,), then the regulariser."""
        posterior = self.responsibilities(rain)
        counts = posterior.sum(dim=0)
        self.shares.copy_(counts / len(rain))
        squares = (posterior * rain[:, None] ** 2).sum(dim=0)
        energy = labelled_rain.square().mean() + VARIANCE_FLOOR
        self.variances.copy_((squares / counts.clamp(min=1e-6)).clamp(min=NARROWEST * energy))
        # KL(labelled rain || component) up to what all components share.
        divergence = self.variances.log() + energy / self.variances
        self.variances[divergence.argmin()] = energy

    def negative_log_likelihood(self, rain: Tensor) -> Tensor:
        """Expected negative log-likelihood of the removed rain (n,), without constants."""
        posterior = self.responsibilities(rain.detach())
        return (posterior * rain[:, None] ** 2 / (2 * self.variances)).sum(dim=1).mean()


def total_variation(images: Tensor) -> Tensor:
    """Sum of absolute differences of neighbours per image, as for one of the authors' patches."""
    rows = (images[..., 1:, :] - images[..., :-1, :]).abs().sum()
    columns = (images[..., 1:] - images[..., :-1]).abs().sum()
    pixels = images.shape[-2] * images.shape[-1]
    return (rows + columns) / len(images) * PATCH_PIXELS / pixels


@register_method
class SIRR(Method):
    """Residual network on what a guided filter leaves of the image; its output is added to it.

    Training: mean squared error on labelled images; on unlabelled ones the likelihood of the
    removed rain under a Gaussian mixture and the total variation of the result.

    **The unlabelled images** of this suite, which trains all methods on the same pairs, are the
    last quarter of each batch (one image at least, none of a batch of one): their clean images are
    not looked at.

    Args:
        channels: width.
        blocks: residual blocks of two convolutions.
        mixture_weight: of the negative log-likelihood (lambda_2 of the authors' code).
        variation_weight: of the total variation (lambda_3).
        zero_init_output: start at the identity by a zero last factor, for short trainings.

    Differences to the authors: their unlabelled images are real rain, which the common training
    sets do not have. The unlabelled terms are multiplied by the variance of the labelled rain, so
    that they have the unit of the squared error: without it their weights make the network leave
    all rain where labelled and unlabelled images look alike. Their Kullback-Leibler term depends
    on no weight of the network and so does nothing; here it acts on the mixture, see `RainMixture`.
    In their first epoch the mixture describes the images themselves. They publish a TensorFlow
    checkpoint, which is not read.
    """

    info = MethodInfo(
        name="sirr",
        paper_label="SIRR",
        citation="W. Wei, D. Meng, Q. Zhao, Z. Xu, Y. Wu, Semi-supervised transfer learning for "
        "image rain removal, CVPR 2019",
        tasks=frozenset({"rain"}),
        presets={"smoke": {"channels": 4, "blocks": 1}, "small": {}},
        narrow={"zero_init_output": True},
        # Statistics of a handful of pixels mean nothing.
        sizes=SizeRequirements(minimum=8),
        tiling=Tiling.DISCOURAGED,
        published_parameters=57_369,
        own_recipe={"patch": 64, "batch": 20, "learning_rate": 1e-3},
    )

    def __init__(
        self,
        channels: int = 16,
        blocks: int = 12,
        mixture_weight: float = 0.5,
        variation_weight: float = 1e-5,
        zero_init_output: bool = False,
    ) -> None:
        super().__init__()
        self.mixture_weight = mixture_weight
        self.variation_weight = variation_weight
        self.embedding = NormalisedConvolution(3, channels)
        self.blocks = nn.ModuleList(
            nn.ModuleList(NormalisedConvolution(channels, channels) for _ in range(2))
            for _ in range(blocks)
        )
        self.output = NormalisedConvolution(channels, 3)
        self.mixture = RainMixture()
        if zero_init_output:
            nn.init.zeros_(self.output.weight)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape, not clipped."""
        detail = degraded - guided_filter(degraded, degraded, RADIUS, SMOOTHNESS)
        # So few channels are fastest where those of a pixel are neighbours in memory.
        detail = detail.contiguous(memory_format=torch.channels_last)
        features = F.relu_(self.embedding(detail))
        for block in self.blocks:
            first, second = block.children()
            features = features + F.relu_(second(F.relu_(first(features))))
        return degraded + self.output(features)

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Squared error of the labelled images, mixture and variation of the unlabelled ones."""
        restored = self(batch.degraded, SideInformation()).float()
        images = len(restored)
        labelled = images - max(1, images // 4) if images > 1 else 1
        losses = {"restore": F.mse_loss(restored[:labelled], batch.clean[:labelled])}
        if labelled == images:
            return losses
        rain = (batch.degraded - restored)[labelled:].flatten()
        labelled_rain = (batch.degraded - batch.clean)[:labelled].flatten()
        self.mixture.follow(rain.detach(), labelled_rain)
        unit = labelled_rain.var()
        likelihood = self.mixture.negative_log_likelihood(rain)
        variation = total_variation(restored[labelled:])
        return {
            **losses,
            "mixture": self.mixture_weight * unit * likelihood,
            "variation": self.variation_weight * unit * variation,
        }
