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
    U = project(sum over N of S D). Both together are one attention call in which the pixels are
    queries and D is keys and values.

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

    def forward(self, features: Tensor, vectors: Tensor) -> Tensor:
        """U, (B, degradation_width, H, W), from F (B, C, H, W) and D (N, M).

        The affinity is not kept.
        """
        batch, _, height, width = features.shape
        queries = self.mapping(features).permute(0, 2, 3, 1)
        dimension = queries.shape[-1]
        explained = F.scaled_dot_product_attention(
            queries.reshape(1, 1, -1, dimension),
            self._keys(vectors)[None, None],
            vectors[None, None],
            scale=1.0,
        )
        explained = explained.reshape(batch, height, width, dimension).permute(0, 3, 1, 2)
        return self.projection(explained)

    def affinity(self, features: Tensor, vectors: Tensor) -> Tensor:
        """S, (B, N, H, W): the weights that `forward` uses; they sum to one over N."""
        queries = self.mapping(features).permute(0, 2, 3, 1)
        products = queries.float() @ self._keys(vectors).float().T
        return products.softmax(dim=-1).permute(0, 3, 1, 2)


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
