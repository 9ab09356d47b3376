"""When two systems are told apart: the one rule of tables and claims.

A difference is the mean over scenes of paired differences per image, each system averaged over its
trainings. It is told from a margin (zero where only a direction is asked for) where all of this
holds:

1. there are at least `MINIMUM_SCENES` scenes;
2. it is at least the metric's `smallest_effect` away from the margin;
3. its 95 % interval leaves the margin out;
4. over scenes, the p value times the number of comparisons is below 0.05: the larger one of random
   signs of the scenes' differences and of a t test that allows for skewed ones;
5. over trainings, from three of each system on, likewise: the p value of a t test over trainings
   whose variance is that over trainings and that over scenes together.

The interval is the wider of the bootstrap over scenes and, from three trainings on, the t interval
of 5. With fewer trainings the answer is one about these trainings, not about the methods:
`Evidence.trainings` says so, and who prints a word has to print that too.

Comparisons are counted as pairs of systems, all pairs that a table shows: whichever two stand out
after the results are known, and the best among them, are covered (`Comparisons`). For scenes the
pairs of all columns and metrics count; for trainings those of one block, because the same trainings
stand behind all its columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from reports.analysis.bootstrap import LEVEL, RESAMPLES, Interval, Sample, weighted_interval
from reports.analysis.comparison import (
    contrast,
    scene_contributions,
    scene_moments,
    sign_flip_p_value,
    skewed_t_p_value,
)
from reports.number_format import counted

ALPHA = 1 - LEVEL
MINIMUM_SCENES = 8
"""Fewer decide nothing: of lopsided differences, all of seven fall on one side of their mean by
luck more often than once in twenty."""
MINIMUM_TRAININGS = 3
"""Fewer do not show how much trainings differ."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """How many comparisons a single one stands among."""

    scenes: int = 1
    """Pairs of systems in all columns, blocks and metrics of the table."""
    trainings: int = 1
    """Pairs of systems of the block that were trained three times or more."""

    def at_least(self, parts: int) -> Comparisons:
        """For one of several parts of a claim that may refute it as a whole."""
        return Comparisons(max(self.scenes, parts), max(self.trainings, parts))


def pairs(systems: int) -> int:
    """Number of pairs of so many systems.

    >>> pairs(5), pairs(1)
    (10, 0)
    """
    return systems * (systems - 1) // 2


@dataclass(frozen=True, slots=True)
class Spread:
    """How much the trainings of a system differ, pooled over systems."""

    variance: float
    freedom: int
    """Degrees of freedom."""


def pooled_spread(systems: Iterable[Values]) -> Spread | None:
    """Variance between trainings, of the systems (S,) that have three or more of them.

    Trainings of one block differ by the same draws (initial weights, order of samples), so their
    variances are pooled; with two systems this is the classical two-sample t test. None where no
    system has enough trainings.

    >>> pooled_spread([np.array([1.0, 2.0, 3.0]), np.array([5.0])])
    Spread(variance=1.0, freedom=2)
    """
    enough = [means for means in systems if len(means) >= MINIMUM_TRAININGS]
    freedom = sum(len(means) - 1 for means in enough)
    if not freedom:
        return None
    squares = math.fsum(float(((means - means.mean()) ** 2).sum()) for means in enough)
    return Spread(squares / freedom, freedom) if math.isfinite(squares) else None


def training_means(samples: Sequence[Sample], weights: Sequence[float]) -> Values:
    """Weighted mean over the test sets for each training of one system, (S,)."""
    means = [sample.by_seed.mean(axis=1) for sample in samples]
    total = math.fsum(weights)
    return np.asarray(sum(w / total * m for w, m in zip(weights, means, strict=True)))


@dataclass(frozen=True, slots=True)
class StandardError:
    """Of a mean, with its degrees of freedom."""

    size: float
    freedom: int

    @property
    def half_width(self) -> float:
        """Of the 95 % t interval."""
        return self.size * float(student.ppf((1 + LEVEL) / 2, self.freedom))

    def p_value(self, distance: float) -> float:
        """Two-sided p value of a mean that is so far from what is asked.

        >>> StandardError(0.0, 2).p_value(0.1), round(StandardError(1.0, 2).p_value(4.303), 3)
        (0.0, 0.05)
        """
        if not self.size:
            return 0.0 if distance else 1.0
        return float(2 * student.sf(distance / self.size, self.freedom))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A mean, or a sum of means with coefficients, and all that its words follow from."""

    estimate: float
    interval: Interval | None
    """95 %; None with fewer than two scenes or an infinite value."""
    images: int
    scenes: int
    """Of the test set that has fewest."""
    trainings: int
    """Of the system that has fewest."""
    differences: tuple[Sample, ...]
    weights: tuple[float, ...]
    errors: tuple[StandardError, ...] = ()
    """Between trainings, and between trainings and scenes together; empty where a system has fewer
    than three trainings."""

    def p_scenes(self, margin: float = 0.0) -> float:
        """P value over scenes that the mean is the margin."""
        signs = sign_flip_p_value(self.differences, self.weights, margin)
        groups = scene_contributions(self.differences, self.weights)
        return max(signs, skewed_t_p_value(groups, margin))

    def p_trainings(self, margin: float = 0.0) -> float:
        """P value over trainings that the mean is the margin; 0 with too few to ask them."""
        distance = abs(self.estimate - margin)
        return self.errors[-1].p_value(distance) if self.errors else 0.0

    def doubt(
        self, margin: float, smallest: float, comparisons: Comparisons = Comparisons()
    ) -> str:
        """Why the mean is not told from the margin, in words; empty where it is.

        Args:
            margin: what it is compared with.
            smallest: distances below it are no effect.
            comparisons: among how many it stands.
        """
        if self.interval is None or self.scenes < MINIMUM_SCENES:
            few = f"{counted(self.scenes, 'scene')}; fewer than {MINIMUM_SCENES} decide nothing"
            return few if self.scenes < MINIMUM_SCENES else "an infinite value"
        # Rounded: 30.02 - 30.0 is a little less than 0.02.
        if round(abs(self.estimate - margin), 9) < smallest:
            return f"closer than {smallest:g}, the smallest effect that counts"
        if self.interval.contains(margin):
            return "the interval contains it"
        if self.p_scenes(margin) * comparisons.scenes >= ALPHA:
            return _by_luck(comparisons.scenes, counted(self.scenes, "scene"))
        if self.p_trainings(margin) * comparisons.trainings >= ALPHA:
            return _by_luck(comparisons.trainings, counted(self.trainings, "training"))
        return ""

    def told(self, margin: float, smallest: float, comparisons: Comparisons = Comparisons()) -> int:
        """1 where the mean is told to lie above the margin, -1 below, 0 neither; see `doubt`."""
        if self.doubt(margin, smallest, comparisons):
            return 0
        return 1 if self.estimate > margin else -1


