"""Comparison of systems on the same images: paired differences, and two tests of their mean."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from reports.analysis.bootstrap import Sample, scene_sums

ENUMERATED = 16
"""Scenes up to which all assignments of signs are counted."""


def contrast(terms: Sequence[tuple[float, Sample]]) -> Sample:
    """Sum of coefficient times value of several systems per image, each averaged over its seeds.

    Two systems with the coefficients 1 and -1 give their paired difference.

    Raises:
        ValueError: the samples are not of the same images in the same order.
    """
    clusters = terms[0][1].clusters
    if any(sample.clusters != clusters for _, sample in terms):
        raise ValueError("expected samples of the same images in the same order")
    with np.errstate(invalid="ignore"):
        values = sum(coefficient * sample.by_seed.mean(axis=0) for coefficient, sample in terms)
    values = np.asarray(values, dtype=np.float64)
    # inf - inf: two exact copies of an image do not differ
    values[np.isnan(values)] = 0.0
    return Sample(values, clusters)


Contributions = list[NDArray[np.float64]]
"""What each scene adds to a weighted mean, (scenes,) per group of test sets that share scenes."""


def scene_contributions(samples: Sequence[Sample], weights: Sequence[float]) -> Contributions:
    """What each scene adds to the weighted mean of the means over several test sets.

    Test sets with the very same scenes are one group: their values depend on each other.
    """
    groups: dict[tuple[str, ...], NDArray[np.float64]] = {}
    for sample, weight in zip(samples, weights, strict=True):
        sums, sizes = scene_sums(sample)
        part = weight / math.fsum(weights) * sums.mean(axis=1) / sizes.sum()
        groups[sample.scenes] = groups.get(sample.scenes, 0.0) + part
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class Moments:
    """Second and third central moment of a weighted mean over scenes."""

    variance: float
    third: float
    freedom: int


def scene_moments(groups: Contributions) -> Moments:
    """Moments of the sum of all contributions, without bias for equal sizes of scenes.

    >>> scene_moments([np.array([1.0, 2.0, 3.0])])
    Moments(variance=3.0, third=0.0, freedom=2)
    """
    variance = third = 0.0
    for each in groups:
        n, deviations = len(each), each - each.mean()
        variance += n / max(1, n - 1) * float((deviations**2).sum())
        third += n**2 / max(1, (n - 1) * (n - 2)) * float((deviations**3).sum())
    return Moments(variance, third, sum(len(each) - 1 for each in groups))


def skewed_t_p_value(groups: Contributions, margin: float = 0.0) -> float:
    """Two-sided p value of a t test that allows for skewed differences.

    Among lopsided differences most lie on one side of their mean, and a test of signs takes that
    for an effect. The t statistic is transformed by Hall's cubic (J. R. Statist. Soc. B 54, 1992,
    221-228), which takes the third moment out and, unlike Johnson's square, keeps its order.

    >>> round(skewed_t_p_value([np.array([1.0, 2.0, 3.0])]), 3)
    0.074
    """
    moments = scene_moments(groups)
    distance = math.fsum(float(each.sum()) for each in groups) - margin
    if moments.freedom < 1 or not moments.variance:
        return 0.0 if moments.freedom and distance else 1.0
    statistic = distance / math.sqrt(moments.variance)
    skewness = moments.third / moments.variance**1.5
    if abs(skewness) > 1e-9:
        cubed = (1 + skewness * statistic / 3) ** 3
        corrected = (cubed - 1) / skewness + skewness / 6
        # What is added to it must not turn its sign.
        statistic = 0.0 if corrected * statistic < 0 else corrected
    return float(2 * student.sf(abs(statistic), moments.freedom))


def sign_flip_p_value(
    differences: Sequence[Sample], weights: Sequence[float], margin: float = 0.0
) -> float:
    """Two-sided p value that a weighted mean of means over several test sets is `margin`.

    The signs of the scenes' differences from the margin are flipped at random (Fisher's
    randomisation test, The Design of Experiments, 1935, section 21): if the mean is the margin and
    the differences lie alike on both sides, every sign was as likely as the other. Test sets with
    the very same scenes flip together. `n` scenes cannot give less than 2 / 2^n.

    Up to `ENUMERATED` scenes all assignments are counted; beyond, the share is that of the
    saddlepoint approximation of Lugannani and Rice (Adv. Appl. Prob. 12, 1980, 475-490), so that
    small p values, which many comparisons ask for, need no millions of draws.

    Args:
        differences: one paired sample per test set; seeds are averaged.
        weights: weight of each test set.
        margin: what the mean is compared with.

    Returns:
        1 where nothing differs from the margin, or a difference is infinite.

    >>> sign_flip_p_value([Sample(np.array([1.0, 2.0, 3.0]), ("a", "b", "c"))], [1.0])
    0.25
    """
    shifted = [Sample(each.by_seed.mean(axis=0) - margin, each.clusters) for each in differences]
    scenes = np.concatenate(scene_contributions(shifted, weights))
    if not np.isfinite(scenes).all():
        return 1.0
    # A difference that is all rounding is none: sums in another order round differently.
    scenes = scenes[np.abs(scenes) > 1e-12]
    observed = abs(math.fsum(scenes)) * (1 - 1e-9)
    if not len(scenes) or observed == 0:
        return 1.0
    if len(scenes) <= ENUMERATED:
        sums = _all_signs(len(scenes)) @ scenes
        return float(np.count_nonzero(np.abs(sums) >= observed) / len(sums))
    return min(1.0, max(2 * _tail(np.abs(scenes), observed), 2.0 ** (1 - len(scenes))))


@functools.lru_cache(maxsize=ENUMERATED)
def _all_signs(units: int) -> NDArray[np.float64]:
    """All assignments of signs whose first is +, (2^(units - 1), units): the others mirror them."""
    bits = np.arange(2 ** (units - 1))[:, None] >> np.arange(units) & 1
    signs: NDArray[np.float64] = 1.0 - 2.0 * bits.astype(np.float64)
    signs.setflags(write=False)
    return signs


def _tail(sizes: NDArray[np.float64], observed: float) -> float:
    """Probability that a sum of `sizes` (n,) with random signs reaches `observed` > 0.

    The saddlepoint t solves K'(t) = observed, with K(t) the sum of log cosh(t size).
    """
    largest = sizes.max()
    sizes, observed = sizes / largest, observed / largest
    if observed >= sizes.sum() * (1 - 1e-8):
        return float(2.0 ** -len(sizes))

    def slope(point: float) -> float:
        return float((sizes * np.tanh(point * sizes)).sum() - observed)

    end = 1.0
    while slope(end) < 0:
        end *= 2
    point = float(brentq(slope, 0.0, end, xtol=1e-13))
    scaled = point * sizes
    generated = float((scaled + np.log1p(np.exp(-2 * scaled)) - math.log(2)).sum())
    root = math.sqrt(max(0.0, 2 * (point * observed - generated)))
    if root < 1e-4:
        return 0.5
    curved = point * math.sqrt((sizes**2 / np.cosh(np.minimum(scaled, 300.0)) ** 2).sum())
    return float(norm.sf(root) + norm.pdf(root) * (1 / curved - 1 / root))
