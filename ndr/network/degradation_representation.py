"""The neural degradation representation D (paper Sec. III-A), shared by all levels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DegradationRepresentation(nn.Module):
    """D: N learned vectors of M numbers, one per elementary degradation.

    Drawn from the standard normal distribution. The paper writes D as M x N; here a row is a
    vector, (N, M).

    Args:
        dimension: M, length of a vector.
        count: N, number of vectors.
    """

    def __init__(self, dimension: int, count: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(count, dimension))

    def forward(self) -> Tensor:
        """Return the vectors, (N, M)."""
        return self.vectors

    def independence_loss(self) -> Tensor:
        """L_e: a cross-entropy that makes the N vectors tell themselves apart (Table XII).

        The paper neither gives its form nor its weight. Here: cosine similarities of all pairs
        as logits, (N, N), each vector's own index as the class.
        """
        directions = F.normalize(self.vectors.float(), dim=1)
        similarity = directions @ directions.T
        return F.cross_entropy(similarity, torch.arange(len(similarity), device=similarity.device))
