"""Degradation query: which of the vectors in D explain the degradation of each pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.network.variant import Variant


class DegradationQuery(nn.Module):
    """Approximate the degradation U of a feature map F by the vectors of D (Eq. 1 to 3).

    S = softmax over N of (map(F) . D) is the affinity of each pixel to each vector, and
    U = project(sum over N of S D).

    Both products are with a D that is the same for all pixels, so `forward` multiplies it with the
    1x1 convolutions on either side first: a pixel is mapped to its N products and back from its N
    shares at once, and no map of M channels exists. At M = 128 this is a twelfth of the
    arithmetic. `as_written` follows the paper's order; what a query costs is counted by it.

    The paper has one 1x1 convolution on either side. The public code maps F by a 3x3 convolution to
    the width of U and then by a 1x1 convolution to M, has a learned temperature in the softmax, and
    projects the sum by two 1x1 convolutions.

    F has `width` channels, U `degradation_width`, and D vectors of M = `dimension` numbers.
    """

    def __init__(
        self, width: int, degradation_width: int, dimension: int, variant: Variant
    ) -> None:
        super().__init__()
        kernel = variant.mapping_kernel
        if variant.narrow_query:
            self.mapping = nn.Sequential(
                nn.Conv2d(width, degradation_width, kernel, padding=kernel // 2, bias=False),
                nn.Conv2d(degradation_width, dimension, 1),
            )
            self.projection = nn.Sequential(
                nn.Conv2d(dimension, degradation_width, 1),
                nn.Conv2d(degradation_width, degradation_width, 1),
            )
        else:
            self.mapping = nn.Sequential(nn.Conv2d(width, dimension, kernel, padding=kernel // 2))
            self.projection = nn.Sequential(nn.Conv2d(dimension, degradation_width, 1))
        self.temperature = nn.Parameter(torch.ones(1)) if variant.query_temperature else None

    def _keys(self, vectors: Tensor) -> Tensor:
        return vectors if self.temperature is None else vectors * self.temperature

    def _shares(self, features: Tensor, vectors: Tensor) -> Tensor:
        """S, (B, H, W, N), in the precision of D: products reach tens, which bfloat16 rounds."""
        *before, last = _convolutions(self.mapping)
        for layer in before:
            features = layer(features)
        pixels = features.permute(0, 2, 3, 1).to(vectors.dtype)
        with torch.autocast(vectors.device.type, enabled=False):
            keys, (weight, bias) = self._keys(vectors), _weight_and_bias(last)
            return F.linear(pixels, keys @ weight, keys @ bias).softmax(dim=-1)

    def forward(self, features: Tensor, vectors: Tensor) -> Tensor:
        """U, (B, degradation_width, H, W), from F (B, C, H, W) and D (N, M).

        The affinity is not kept.
        """
        shares = self._shares(features, vectors)
        with torch.autocast(vectors.device.type, enabled=False):
            # The shares of a pixel sum to one, so an offset of all vectors is one of U.
            projected, offset = vectors.T, torch.zeros_like(vectors[0])
            for layer in _convolutions(self.projection):
                weight, bias = _weight_and_bias(layer)
                projected, offset = weight @ projected, weight @ offset + bias
            return F.linear(shares, projected, offset).permute(0, 3, 1, 2)

    def as_written(self, features: Tensor, vectors: Tensor) -> Tensor:
        """What `forward` returns, in the order of Eq. 1 to 3."""
        queries = self.mapping(features).permute(0, 2, 3, 1)
        shares = (queries @ self._keys(vectors).T).softmax(dim=-1)
        return self.projection((shares @ vectors).permute(0, 3, 1, 2))

    def affinity(self, features: Tensor, vectors: Tensor) -> Tensor:
        """S, (B, N, H, W): the weights that `forward` uses; they sum to one over N."""
        return self._shares(features, vectors).permute(0, 3, 1, 2)


def _convolutions(layers: nn.Sequential) -> list[nn.Conv2d]:
    return [layer for layer in layers if isinstance(layer, nn.Conv2d)]


def _weight_and_bias(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Of a 1x1 convolution, as a matrix and a vector."""
    assert layer.bias is not None
    return layer.weight.flatten(1), layer.bias


class DegradationRepresentation(nn.Module):
    """D: N = `count` learned vectors of M = `dimension` numbers, one per elementary degradation.

    Drawn from the standard normal distribution. The paper writes D as M x N; here a row is a
    vector, (N, M).
    """

    def __init__(self, dimension: int, count: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(count, dimension))

    def forward(self) -> Tensor:
        """Return the vectors, (N, M)."""
        return self.vectors

    def freeze(self) -> None:
        """Keep the vectors as they are: they stay in the state, and are learned no more."""
        vectors = self.vectors.detach()
        del self.vectors
        self.register_buffer("vectors", vectors)


def use_loss(affinities: Sequence[Tensor]) -> Tensor:
    """L_e: one minus the information that a pixel gives on the vector of D it takes (Table XII).

    The paper gives neither form nor weight, only that a cross-entropy lowers what the degradations
    in D have in common. Here: 1 - (H(mean S) - mean H(S)) / log N, the mean over the levels; H is
    the entropy over the N vectors, the first mean is over pixels and images before, the second
    after it. 0: each pixel takes one vector, and all vectors are taken alike. 1: all pixels take
    the same mixture, as if D had one vector. A loss on the cosines of the vectors would have
    nothing to do: vectors of 128 numbers are drawn almost at right angles.

    Args:
        affinities: S of each level, (B, N, H, W), sums to one over N.

    Returns:
        A scalar in [0, 1]; 0 where N = 1.
    """
    losses = []
    for affinity in affinities:
        shares = affinity.float()
        largest = math.log(shares.shape[1])
        if not largest:
            losses.append(shares.sum() * 0.0)
            continue
        used = _entropy(shares.mean(dim=(0, 2, 3)), dim=0)
        chosen = _entropy(shares, dim=1).mean()
        losses.append(1 - (used - chosen) / largest)
    return torch.stack(losses).mean()


def _entropy(shares: Tensor, dim: int) -> Tensor:
    """In nats; a share of zero has a finite gradient, unlike that of `torch.special.entr`."""
    return -(shares * shares.clamp_min(1e-12).log()).sum(dim=dim)
