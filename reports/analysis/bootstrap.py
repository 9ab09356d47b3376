"""Percentile bootstrap of mean values over images, with the images of a scene kept together.

The images of Rain100L or SOTS that show one scene are not independent: the scene is resampled as a
whole (cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997,
section 3.8). Where a method was trained with several seeds, each image has the mean over them;
`reports.analysis.evidence` says how trainings count.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ndr.seeds import numpy_generator

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0
"""First part of the key of all draws: intervals do not depend on the configuration's seeds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Whether the value lies inside.

        >>> Interval(30.0, 31.0).contains(31.0)
        True
        """
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one method on the images of one test set, or differences of two methods.

    Attributes:
        values: shape (n,), one value per image; shape (seeds, n) where several seeds were run.
        clusters: the scene of each image; images of a scene are resampled together.

    Raises:
        ValueError: other shapes, or a NaN.
    """

    values: NDArray[np.float64]
    clusters: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the shapes; NaN is refused, for it would be averaged silently."""
        if self.values.ndim not in (1, 2) or self.values.shape[-1] != len(self.clusters):
            raise ValueError(
                f"expected values of shape (n,) or (seeds, n) with n = {len(self.clusters)} "
                f"clusters; found {self.values.shape}"
            )
        if np.isnan(self.values).any():
            raise ValueError("expected numbers, found NaN among the values")

    @property
    def by_seed(self) -> NDArray[np.float64]:
        """The values as (seeds, n)."""
        return np.atleast_2d(np.asarray(self.values, dtype=np.float64))

    @property
    def scenes(self) -> tuple[str, ...]:
        """The different clusters, sorted."""
        return tuple(sorted(set(self.clusters)))

    @property
    def can_be_resampled(self) -> bool:
        """Whether there are two clusters and no infinite value."""
        return len(set(self.clusters)) >= 2 and bool(np.isfinite(self.values).all())


def scene_sums(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums (scenes, seeds) and numbers of images (scenes,), in the order of `sample.scenes`."""
    position = {scene: index for index, scene in enumerate(sample.scenes)}
    index = np.array([position[scene] for scene in sample.clusters], dtype=np.intp)
    sizes = np.bincount(index, minlength=len(position)).astype(np.float64)
    sums = [np.bincount(index, weights=row, minlength=len(position)) for row in sample.by_seed]
    return np.stack(sums, axis=1), sizes


# A table column asks for the same weights once per method: they are drawn once. Averages need the
# weights of all their columns at a time. 500 scenes take 40 MB.
@functools.lru_cache(maxsize=6)
def resampling_weights(name: str, position: int, units: int, resamples: int) -> NDArray[np.float64]:
    """How often each unit is drawn in each resample, shape (resamples, units); rows sum to units.

    Args:
        name: what the interval is about, e.g. a test set; equal names give equal draws.
        position: which of several groups of scenes under one name.
        units: number of scenes.
        resamples: number of resamples.
    """
    generator = numpy_generator(SEED, "bootstrap", name, "scenes", position)
    drawn = generator.integers(0, units, size=(resamples, units))
    drawn += units * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * units)
    weights = counts.reshape(resamples, units).astype(np.float64)
    weights.setflags(write=False)
    return weights


def resampled_means(
    sample: Sample, *, name: str, resamples: int, position: int = 0
) -> NDArray[np.float64]:
    """Mean of each resample over scenes, shape (resamples,)."""
    sums, sizes = scene_sums(sample)
    scenes = resampling_weights(name, position, len(sizes), resamples)
    totals = scenes @ np.column_stack([sums.mean(axis=1), sizes])
    return totals[:, 0] / totals[:, 1]


def mean_interval(
    sample: Sample, *, name: str, level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval | None:
    """Percentile bootstrap interval of the mean over images.

    Args:
        sample: values or paired differences.
        name: key of the draws. Methods that are asked under one name share their resamples.
        level: share of the resampled means between the ends.
        resamples: number of resamples.

    Returns:
        None where fewer than two scenes are there, or an infinite value.

    >>> mean_interval(Sample(np.array([30.0, 30.0]), ("a", "b")), name="equal values")
    Interval(low=30.0, high=30.0)
    """
    return weighted_interval([sample], [1.0], name=name, level=level, resamples=resamples)


def weighted_interval(
    samples: Sequence[Sample],
    weights: Sequence[float],
    *,
    name: str,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Interval of the weighted mean of the means over several test sets.

    Test sets are resampled independently of each other; those with the very same scenes (one set
    of pictures under three noise levels) are resampled together, for their values depend on each
    other. A seed that is drawn is drawn for all test sets.

    Args:
        samples: one per test set.
        weights: weight of each test set; divided by their sum.
        name: key of the draws.
        level: share of the resampled means between the ends.
        resamples: number of resamples.

    Returns:
        None where one of the test sets has fewer than two scenes or an infinite value.
    """
    if len(samples) != len(weights) or not samples or math.fsum(weights) <= 0:
        raise ValueError(f"expected a weight per sample, found {len(samples)} and {weights}")
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, found {level}")
    if not all(sample.can_be_resampled for sample in samples):
        return None
    positions: dict[tuple[str, ...], int] = {}
    total = np.zeros(resamples)
    for sample, weight in zip(samples, weights, strict=True):
        position = positions.setdefault(sample.scenes, len(positions))
        means = resampled_means(sample, name=name, resamples=resamples, position=position)
        total += weight / math.fsum(weights) * means
    low, high = np.quantile(total, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
