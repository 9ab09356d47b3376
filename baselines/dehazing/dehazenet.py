"""DehazeNet (Cai et al., TIP 2016): a transmission by a network, then the inverted haze model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from baselines.dehazing.scattering_model import (
    luminance,
    symmetric_padding,
    transmission_of_pair,
    windowed_maximum,
    without_haze,
)
from baselines.guided_filter import guided_filter
from ndr.layers.initialisation import initialise
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

MAXOUT_PIECES = 4
SCALES = (3, 5, 7)
EXTREMUM_RADIUS = 3
REGRESSION_SIZE = 6
HAZIEST_SHARE = 0.01
"""Share of pixels, those of lowest transmission, among which the airlight is looked for."""
FILTER_RADIUS, FILTER_SMOOTHNESS = 50, 1e-3


@register_method
class DehazeNet(Method):
    """Maxout features, convolutions of three sizes, local maxima, and a bilaterally cut regression.

    The transmission is smoothed by a guided filter along the grey image; the airlight is the
    colour of the brightest of the haziest hundredth of the pixels.

    Args:
        pieces: filters of the first layer per maxout unit; there are four units.
        mapping: filters per size in the second layer.
        transmission_floor: lowest transmission that the haze model is inverted with.
        clear_init: start at transmission 1, which returns the input, for short trainings.

    Trained as published, on the squared error of the transmission. Its truth comes from elsewhere:
    the authors lay constant random haze of white airlight on clear patches of 16x16 pixels, here
    the pair of images of the suite's sets says it (`transmission_of_pair`), so that all methods
    learn from the same images.

    Differences to the authors: the loss sees the regression before it is cut to [0, 1], since the
    cut lets no gradient through where it acts; they divide by the transmission without a floor;
    their filter supposes images larger than 100 pixels, where smaller ones work here too.
    """

    info = MethodInfo(
        name="dehazenet",
        paper_label="DehazeNet",
        citation="B. Cai, X. Xu, K. Jia, C. Qing, D. Tao, DehazeNet: an end-to-end system for "
        "single image haze removal, IEEE TIP 25(11), 2016",
        tasks=frozenset({"haze"}),
        presets={
            "smoke": {"pieces": 2, "mapping": 3},
            "small": {},
        },
        narrow={"clear_init": True},
        sizes=SizeRequirements(minimum=8),
        tiling=Tiling.DISCOURAGED,
        published_parameters=8_305,
        official_weights=(
            OfficialWeights(
                name="dehazenet",
                url="https://github.com/caibolun/DehazeNet/raw/"
                "86f8b7359621654dce8d6fded8f38888b3c22c3e/dehaze.mat",
                settings=("dehaze",),
                trained_on="patches with synthetic haze",
                licence="none stated",
                sha256="1a8b2d928edc3fb9992f4a598002cc87897fcbda003510583bdab1008e44b602",
                bytes=31_902,
            ),
        ),
        own_recipe={
            "steps": 500_000,
            "batch": 128,
            "patch": 16,
            "learning_rate": 5e-3,
            "milestones": (100_000, 200_000, 300_000, 400_000),
            "augment": (),
        },
    )
    trains_channels_last = True

    official_names = (
        (r"^conv1\.", "features."),
        (r"^conv3x3\.", "mapping.0."),
        (r"^conv5x5\.", "mapping.1."),
        (r"^conv7x7\.", "mapping.2."),
        (r"^ip\.", "regression."),
    )

    def __init__(
        self,
        *,
        pieces: int = MAXOUT_PIECES,
        mapping: int = 16,
        transmission_floor: float = 0.05,
        clear_init: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < transmission_floor <= 1:
            raise ValueError(
                f"dehazenet: expected a transmission_floor in (0, 1], found {transmission_floor}"
            )
        self.transmission_floor = transmission_floor
        units = 4
        self.features = nn.Conv2d(3, units * pieces, 5)
        self.mapping = nn.ModuleList(nn.Conv2d(units, mapping, size) for size in SCALES)
        self.regression = nn.Conv2d(len(SCALES) * mapping, 1, REGRESSION_SIZE)
        self.pieces = pieces
        for layers, start in ((self.features, 0.0), (self.mapping, 0.0), (self.regression, 0.5)):
            initialise(layers, _draw, start)
        if clear_init:
            initialise(self.regression, nn.init.zeros_, shift=1.0)

    def transmission(self, hazy: Tensor) -> Tensor:
        """Bilateral ReLU of the regression: (B, 3, H, W) -> (B, 1, H, W) in [0, 1]."""
        return self.regressed(hazy).clamp(0, 1)

    def regressed(self, hazy: Tensor) -> Tensor:
        """The network before its last cut: (B, 3, H, W), at least 8 pixels a side -> (B, 1, H, W).

        The maximum of a window at the border is that of its part inside of the image.
        """
        features = self.features(symmetric_padding(hazy - 0.5, 2, 2))
        features = features.unflatten(1, (-1, self.pieces)).amax(2)
        mapped = torch.cat(
            [
                convolution(symmetric_padding(features, size // 2, size // 2))
                for convolution, size in zip(self.mapping, SCALES, strict=True)
            ],
            dim=1,
        )
        extremum = windowed_maximum(mapped, EXTREMUM_RADIUS)
        # An even kernel has no centre: MATLAB's filter reaches further to the right and down.
        return self.regression(symmetric_padding(extremum, 2, 3))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), at least 8 pixels a side -> the same shape, not clipped."""
        transmission = self.transmission(degraded).float()
        airlight = airlight_of_haziest(degraded, transmission)
        smooth = guided_filter(transmission, luminance(degraded), FILTER_RADIUS, FILTER_SMOOTHNESS)
        return without_haze(degraded, smooth.clamp(min=self.transmission_floor), airlight)

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Squared error of the transmission before the cut, weighted as the pair fixes it."""
        truth = transmission_of_pair(batch.degraded, batch.clean)
        return {"transmission": truth.distance(self.regressed(batch.degraded))}

    @classmethod
    def read_official_state(cls, path: str | Path) -> Mapping[str, Tensor]:
        """Read the authors' `dehaze.mat`, or a PyTorch file with this class's names.

        MATLAB keeps a filter's pixels column by column.
        """
        if Path(path).suffix != ".mat":
            return read_state(path)
        from baselines.dehazing.old_weight_files import read_matlab_arrays

        state = {}
        for key, array in read_matlab_arrays(path).items():
            kind, _, name = key.partition("_")
            values = torch.from_numpy(array).float()
            if kind == "biases":
                state[f"{name}.bias"] = values.flatten()
            elif kind == "weights" and values.ndim in (2, 3):
                inputs, pixels = values.shape[:2]
                side = math.isqrt(pixels)
                # (in, column, row, out) -> (out, in, row, column)
                state[f"{name}.weight"] = values.reshape(inputs, side, side, -1).permute(3, 0, 2, 1)
            else:
                raise CheckpointError(f"{path}: expected weights_* and biases_*, found {key!r}")
        return {key: value.contiguous() for key, value in state.items()}


def _draw(weight: Tensor) -> None:
    """Normal, with the deviation that keeps the variance of what a filter sees."""
    nn.init.normal_(weight, std=weight[0].numel() ** -0.5)


def airlight_of_haziest(hazy: Tensor, transmission: Tensor) -> Tensor:
    """Mean colour of the brightest pixels among the haziest hundredth of each image.

    Args:
        hazy: (B, 3, H, W).
        transmission: (B, 1, H, W).

    Returns:
        (B, 3, 1, 1).
    """
    grey = luminance(hazy).flatten(1)
    values = transmission.flatten(1).to(grey)
    count = max(1, math.floor(HAZIEST_SHARE * values.shape[1] + 0.5))
    highest = values.kthvalue(count, dim=1, keepdim=True).values
    candidates = grey.masked_fill(values > highest, -torch.inf)
    chosen = (candidates >= candidates.amax(1, keepdim=True)).to(hazy)[:, None]
    colour = (hazy.flatten(2) * chosen).sum(2) / chosen.sum(2)
    return colour[:, :, None, None]
