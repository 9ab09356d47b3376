"""Paired comparison of two methods on the same images."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from ndr.seeds import numpy_generator
from reports.analysis.bootstrap import RESAMPLES, SEED, Interval, Sample, scene_sums

ALPHA = 0.05
"""Adjusted p values below it count as a difference."""


def paired_differences(ours: Sample, theirs: Sample) -> Sample:
    """Difference of two methods per image (and per seed, where both have the same number of seeds).

    Where the numbers of seeds differ, the mean over the seeds of each is taken.

    Raises:
        ValueError: the samples are not of the same images in the same order.
    """
    if ours.clusters != theirs.clusters:
        raise ValueError("expected two samples of the same images in the same order")
    first, second = ours.by_seed, theirs.by_seed
    if len(first) != len(second):
        first, second = first.mean(axis=0, keepdims=True), second.mean(axis=0, keepdims=True)
    with np.errstate(invalid="ignore"):
        differences = first - second
    # inf - inf: two exact copies of an image do not differ
    differences[np.isinf(first) & (first == second)] = 0.0
    return Sample(differences[0] if len(differences) == 1 else differences, ours.clusters)


def p_value(differences: Sample) -> float:
    """Two-sided p value of the Wilcoxon signed rank test that the differences centre on zero.

    Images of a scene are not independent, so each scene enters once, with its mean difference over
    images and seeds. Scenes without any difference are dropped (Wilcoxon's own treatment); where
    none is left, the methods are equal and the p value is 1. Infinite differences have a rank like
    any other; where a scene has both signs of infinity, the p value is 1.

    >>> p_value(Sample(np.array([1.0, 2.0, 3.0]), ("a", "b", "c")))
    0.25
    """
    sums, sizes = scene_sums(differences)
    scenes = (sums / sizes[:, None]).mean(axis=1)
    if np.isnan(scenes).any() or not scenes.any():
        return 1.0
    return float(wilcoxon(scenes[scenes != 0]).pvalue)


@functools.lru_cache(maxsize=1)
def random_signs(name: str, units: int, resamples: int) -> NDArray[np.floating]:
    """Signs +1 and -1, shape (resamples, units); equal names give equal signs."""
    drawn = numpy_generator(SEED, "signs", name).integers(0, 2, size=(resamples, units))
    signs = 2.0 * drawn - 1.0
    signs.setflags(write=False)
    return signs


def average_p_value(
    differences: Sequence[Sample],
    weights: Sequence[float],
    *,
    name: str,
    resamples: int = RESAMPLES,
) -> float:
    """Two-sided p value that a weighted mean of means over several test sets is zero.

    An average has no values per image, and images of several test sets have no common rank order.
    So the signs of the scenes' differences are flipped at random (Fisher's randomisation test, The
    Design of Experiments, 1935, section 21): if neither method is better, every sign was as likely
    as the other. Test sets with the very same scenes flip together. Two scenes cannot give less
    than one half, three not less than a quarter.

    Args:
        differences: one paired sample per test set; seeds are averaged.
        weights: weight of each test set.
        name: key of the signs.
        resamples: number of random assignments of signs.

    >>> pairs = Sample(np.array([1.0, 2.0]), ("a", "b"))
    >>> round(average_p_value([pairs], [1.0], name="doctest"), 1)
    0.5
    """
    parts: dict[tuple[str, ...], NDArray[np.float64]] = {}
    for sample, weight in zip(differences, weights, strict=True):
        sums, sizes = scene_sums(sample)
        part = weight / math.fsum(weights) * sums.mean(axis=1) / sizes.sum()
        parts[sample.scenes] = parts.get(sample.scenes, 0.0) + part
    scenes = np.concatenate(list(parts.values()))
    if not np.isfinite(scenes).all():
        return 1.0
    signs = random_signs(name, len(scenes), resamples)
    # A little less than observed counts as observed: sums in another order round differently.
    observed = abs(math.fsum(scenes)) * (1 - 1e-9)
    as_far = np.count_nonzero(np.abs(signs @ scenes) >= observed)
    return (1 + int(as_far)) / (1 + resamples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment for several comparisons (Scand. J. Statist. 6, 1979, 65-70).

    An adjusted value below alpha is a rejection at the family-wise level alpha.

    >>> holm([0.5, 0.01, 0.02])
    [0.5, 0.03, 0.04]
    """
    if any(math.isnan(p) or not 0 <= p <= 1 for p in p_values):
        raise ValueError(f"expected p values between 0 and 1, found {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def distinguishable(interval: Interval | None, adjusted_p_value: float) -> bool:
    """Whether a paired difference is told from zero by both the bootstrap and the test.

    Args:
        interval: of the mean difference; None (too few scenes) tells nothing.
        adjusted_p_value: after `holm` over all comparisons of a table.

    >>> distinguishable(Interval(0.1, 0.3), 0.01), distinguishable(Interval(0.1, 0.3), 0.06)
    (True, False)
    """
    return interval is not None and not interval.contains(0.0) and adjusted_p_value < ALPHA
