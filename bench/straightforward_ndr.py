"""The networks as one would write them down first: the reference of `bench.ndr_step`.

Same parameters and same numbers as `ndr.network`, but: the CP cube is made as K outer products and
averaged, the layer norm is written by hand, attention and gate are left to the automatic gradient,
the query keeps the affinity, and features are in PyTorch's default memory format.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.transformer_block import (
    EPSILON,
    ChannelAttention,
    ChannelLayerNorm,
    GatedFeedForward,
)
from ndr.network.degradation_injection import CPConvolution
from ndr.network.degradation_query import DegradationQuery
from ndr.network.ndr_restore import NDRDegrad, NDRRestore, UNet

Network = TypeVar("Network", bound=nn.Module)


class HandWrittenLayerNorm(ChannelLayerNorm):
    """Mean and variance as tensors of their own."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalise over dimension 1."""
        pixels = features.flatten(2).transpose(1, 2)
        mean = pixels.mean(-1, keepdim=True)
        variance = pixels.var(-1, keepdim=True, unbiased=False)
        normalised = (pixels - mean) / torch.sqrt(variance + EPSILON) * self.weight
        if self.bias is not None:
            normalised = normalised + self.bias
        return normalised.transpose(1, 2).reshape(features.shape)


class TextbookAttention(ChannelAttention):
    """Normalise queries and keys, multiply, weigh the values, project."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        heads = len(self.temperature)
        query, key, value = (
            part.reshape(part.shape[0], heads, part.shape[1] // heads, -1)
            for part in self.depthwise(self.query_key_value(features)).chunk(3, dim=1)
        )
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        weights = (query @ key.transpose(-2, -1) * self.temperature).softmax(dim=-1)
        return self.project_out((weights @ value).reshape(features.shape))


class TextbookFeedForward(GatedFeedForward):
    """Gate and project by single operations."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        gate, content = self.depthwise(self.project_in(features)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * content)


class MaterialisedCPConvolution(CPConvolution):
    """K outer products, each as large as the feature map, then their mean."""

    def cube(self, features: Tensor, offset: float = 0.0) -> Tensor:
        """Mean of K outer products, plus `offset`: (B, C, H, W)."""
        batch, channels, height, width = features.shape
        along_channels = self.channel_projection(features.mean(dim=(2, 3))).sigmoid()
        along_height = self.height_projection(features.mean(dim=3).transpose(1, 2)).sigmoid()
        along_width = self.width_projection(features.mean(dim=2).transpose(1, 2)).sigmoid()
        products = (
            along_channels.reshape(batch, self.rank, channels, 1, 1)
            * along_height.transpose(1, 2).reshape(batch, self.rank, 1, height, 1)
            * along_width.transpose(1, 2).reshape(batch, self.rank, 1, 1, width)
        )
        return products.mean(dim=1) + offset

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        cube = self.cube(features)
        if not self.multiplies_input:
            return cube
        product = features * cube
        return features + product if self.residual else product


class TextbookQuery(DegradationQuery):
    """Products, softmax, weighted sum, in the paper's order."""

    forward = DegradationQuery.as_written


class DefaultFormat(UNet):
    """Features in the memory format of the image."""

    def encode(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features of the three skips, from full size down, and of the bottom."""
        features = self.extractor(self.head.enter(image).contiguous())
        skips = []
        for encoder, downsampling in zip(self.encoders, self.downsamplings, strict=True):
            features = encoder(features)
            skips.append(features)
            features = downsampling(features)
        return skips, self.bottom(features)


class StraightforwardRestore(DefaultFormat, NDRRestore):
    """NDR-Restore in the default memory format."""


class StraightforwardDegrad(DefaultFormat, NDRDegrad):
    """NDR-Degrad in the default memory format."""


COUNTERPARTS: dict[type[nn.Module], type[nn.Module]] = {
    ChannelLayerNorm: HandWrittenLayerNorm,
    ChannelAttention: TextbookAttention,
    GatedFeedForward: TextbookFeedForward,
    CPConvolution: MaterialisedCPConvolution,
    DegradationQuery: TextbookQuery,
    NDRRestore: StraightforwardRestore,
    NDRDegrad: StraightforwardDegrad,
}


def straightforward(network: Network) -> Network:
    """Copy a network with the weights it has, and the straightforward forward passes.

    The counterparts add no attribute, only another `forward`; so a copy can change its class.
    """
    network = copy.deepcopy(network)
    for module in network.modules():
        if type(module) in COUNTERPARTS:
            module.__class__ = COUNTERPARTS[type(module)]
    return network
