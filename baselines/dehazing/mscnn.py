"""MSCNN (Ren et al., ECCV 2016): a coarse and a fine transmission, then the inverted haze model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.dehazing.scattering_model import (
    PairedTransmission,
    airlight_of_pair,
    luminance,
    transmission_of_pair,
    windowed_maximum,
    without_haze,
)
from baselines.guided_filter import guided_filter
from ndr.layers.initialisation import initialise, start_at_zero
from ndr.method import (
    Batch,
    CheckpointError,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    read_state,
    register_method,
)

COARSE_SIZES, COARSE_WIDTHS = (11, 9, 7), (5, 5, 10)
FINE_SIZES, FINE_WIDTHS = (7, 5, 3), (6, 5, 10)
AIRLIGHT_RADIUS = 7
"""The darkest value in windows of 15 x 15 pixels is looked at."""
SMOOTHNESS_WEIGHT, FILTER_SMOOTHNESS = 0.1, 0.04
_COARSE_FILE, _FINE_FILE = "MSCNNDehazing_CL.mat", "MSCNNDehazing_FL.mat"
_RELEASE = (
    "https://github.com/rwenqi/Multi-scale-CNN-Dehazing/raw/"
    "5075ccf0fddfc36b5d535f181871df29bae2305b/dehazing_code"
)


class TransmissionNetwork(nn.Module):
    """Three times convolution, ReLU, maximum pooling, nearest up-sampling; then a weighted sum.

    The first two times a normalisation over neighbouring channels follows: x / (1 + 2e-5 s)^0.75,
    with s the sum of squares of five channels.

    Args:
        sizes: sides of the kernels.
        widths: channels of the convolutions.
    """

    def __init__(self, sizes: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, size, padding=size // 2)
            for (inputs, outputs), size in zip(pairwise((3, *widths)), sizes, strict=True)
        )
        initialise(self.layers, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
        self.combination = nn.Conv2d(widths[-1], 1, 1)
        # PyTorch divides alpha by the number of channels, MatConvNet does not.
        self.normalisation = nn.LocalResponseNorm(size=5, alpha=5 * 2e-5, beta=0.75, k=1.0)

    def forward(self, images: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Estimate a transmission.

        Args:
            images: (B, 3, H, W) with even H and W, the airlight divided out.
            coarse: (B, 1, H, W); it stands in for the last channel of the first convolution.

        Returns:
            (B, 1, H, W) in (0, 1).
        """
        features = images
        for index, convolution in enumerate(self.layers):
            features = convolution(features)
            if index == 0 and coarse is not None:
                features = torch.cat([features[:, :-1], coarse.to(features)], dim=1)
            features = F.max_pool2d(F.relu(features), 2).repeat_interleave(2, -1)
            features = features.repeat_interleave(2, -2)
            if index < len(self.layers) - 1:
                features = self.normalisation(features)
        return torch.sigmoid(self.combination(features))


