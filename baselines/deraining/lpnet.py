"""LPNet (Fu et al., TNNLS 2019): tiny recursive networks on the levels of a Laplacian pyramid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.loss_terms import WINDOW, structural_similarity
from ndr.layers.initialisation import initialise, start_at_zero
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

LEVELS = 5
BLUR = (0.0625, 0.25, 0.375, 0.25, 0.0625)
"""Burt and Adelson's filter, which stands for a Gaussian."""


def halved(images: Tensor) -> Tensor:
    """Blur and take every other pixel: (B, C, H, W), even H and W -> (B, C, H / 2, W / 2).

    Zeros surround the image, one pixel before and two behind it, as in the authors' framework.
    """
    channels = images.shape[1]
    return F.conv2d(F.pad(images, (1, 2, 1, 2)), _kernel(images), stride=2, groups=channels)


def doubled(images: Tensor) -> Tensor:
    """Adjoint of `halved` times four: (B, C, H, W) -> (B, C, 2 * H, 2 * W)."""
    channels = images.shape[1]
    wide = F.conv_transpose2d(images, 4 * _kernel(images), stride=2, padding=1, groups=channels)
    return wide[..., :-1, :-1]


def _kernel(images: Tensor) -> Tensor:
    blur = torch.tensor(BLUR, dtype=images.dtype, device=images.device)
    return torch.outer(blur, blur).expand(images.shape[1], 1, -1, -1)


def laplacian_pyramid(images: Tensor) -> list[Tensor]:
    """Split (B, C, H, W) into what each halving loses, and the rest; the smallest level first."""
    levels = []
    for _ in range(LEVELS - 1):
        low = halved(images)
        levels.append(images - doubled(low))
        images = low
    return [images, *reversed(levels)]


def gaussian_pyramid(images: Tensor) -> list[Tensor]:
    """The image, and its halvings; the smallest level first."""
    levels = [images]
    for _ in range(LEVELS - 1):
        levels.append(halved(levels[-1]))
    return levels[::-1]


class LevelNetwork(nn.Module):
    """Network of one level: a block of three convolutions that runs several times.

    Args:
        channels: of the hidden features.
        recursions: how often the block runs; each time its first input is added.
        zero_init_output: start at the identity.
    """

    def __init__(self, channels: int, recursions: int, zero_init_output: bool) -> None:
        super().__init__()
        self.recursions = recursions
        # Which order of memory is fast depends on the width: measured at 320x480 on a processor.
        self.memory_format = torch.channels_last if channels >= 8 else torch.contiguous_format
        self.embedding = nn.Conv2d(3, channels, 3, padding=1)
        self.block = nn.ModuleList(
            nn.Conv2d(channels, channels, size, padding=size // 2) for size in (3, 1, 3)
        )
        self.output = nn.Conv2d(channels, 3, 1)
        initialise(self, nn.init.xavier_normal_)
        if zero_init_output:
            start_at_zero(self.output)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> the same shape."""
        images = images.contiguous(memory_format=self.memory_format)
        features = start = F.leaky_relu(self.embedding(images), 0.2, inplace=True)
        for _ in range(self.recursions):
            for layer in self.block:
                features = F.leaky_relu(layer(features), 0.2, inplace=True)
            features = features + start
        return images + self.output(features)


@register_method
class LPNet(Method):
    """Derain each level of the Laplacian pyramid, and put the levels together again.

    The smallest level comes first; the derained image of one level is doubled and added to the
    next, and no image is below 0. The finest level's network is the widest, each coarser one has
    half its width.

    Args:
        channels: width at the finest level, at least 16 for five levels of half the width each.
        recursions: of the block that all layers of a level share.
        zero_init_output: start at the identity by zero last layers, for short trainings.

    Loss: mean absolute error at every level, against the Gaussian pyramid of the clean image, and
    (1 - SSIM) / 2 at the two finest. The first is the run's pixel loss here.

    Differences to the authors: the L2 regulariser that their code creates is never added to their
    loss, and is left out; sides must be multiples of 16. Their TensorFlow checkpoints
    (`heavy_model`, `light_model`) are not read.

    Raises:
        ValueError: fewer than 16 channels.
    """

    info = MethodInfo(
        name="lpnet",
        paper_label="LPNet",
        citation="X. Fu, B. Liang, Y. Huang, X. Ding, J. Paisley, Lightweight pyramid networks for "
        "image deraining, IEEE TNNLS 31(6), 2020",
        tasks=frozenset({"rain"}),
        presets={"smoke": {"recursions": 1}, "small": {}},
        narrow={"zero_init_output": True},
        sizes=SizeRequirements(minimum=16, multiple_of=16),
        # The pyramid's grid of 16 pixels starts where the tile does.
        tiling=Tiling.DISCOURAGED,
        published_parameters=7_548,
        own_recipe={"patch": 80, "batch": 10, "learning_rate": 1e-4},
    )

    def __init__(
        self, channels: int = 16, recursions: int = 5, zero_init_output: bool = False
    ) -> None:
        super().__init__()
        if channels < 2 ** (LEVELS - 1):
            raise ValueError(f"lpnet: expected at least 16 channels, found {channels}")
        self.networks = nn.ModuleList(
            LevelNetwork(channels // 2**level, recursions, zero_init_output)
            for level in reversed(range(LEVELS))
        )

    def restored_pyramid(self, degraded: Tensor) -> list[Tensor]:
        """Derained image at each level, the smallest first."""
        levels = laplacian_pyramid(degraded.contiguous(memory_format=torch.channels_last))
        restored = [F.relu(self.networks[0](levels[0]))]
        for network, level in zip(self.networks[1:], levels[1:], strict=True):
            restored.append(F.relu(network(level) + doubled(restored[-1])))
        return restored

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 16 -> the same shape, at least 0."""
        return self.restored_pyramid(degraded)[-1]

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Pixel losses of all levels, and the structural ones of the two finest.

        Raises:
            ValueError: patches whose second level is smaller than the window of SSIM.
        """
        if min(batch.clean.shape[-2:]) < 2 * WINDOW:
            raise ValueError(
                f"lpnet: its SSIM loss needs patches of at least {2 * WINDOW} pixels, found "
                f"{tuple(batch.clean.shape[-2:])}; raise recipe.patch"
            )
        levels = list(
            zip(self.restored_pyramid(batch.degraded), gaussian_pyramid(batch.clean), strict=True)
        )
        pixels = torch.stack([context.pixel_loss(restored, clean) for restored, clean in levels])
        structures = [(1 - structural_similarity(*images)) / 2 for images in levels[-2:]]
        return {"pixels": pixels.sum(), "structure": structures[0] + structures[1]}
