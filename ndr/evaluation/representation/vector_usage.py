"""How many of the N vectors of D are used, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ndr.evaluation.representation.measured_number import Measured, missing, single
from ndr.seeds import numpy_generator

RANDOM_MATRICES = 100
"""Random matrices that stand beside D."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one level: entropies over log N, so that 1 means evenly over all vectors."""

    entropy: Measured
    """Of the affinity averaged over pixels, views and degradations."""
    effective_vectors: Measured
    """exp of that entropy: N for even use, 1 for one vector."""
    pixel_entropy: Measured
    """Mean of the entropy of single pixels: low where each pixel chooses few vectors."""


def vector_usage(affinity: NDArray[np.float64], sharpness: NDArray[np.float64]) -> Usage:
    """Usage of the vectors.

    Args:
        affinity: (n, N), rows sum to one.
        sharpness: (n,), entropy of single pixels in nats.

    >>> round(vector_usage(np.full((5, 8), 1 / 8), np.full(5, np.log(8))).entropy.value, 6)
    1.0
    """
    samples, count = affinity.shape
    if count < 2:
        reason = missing("D has one vector: there is nothing to choose from")
        return Usage(reason, single(1.0, samples), reason)
    mean = affinity.mean(axis=0)
    used = mean[mean > 0]
    total = float(-(used * np.log(used)).sum())
    return Usage(
        single(total / np.log(count), samples),
        single(np.exp(total), samples),
        single(float(sharpness.mean()) / np.log(count), samples),
    )


@dataclass(frozen=True, slots=True)
class Similarity:
    """Absolute cosines of all pairs of different vectors."""

    mean: Measured
    largest: Measured


def vector_similarity(vectors: NDArray[np.floating]) -> Similarity:
    """Absolute cosine similarity of the columns of D.

    Args:
        vectors: (N, M), one vector per row.

    >>> vector_similarity(np.eye(3)).mean.value
    0.0
    """
    count = len(vectors)
    if count < 2:
        reason = missing("D has one vector: there is no pair")
        return Similarity(reason, reason)
    rows = vectors.astype(np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    pairs = np.abs(rows @ rows.T)[np.triu_indices(count, k=1)]
    return Similarity(
        single(float(pairs.mean()), len(pairs)), single(float(pairs.max()), len(pairs))
    )


def random_similarity(count: int, dimension: int, suite_seed: int) -> Similarity:
    """The same of normal random matrices: means over `RANDOM_MATRICES` of them.

    Args:
        count: N.
        dimension: M.
        suite_seed: the suite's seed.
    """
    generator = numpy_generator(suite_seed, "representation", "random matrix", count, dimension)
    drawn = [
        vector_similarity(generator.standard_normal((count, dimension)))
        for _ in range(RANDOM_MATRICES)
    ]
    means = [each.mean.value for each in drawn if each.mean.value is not None]
    largest = [each.largest.value for each in drawn if each.largest.value is not None]
    if not means:
        return drawn[0]
    return Similarity(
        single(float(np.mean(means)), len(means)), single(float(np.mean(largest)), len(largest))
    )
