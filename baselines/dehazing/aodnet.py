"""AOD-Net (Li et al., ICCV 2017): haze removal by one estimated map, without a transmission."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.initialisation import initialise
from ndr.method import (
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    read_state,
    register_method,
)

CHANNELS = 3
"""Width of every layer; five of them make 1,761 parameters."""


@register_method
class AODNet(Method):
    """Five convolutions estimate K; the clean image is J = K I - K + 1 (Eq. 8, b = 1).

    K joins transmission and airlight of the scattering model, so that the loss is that of the
    image. The convolutions have 1, 3, 5, 7 and 3 pixels a side; later ones see the outputs of
    several earlier ones.

    Args:
        identity_init: start at K = 1, which returns the (non-negative) input, for short trainings.

    The authors publish Caffe weights, which are read without Caffe, and train with stochastic
    gradient descent, momentum 0.9 and learning rate 1e-3 (their later PyTorch program: Adam, 1e-4);
    the suite's optimiser is Adam. Weights start normal with standard deviation 1e-3 in their file,
    where K stays near zero at first; here PyTorch's default spreads K, as in their PyTorch program.
    """

    info = MethodInfo(
        name="aodnet",
        paper_label="AODNet",
        citation="B. Li, X. Peng, Z. Wang, J. Xu, D. Feng, AOD-Net: all-in-one dehazing network, "
        "ICCV 2017",
        tasks=frozenset({"haze"}),
        narrow={"identity_init": True},
        published_parameters=1_761,
        official_weights=(
            OfficialWeights(
                name="aodnet",
                url="https://github.com/Boyiliee/AOD-Net/raw/"
                "0f1d380955cce6cee44213ebef0bdb486cefff3e/AOD_Net.caffemodel",
                settings=("dehaze",),
                trained_on="NYU2 with synthetic haze",
                licence="none stated",
                sha256="b1178b80567361a8f11ad8cce1437b5523d6aa4a536bb1ca088d06b15b2439bd",
                bytes=8_923,
            ),
        ),
        own_recipe={
            "batch": 8,
            "patch": 480,
            "learning_rate": 1e-4,
            "weight_decay": 1e-4,
            "gradient_clip_norm": 0.1,
            "schedule": "constant",
            "pixel_loss": "l2",
            "augment": (),
        },
    )

    def __init__(self, identity_init: bool = False) -> None:
        super().__init__()

        def convolution(inputs: int, size: int) -> nn.Conv2d:
            return nn.Conv2d(inputs * CHANNELS, CHANNELS, size, padding=size // 2)

        self.conv1 = convolution(1, 1)
        self.conv2 = convolution(1, 3)
        self.conv3 = convolution(2, 5)
        self.conv4 = convolution(2, 7)
        self.conv5 = convolution(4, 3)
        if identity_init:
            initialise(self.conv5, nn.init.zeros_, shift=1.0)

    def estimate(self, degraded: Tensor) -> Tensor:
        """The map K, at least 0: (B, 3, H, W) -> the same shape."""
        first = F.relu(self.conv1(degraded))
        second = F.relu(self.conv2(first))
        third = F.relu(self.conv3(torch.cat([first, second], dim=1)))
        fourth = F.relu(self.conv4(torch.cat([second, third], dim=1)))
        return F.relu(self.conv5(torch.cat([first, second, third, fourth], dim=1)))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape, at least 0."""
        estimate = self.estimate(degraded)
        return F.relu(estimate * degraded - estimate + 1)

    @classmethod
    def read_official_state(cls, path: str | Path) -> Mapping[str, Tensor]:
        """Read the authors' `.caffemodel` file, or a PyTorch file with the same layer names."""
        from baselines.dehazing.old_weight_files import read_caffe_model

        return read_caffe_model(path) if Path(path).suffix == ".caffemodel" else read_state(path)
