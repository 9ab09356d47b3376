"""The vectors of D: how they are used, how alike they are, whether they settle in training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ndr.records.representation import Cosines, Measured, Settled, SettlingRow, missing, single
from ndr.seeds import numpy_generator
from ndr.study.resampling import ENDS, picture_indices, resampled_interval

RANDOM_MATRICES = 100
"""Random matrices that stand beside D."""
MINIMUM_INTERVALS = 4
"""Changes of D between snapshots that a comparison of early and late needs."""


def settling_rows(
    steps: Sequence[int], history: NDArray[np.floating], learning_rate: Callable[[int], float]
) -> tuple[SettlingRow, ...]:
    """Changes of D (T, N, M) between the snapshots that were kept after so many steps.

    `change_per_step` is c / (b - a) with c = |D_b - D_a| / |D_a|, Frobenius norms. Any parameter
    slows down with its learning rate (of a step that counts from 0), so two further numbers take it
    out: `scaled` is c over the sum of the rates, which stays the same while D moves steadily in one
    direction; `walk` is c over the root of the sum of their squares, which stays the same while D
    moves at random (the steps between snapshots become more and more, and random steps cancel). D
    settles where both fall.

    >>> D = np.array([1.0, 2.0, 2.5]).reshape(3, 1, 1)
    >>> [row.scaled for row in settling_rows([0, 1, 3], D, lambda step: 0.5)]
    [2.0, 0.25]
    """
    if len(steps) != len(history):
        raise ValueError(f"expected a D per step, found {len(history)} for {len(steps)} steps")
    rows = []
    values = history.astype(np.float64)
    for (first, before), (last, after) in itertools.pairwise(zip(steps, values, strict=True)):
        rates = np.array([learning_rate(step) for step in range(first, last)])
        change = np.linalg.norm(after - before) / np.linalg.norm(before)
        rows.append(
            SettlingRow(
                first,
                last,
                float(change / (last - first)),
                float(rates.mean()),
                float(change / rates.sum()),
                float(change / np.sqrt((rates**2).sum())),
            )
        )
    return tuple(rows)


def settled(
    steps: Sequence[int], history: NDArray[np.floating], learning_rate: Callable[[int], float]
) -> Settled:
    """How much of its speed D keeps in the later half of its snapshots; 1: all of it.

    Mean of the later half of `SettlingRow.scaled`, and of `walk`, over that of the earlier half, a
    middle one belongs to neither. Each of the N vectors of D has such changes; the intervals are
    over vectors. Missing with fewer than `MINIMUM_INTERVALS` changes.

    >>> D = np.array([0.0, 4.0, 8.0, 9.0, 10.0])[:, None, None] + np.full((5, 8, 2), 1e6)
    >>> round(settled([0, 1, 2, 3, 4], D, lambda step: 1.0).scaled.value, 3)
    0.25
    """
    if len(history) <= MINIMUM_INTERVALS:
        found = max(0, len(history) - 1)
        reason = missing(f"{found} changes between snapshots; {MINIMUM_INTERVALS} are needed")
        return Settled(reason, reason)
    values = history.astype(np.float64)
    lengths = np.maximum(np.linalg.norm(values[:-1], axis=2), 1e-12)
    changes = np.linalg.norm(np.diff(values, axis=0), axis=2) / lengths
    rates = [
        np.array([learning_rate(step) for step in range(first, last)])
        for first, last in itertools.pairwise(steps)
    ]
    half = len(changes) // 2

    def ratio(speeds: NDArray[np.float64]) -> Measured:
        early, late = speeds[:half].mean(axis=0), speeds[-half:].mean(axis=0)
        if not early.sum():
            return missing("D does not change at the start of the training")

        def kept(chosen: NDArray[np.intp]) -> float:
            return float(late[chosen].sum() / max(early[chosen].sum(), 1e-300))

        count = len(early)
        interval = resampled_interval(count, kept, "vectors of D")
        return single(kept(np.arange(count)), count, interval)

    return Settled(
        ratio(changes / np.array([each.sum() for each in rates])[:, None]),
        ratio(changes / np.array([np.sqrt((each**2).sum()) for each in rates])[:, None]),
    )


def vector_usage(
    affinity: NDArray[np.float64],
    sharpness: NDArray[np.float64],
    pictures: Sequence[str] | None = None,
) -> dict[str, Measured]:
    """Numbers of a `VectorUse`, by affinities (n, N) and entropies of single pixels (n,) in nats.

    With `pictures`, the picture of each sample, the number of vectors has an interval over them.

    >>> round(vector_usage(np.full((5, 8), 1 / 8), np.full(5, np.log(8)))["entropy"].value, 6)
    1.0
    """
    samples, count = affinity.shape
    if count < 2:
        reason = missing("D has one vector: there is nothing to choose from")
        one = single(1.0, samples)
        return {"entropy": reason, "effective_vectors": one, "pixel_entropy": reason}

    def entropy(chosen: NDArray[np.intp]) -> float:
        mean = affinity[chosen].mean(axis=0)
        used = mean[mean > 0]
        return float(-(used * np.log(used)).sum())

    total = entropy(np.arange(samples))
    names = list(dict.fromkeys(pictures or ()))
    interval = resampled_interval(
        len(names),
        lambda chosen: float(np.exp(entropy(picture_indices(pictures or (), names, chosen)))),
        "use of vectors",
    )
    return {
        "entropy": single(total / np.log(count), samples),
        "effective_vectors": single(np.exp(total), samples, interval),
        "pixel_entropy": single(float(sharpness.mean()) / np.log(count), samples),
    }


def vector_similarity(vectors: NDArray[np.floating]) -> Cosines:
    """Absolute cosine similarity of the vectors of D (N, M), one per row.

    >>> vector_similarity(np.eye(3)).mean.value
    0.0
    """
    count = len(vectors)
    if count < 2:
        reason = missing("D has one vector: there is no pair")
        return Cosines(reason, reason)
    rows = vectors.astype(np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    pairs = np.abs(rows @ rows.T)[np.triu_indices(count, k=1)]
    return Cosines(single(float(pairs.mean()), len(pairs)), single(float(pairs.max()), len(pairs)))


def random_similarity(count: int, dimension: int, suite_seed: int) -> Cosines:
    """The same of normal random matrices (N, M): means over `RANDOM_MATRICES` of them.

    The intervals hold 95 % of such matrices.
    """
    generator = numpy_generator(suite_seed, "representation", "random matrix", count, dimension)
    drawn = [
        vector_similarity(generator.standard_normal((count, dimension)))
        for _ in range(RANDOM_MATRICES)
    ]
    if drawn[0].mean.value is None:
        return drawn[0]
    values = np.array([(each.mean.value, each.largest.value) for each in drawn], dtype=np.float64)
    numbers = []
    for column in np.ascontiguousarray(values.T):
        low, high = np.quantile(column, ENDS)
        numbers.append(single(float(column.mean()), len(drawn), (float(low), float(high))))
    return Cosines(*numbers)
