"""The file `results/<tier>/representation/<run>.json`: what D of a run represents, in numbers.

`python -m ndr.represent` writes it; the page's section and the claims read it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ndr.records.record import Record
from ndr.specs.typed_file import named

LEVELS = ("1", "2", "3")
MINIMUM_FOR_INTERVAL = 6
"""Pictures, or vectors; fewer give no interval, and no word."""
TRAINED, UNTRAINED, PLAIN = "trained", "untrained", "image statistics"
FEATURES, FEATURES_UNTRAINED = "features F", "features F, untrained"
"""Sources of what a classifier sees beside S: means over the pixels of each channel of F."""
ALL_DEGRADATIONS, CLEAN = "all", "clean"


@dataclass(frozen=True, slots=True)
class Measured:
    """A number, how many values it is the mean of, and its mean per picture.

    `value` is None where it is unavailable, and `reason` says why. `pictures` is empty where the
    number is no mean over pictures (a share of variance, an entropy); such a number may have a 95 %
    interval of its own.
    """

    value: float | None
    n: int
    pictures: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenViews:
    """The clean pictures that were degraded and shown to the network."""

    set: str
    pictures: tuple[str, ...]
    per_picture: int
    count: int
    side: int
    """Pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Separability:
    """How well a linear classifier names the degradation."""

    task: str
    source: str
    level: str
    """`all` for all levels of S, `none` for image statistics."""
    chance: float
    accuracy: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedShares:
    """Shares of the variance that degradation and picture explain."""

    source: str
    level: str
    degradation: Measured
    picture: Measured
    lead: Measured
    """The first minus the second; all three with intervals over pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapTest:
    """How often a classifier names the degradation of what NDR-Degrad makes."""

    chance: float
    accuracy: dict[str, Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecreatedViews:
    """What NDR-Degrad makes of the clean view, by PSNR to the degraded one."""

    reason: str = ""
    """Why there is nothing; empty where there is."""
    control: str = ""
    feeds: tuple[str, ...] = ()
    psnr: dict[str, Measured] = field(default_factory=dict)
    """By feed, the control included."""
    by_type: dict[str, dict[str, Measured]] = field(default_factory=dict)
    """The same by degradation."""
    swap: SwapTest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredViews:
    """What NDR-Restore makes of degraded views with other U than their own, PSNR to the clean."""

    feeds: tuple[str, ...] = ()
    psnr: dict[str, Measured] = field(default_factory=dict)
    """By feed, over all degradations."""
    by_type: dict[str, dict[str, Measured]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """Rank correlation, per picture, of a degradation's strength with norms at level 1."""

    source: str
    kind: str
    doses: tuple[float, ...]
    U: Measured
    F: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """A degradation that no training has: PSNR before and after the restoration."""

    kind: str
    degraded: Measured
    restored: Measured
    without_u: Measured
    """Restored with a U of zeros."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCorrelation:
    """Correlation of the norms of U and F with the edges of the clean view, at level 1."""

    source: str
    condition: str
    """`all` degradations, or `clean` views that nothing was done to."""
    U: Measured
    F: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorUse:
    """How evenly the affinity of a level spreads over the vectors of D."""

    source: str
    level: str
    vectors: int
    entropy: Measured
    """Of the affinity averaged over pixels, views and degradations, over log N: 1 is even use."""
    effective_vectors: Measured
    """exp of that entropy in nats: N for even use, 1 for one vector."""
    pixel_entropy: Measured
    """Mean of the entropy of single pixels, over log N: low where each chooses few vectors."""


@dataclass(frozen=True, slots=True)
class Cosines:
    """Absolute cosines of all pairs of different vectors."""

    mean: Measured
    largest: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorLikeness:
    """Likeness of the vectors of D: trained, before its training, and of random matrices."""

    vectors: int
    dimension: int
    trained: Cosines
    untrained: Cosines
    random: Cosines


@dataclass(frozen=True, slots=True)
class SettlingRow:
    """Change of D between two kept steps, see `ndr.study.vectors_of_d`."""

    first_step: int
    last_step: int
    change_per_step: float
    learning_rate: float
    scaled: float
    walk: float


@dataclass(frozen=True, slots=True)
class Settled:
    """Change of D in the later half of its snapshots over that in the earlier half.

    Two ways to take the learning rate out, see `ndr.study.vectors_of_d`; intervals over the
    vectors of D.
    """

    scaled: Measured
    walk: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualCorrelation:
    """Correlation of the norms of U, F and the change of F with |x - y|."""

    source: str
    level: str
    degradation: str
    U: Measured
    F: Measured
    change: Measured


@dataclass(frozen=True, kw_only=True)  # without slots: its tables are made once
class RepresentationFile(Record):
    """The numbers of one run, each with its controls."""

    SCHEMA: ClassVar[int] = 2
    FILE: ClassVar[str] = "representation file"

    run: str
    tier: str
    setting: str
    changes: dict[str, Any]
    steps: int
    evaluation_sha256: str
    training_sha256: str | None
    checkpoint_sha256: str | None
    scale: int
    views: SeenViews
    sigmas: dict[str, float]
    statistics: tuple[str, ...] = field(metadata=named("image_statistics"))
    separability: tuple[Separability, ...]
    explained_variance: tuple[ExplainedShares, ...]
    recreation: RecreatedViews
    vector_use: tuple[VectorUse, ...] = field(metadata=named("usage"))
    likeness: VectorLikeness = field(metadata=named("similarity"))
    settling: tuple[SettlingRow, ...]
    settled: Settled
    residual_correlation: tuple[ResidualCorrelation, ...]
    restored: RestoredViews
    dose: tuple[Dose, ...]
    unseen: tuple[Unseen, ...]
    edges: tuple[EdgeCorrelation, ...]

    @property
    def label(self) -> str:
        """Training mix and changes in words; a change is named as in the run's id."""
        mix, _, size = self.setting.partition("_x2")
        parts = [" + ".join(word.capitalize() for word in mix.split("_"))]
        parts += [f"x2{size}"] if self.setting != mix else []
        parts += [f"{key} = {value}" for key, value in sorted(self.changes.items())]
        return ", ".join(parts)

    @functools.cached_property
    def chance(self) -> Mapping[str, float]:
        """By task, in the order of the measurement."""
        return {row.task: row.chance for row in self.separability}

    @functools.cached_property
    def accuracy(self) -> Mapping[tuple[str, str, str], Measured]:
        """By task, source and level."""
        return {(row.task, row.source, row.level): row.accuracy for row in self.separability}

    @functools.cached_property
    def explained(self) -> Mapping[tuple[str, str, str], Measured]:
        """By source, level, and `degradation`, `picture` or `lead`."""
        return {
            (row.source, row.level, factor): getattr(row, factor)
            for row in self.explained_variance
            for factor in ("degradation", "picture", "lead")
        }

    @functools.cached_property
    def usage(self) -> Mapping[tuple[str, str], Measured]:
        """Effective number of vectors, by source and level."""
        return {(row.source, row.level): row.effective_vectors for row in self.vector_use}

    @functools.cached_property
    def similarity(self) -> Mapping[str, Measured]:
        """Mean absolute cosine: trained, untrained, random."""
        names = (TRAINED, UNTRAINED, "random")
        return {name: getattr(self.likeness, name).mean for name in names}

    @functools.cached_property
    def correlation(self) -> Mapping[tuple[str, str, str], Measured]:
        """By source, level, and U, F or change; over all degradations."""
        return {
            (row.source, row.level, name): getattr(row, name)
            for row in self.residual_correlation
            if row.degradation == ALL_DEGRADATIONS
            for name in ("U", "F", "change")
        }

    def edge(self, source: str, condition: str, name: str) -> Measured:
        """Correlation of the norm of U or F with the clean view's edges."""
        rows = {(row.source, row.condition): row for row in self.edges}
        number: Measured = getattr(rows[source, condition], name)
        return number


