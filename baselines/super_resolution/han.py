"""HAN (Niu et al., ECCV 2020): RCAN's body with attention over layers and over positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.super_resolution.residual_groups import (
    SHORT_TRAINING,
    STEP_RECIPE,
    MeanShiftedNetwork,
    convolution,
    residual_groups,
    shuffling_tail,
)
from ndr.method import MethodInfo, OfficialWeights, Tiling, register_method


class LayerAttention(nn.Module):
    """Adds to each layer's features a mixture of all layers' (layer attention module).

    The weights are the softmax of the largest inner product of the layer minus the product: layers
    that differ most count most. `gamma` starts at zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, layers: Tensor) -> Tensor:
        """(B, N, C, H, W), the features of N layers -> (B, N * C, H, W)."""
        vectors = layers.flatten(2)
        products = vectors @ vectors.transpose(1, 2)
        distances = products.amax(dim=-1, keepdim=True) - products
        mixed = (distances.softmax(dim=-1) @ vectors).reshape(layers.shape)
        return (self.gamma * mixed + layers).flatten(1, 2)


class PositionAttention(nn.Module):
    """Weighs each position of each channel by its neighbours (channel-spatial attention module).

    A 3x3x3 convolution runs over channels, rows and columns. `gamma` starts at zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 1, 3, padding=1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        weights = self.conv(features[:, None]).sigmoid()[:, 0]
        return features + features * (self.gamma * weights)


@register_method
class HAN(MeanShiftedNetwork):
    """The outputs of all groups, weighed, join the last one's before the pixel shuffle.

    Table IV prints HAN+, where an image is restored in its eight flips and rotations and the mean
    is taken: the evaluation's `self_ensemble`, which works for every method.

    Args:
        channels: width.
        groups: residual groups.
        blocks: attention blocks in each group.
        reduction: channels over those inside the channel attention.
        image_range: value of white inside the network.
        start_at_bicubic: add the enlarged input and start with a zero last layer, for short
            trainings; the authors' network does neither.

    Differences to the authors: none in the network, whose 15,924,057 parameters include the 24 of
    the mean colours. They start from RCAN's weights; here training starts from random ones. The
    paper minimises L1, the default of the code is the squared error.
    """

    info = MethodInfo(
        name="han",
        paper_label="HAN+",
        citation="B. Niu, W. Wen, W. Ren, X. Zhang, L. Yang, S. Wang, K. Zhang, X. Cao, H. Shen, "
        "Single image super-resolution via a holistic attention network, ECCV 2020",
        tasks=frozenset({"down_x2"}),
        presets={
            "smoke": {"channels": 4, "groups": 2, "blocks": 1, "reduction": 2},
            "small": {"channels": 48, "groups": 4, "blocks": 5},
        },
        narrow=SHORT_TRAINING,
        # Both the layers' and the channels' attention are statistics of the whole image.
        tiling=Tiling.DISCOURAGED,
        scale=2,
        published_parameters=15_924_057,
        official_weights=(
            OfficialWeights(
                name="han_bix2",
                # A folder of all scales; the file is HAN_BIX2.pt.
                url="https://drive.google.com/drive/folders/17cLcPCDLuBV5_5-ngd0vXIDp6rebIMG1",
                settings=("sr_x2",),
                protocol="sr_y",
                licence="Apache-2.0 (code)",
            ),
        ),
        own_recipe={**STEP_RECIPE, "steps": 400_000, "milestones": (200_000,)},
    )
    trains_channels_last = True

    official_names = (
        (r"^la\.", "layer_attention."),
        (r"^csa\.", "position_attention."),
        (r"^last_conv\.", "layer_fusion."),
        (r"^last\.", "fusion."),
        (r"\.conv_du\.", ".gate."),
    )

    def __init__(
        self,
        *,
        channels: int = 64,
        groups: int = 10,
        blocks: int = 20,
        reduction: int = 16,
        image_range: float = 255.0,
        start_at_bicubic: bool = False,
    ) -> None:
        super().__init__(image_range=image_range, add_bicubic=start_at_bicubic, learned_shift=True)
        self.head = nn.Sequential(convolution(3, channels))
        self.body = residual_groups(channels, groups, blocks, reduction)
        self.layer_attention = LayerAttention()
        self.layer_fusion = convolution(channels * (groups + 1), channels)
        self.position_attention = PositionAttention()
        self.fusion = convolution(2 * channels, channels)
        self.tail = shuffling_tail(channels)
        self.start_at_bicubic_interpolation(self.tail[-1])

    def enlarge(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, 2 H, 2 W), both around zero."""
        first = features = self.head(image)
        layers = []
        for part in self.body:
            features = part(features)
            layers.append(features)
        # The authors stack the deepest layer first; the weights of the fusion follow that.
        mixed = self.layer_fusion(self.layer_attention(torch.stack(layers[::-1], dim=1)))
        joined = torch.cat([self.position_attention(features), mixed], dim=1)
        return self.tail(first + self.fusion(joined))