@register_method
class MSCNN(Method):
    """Coarse network on the whole image; fine network that sees the coarse map too.

    Both look at the image divided by the airlight, which is per colour the largest local minimum.
    The fine transmission is drawn towards 1 where the image is far from the airlight, smoothed by
    a guided filter along the grey image, kept within limits, and the haze model is inverted.

    Args:
        coarse_widths: channels of the coarse network's convolutions.
        fine_widths: channels of the fine network's convolutions.
        coarse_guides_fine: whether the coarse map stands in for the last channel of the fine
            network's first layer. In the authors' program it does so only where its size differs
            from the channel's, which never happens: its results are those of the fine network.
        transmission_limits: lowest and highest transmission of the inversion.
        clear_init: start at transmission 1, which returns the input, for short trainings: the
            logistic function, which would reach 1 in the infinite only, is doubled and cut.

    Trained as published, in two stages, each on the squared error of its transmission: the coarse
    network in the first half of the steps, the fine one in the second, with the coarse one fixed.
    The truth comes from elsewhere: the authors render haze on indoor images with measured depth,
    here the pair of images of the suite's sets says it (`transmission_of_pair`), so that all
    methods learn from the same images; the airlight that patches are divided by is the pair's.

    Differences to the authors: odd images are padded by one pixel before the networks, where
    theirs resize the maps; the airlight is kept above 0.05, since a black image has none. The fine
    network has a filter whose place the coarse map takes. Their weights are two MATLAB files:
    `read_official_state` takes the path of the coarse one and finds the fine one beside it.
    """

    info = MethodInfo(
        name="mscnn",
        paper_label="MSCNN",
        citation="W. Ren, S. Liu, H. Zhang, J. Pan, X. Cao, M.-H. Yang, Single image dehazing via "
        "multi-scale convolutional neural networks, ECCV 2016",
        tasks=frozenset({"haze"}),
        presets={
            "smoke": {"coarse_widths": (3, 3, 4), "fine_widths": (3, 3, 4)},
            "small": {},
        },
        narrow={"transmission_limits": (0.1, 1.0), "clear_init": True},
        sizes=SizeRequirements(minimum=16, multiple_of=2),
        tiling=Tiling.DISCOURAGED,
        published_parameters=6_321 + 2_114,
        official_weights=(
            OfficialWeights(
                name="mscnn",
                url=f"{_RELEASE}/{_COARSE_FILE}",
                settings=("dehaze",),
                trained_on="NYU2 with synthetic haze",
                licence="none stated",
                sha256="c085ffa90e16bc92e2dd7e6cbe777a0fd5ab8cd41ad5c4689b417b3b55bbc42c",
                bytes=25_201,
                changes={"coarse_guides_fine": False},
            ),
        ),
        own_recipe={
            "batch": 100,
            "patch": 240,
            "learning_rate": 1e-3,
            "weight_decay": 5e-4,
            "gradient_clip_norm": None,
            "augment": (),
        },
    )

    def __init__(
        self,
        *,
        coarse_widths: Sequence[int] = COARSE_WIDTHS,
        fine_widths: Sequence[int] = FINE_WIDTHS,
        coarse_guides_fine: bool = True,
        transmission_limits: Sequence[float] = (0.1, 0.9),
        clear_init: bool = False,
    ) -> None:
        super().__init__()
        lowest, highest = transmission_limits
        if not 0 < lowest < highest <= 1:
            raise ValueError(
                "mscnn: expected transmission_limits (lowest, highest) with 0 < lowest < highest "
                f"<= 1, found {tuple(transmission_limits)}"
            )
        self.limits = (lowest, highest)
        self.coarse_guides_fine = coarse_guides_fine
        self.clear_value = 0.5 if clear_init else 1.0
        self.coarse = TransmissionNetwork(COARSE_SIZES, coarse_widths)
        self.fine = TransmissionNetwork(FINE_SIZES, fine_widths)
        if clear_init:
            start_at_zero(self.coarse.combination, self.fine.combination)

    def transmission(self, hazy: Tensor, airlight: Tensor) -> Tensor:
        """The two networks: (B, 3, H, W) with even H and W -> (B, 1, H, W) in (0, 1]."""
        balanced = hazy / airlight
        coarse = self.coarse(balanced) if self.coarse_guides_fine else None
        return (self.fine(balanced, coarse) / self.clear_value).clamp(max=1)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) with even H and W -> the same shape, not clipped."""
        airlight = airlight_of_local_minima(degraded)
        transmission = self.transmission(degraded, airlight).float()
        refined = refined_transmission(degraded.float(), transmission, airlight)
        return without_haze(degraded, refined.clamp(*self.limits), airlight)

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Squared error of the network whose turn it is; the coarse one has the first half."""
        truth = transmission_of_pair(batch.degraded, batch.clean)
        balanced = batch.degraded / airlight_of_pair(batch.degraded, batch.clean, truth)
        height, width = (size - size % 2 for size in balanced.shape[-2:])
        balanced, *parts = (
            part[..., :height, :width] for part in (balanced, truth.value, truth.weight)
        )
        truth = PairedTransmission(*parts)
        if 2 * context.step < context.total_steps:
            estimate = self.coarse(balanced) / self.clear_value
            return {"coarse_transmission": truth.distance(estimate)}
        with torch.no_grad():
            coarse = self.coarse(balanced) if self.coarse_guides_fine else None
        estimate = self.fine(balanced, coarse) / self.clear_value
        return {"fine_transmission": truth.distance(estimate)}

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The authors' program, which the published weights belong to, never joins the maps."""
        return {"coarse_guides_fine": False}

    @classmethod
    def read_official_state(cls, path: str | Path) -> Mapping[str, Tensor]:
        """Read the authors' two `.mat` files, or a PyTorch file with this class's names."""
        path = Path(path)
        if path.suffix != ".mat":
            return read_state(path)
        from baselines.dehazing.old_weight_files import read_matconvnet_layers

        fine = path.with_name(path.name.replace("_CL", "_FL"))
        if fine == path or not fine.is_file():
            raise CheckpointError(
                f"{path}: MSCNN needs two files, {_COARSE_FILE} and {_FINE_FILE}, in one folder; "
                f"give the path of the first, and take the second from {_RELEASE}/{_FINE_FILE}"
            )
        state = {}
        for network, file in (("coarse", path), ("fine", fine)):
            *layers, last = read_matconvnet_layers(file)
            named = [(f"{network}.layers.{i}", layer) for i, layer in enumerate(layers)]
            for name, (filters, biases) in [*named, (f"{network}.combination", last)]:
                # (row, column, in, out), or (1, 1, in) of the weighted sum
                weight = torch.from_numpy(filters).float()
                weight = weight[..., None] if weight.ndim == 3 else weight
                state[f"{name}.weight"] = weight.permute(3, 2, 0, 1).contiguous()
                state[f"{name}.bias"] = torch.from_numpy(biases).float().flatten()
        return state


def airlight_of_local_minima(hazy: Tensor) -> Tensor:
    """Per colour the largest of the minima of 15 x 15 windows: (B, 3, H, W) -> (B, 3, 1, 1)."""
    darkest = -windowed_maximum(-hazy, AIRLIGHT_RADIUS)
    return darkest.amax((2, 3), keepdim=True).clamp(min=0.05)


def refined_transmission(hazy: Tensor, transmission: Tensor, airlight: Tensor) -> Tensor:
    """Draw 1 / t towards 1 where the image is far from the airlight, and smooth it.

    The authors' program does so, the paper does not: 1 / t is mixed with 1, weighted by 0.1 and by
    the squared distance of the grey values, then filtered in windows of a quarter of the image.

    Args:
        hazy: (B, 3, H, W).
        transmission: (B, 1, H, W), above 0.
        airlight: (B, 3, 1, 1).

    Returns:
        (B, 1, H, W).
    """
    grey = luminance(hazy)
    distance = (grey - luminance(airlight.to(hazy))) ** 2
    inverse = (distance + SMOOTHNESS_WEIGHT / transmission) / (distance + SMOOTHNESS_WEIGHT)
    radius = max(1, min(hazy.shape[-2:]) // 8)
    return 1 / guided_filter(inverse, grey, radius, FILTER_SMOOTHNESS)