def _by_luck(comparisons: int, what: str) -> str:
    among = f"one of {counted(comparisons, 'comparison')}" if comparisons > 1 else "the mean"
    return f"{among} strays as far by luck, over {what}"


def evidence(
    terms: Sequence[tuple[float, Sequence[Sample]]],
    weights: Sequence[float],
    *,
    name: str,
    spread: Spread | None = None,
    resamples: int = RESAMPLES,
) -> Evidence:
    """Weigh a sum of coefficients times means of systems.

    Args:
        terms: per system its coefficient and its samples, one per test set, images as the others'.
        weights: weight of each test set.
        name: key of the bootstrap's draws.
        spread: between trainings (`pooled_spread`); None: of the terms' own.
        resamples: of the bootstrap.
    """
    columns = range(len(weights))
    differences = tuple(contrast([(c, samples[i]) for c, samples in terms]) for i in columns)
    total = math.fsum(weights)
    means = [float(each.values.mean()) for each in differences]
    estimate = math.fsum(w * m for w, m in zip(weights, means, strict=True)) / total
    by_training = [(c, training_means(samples, weights)) for c, samples in terms]
    trainings = min(len(values) for _, values in by_training)
    interval = weighted_interval(differences, weights, name=name, resamples=resamples)
    errors: tuple[StandardError, ...] = ()
    if trainings >= MINIMUM_TRAININGS and interval is not None:
        spread = spread or pooled_spread(values for _, values in by_training)
        assert spread is not None  # every system has enough trainings
        share = math.fsum(c**2 / len(values) for c, values in by_training)
        errors = _errors(spread, share, scene_contributions(differences, weights))
        half = errors[-1].half_width
        interval = Interval(min(interval.low, estimate - half), max(interval.high, estimate + half))
    return Evidence(
        estimate=estimate,
        interval=interval,
        images=sum(len(each.clusters) for each in differences),
        scenes=min(len(each.scenes) for each in differences),
        trainings=trainings,
        differences=differences,
        weights=tuple(weights),
        errors=errors,
    )


def _errors(
    spread: Spread, share: float, groups: list[Values]
) -> tuple[StandardError, StandardError]:
    """Standard errors between trainings alone, and with those between scenes added.

    Each training was scored on the same scenes, so the two variances add. Their sum keeps the
    degrees of freedom of the trainings: Satterthwaite's would be more, and a little too many.
    """
    between, scenes = spread.variance * share, scene_moments(groups).variance
    return (
        StandardError(math.sqrt(between), spread.freedom),
        StandardError(math.sqrt(between + scenes), spread.freedom),
    )