def missing(reason: str) -> Measured:
    """A number that is unavailable.

    >>> missing("needs 3 pictures, found 2").value is None
    True
    """
    return Measured(None, 0, {}, reason)


def single(value: float, n: int, interval: tuple[float, float] | None = None) -> Measured:
    """A number that is no mean over pictures; None with a reason where it is not finite.

    `interval` is its own 95 % interval.

    >>> single(0.5, 12).value, single(float("nan"), 12).value
    (0.5, None)
    """
    if not np.isfinite(value):
        return missing("the number is not defined for these values (nothing varies)")
    return Measured(float(value), n, interval=interval)


def mean_over_pictures(values: ArrayLike, pictures: Sequence[str]) -> Measured:
    """Mean of the means per picture, so that a picture with more values counts no more.

    Args:
        values: one per sample; NaN where a sample has none (a correlation of constants).
        pictures: the picture of each sample.

    >>> mean_over_pictures([1.0, 0.0, 1.0, float("nan")], ["a", "a", "b", "b"])
    Measured(value=0.75, n=3, pictures={'a': 0.5, 'b': 1.0}, reason='', interval=None)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(pictures),):
        raise ValueError(f"expected {len(pictures)} values, one per picture's name: {array.shape}")
    known = np.isfinite(array)
    owners = np.asarray(pictures)
    means = {
        str(picture): float(array[known & (owners == picture)].mean())
        for picture in dict.fromkeys(pictures)
        if (known & (owners == picture)).any()
    }
    if not means:
        return missing("the number is not defined for any picture (nothing varies)")
    return Measured(float(np.mean(list(means.values()))), int(known.sum()), means)
