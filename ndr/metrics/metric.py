"""What a metric is: one entry per metric, which everything that prints or judges numbers asks.

A metric is its entry here and the function that `measures` ties to it (CONTRIBUTING.md, "Add a
metric"). The entries are plain facts: the report reads them without PyTorch, and a change of them
is no reason to evaluate anew. Those of package pyiqa are found by their names, in small letters
(docs/add_a_metric.md).
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndr.metrics.pyiqa_table import NAME, PyiqaFacts, installed, pyiqa_table
from ndr.nearest_name import check_names, unknown_name

LARGEST = sys.float_info.max
Function = Callable[..., float]


class ImageTooSmallError(ValueError):
    """An image with fewer pixels than a metric or a protocol looks at together."""


def mean(values: Collection[float]) -> float:
    """Plain mean, correctly rounded; infinite where one value is.

    >>> mean([30.0, 31.0])
    30.5
    """
    return math.fsum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Metric:
    """What there is to know of a metric beside its arithmetic."""

    name: str
    digits: int
    """Digits after the point that are printed."""
    tolerance: float
    """How far from ours the paper's number still counts as close."""
    smallest_effect: float
    """Smaller differences of two systems are none, however sure they are."""
    unit: str = ""
    higher_is_better: bool = True
    lowest: float = -LARGEST
    """Smallest legal value; values outside of the range are never averaged."""
    highest: float = LARGEST
    """Largest legal value of an image that differs from its truth."""
    perfect: float | None = None
    """Value of an image that equals its truth, where it lies above `highest`."""
    regression_floor: float | None = None
    """Smallest fall of a mean that can be a regression; None: not compared with the reference."""
    needs_reference: bool = True
    """Whether it compares with a ground truth; if not, it rates photographs that have none."""
    aggregate: Callable[[Collection[float]], float] = mean
    """The number of a test set, from one value per image. Intervals and tests are of means: a
    metric that is aggregated in another way has none."""
    package: str = ""
    """The package that computes it under terms of use of its own; it is asked for once these are
    accepted."""
    unknown: str = ""
    """Why its facts, and with them its numbers, cannot be read here; empty where they can."""

    @property
    def has_intervals(self) -> bool:
        """Whether its numbers are means, which intervals and tests are made for."""
        return self.aggregate is mean

    @property
    def label(self) -> str:
        """The name, with its unit where it has one.

        >>> METRICS["PSNR"].label, METRICS["SSIM"].label
        ('PSNR (dB)', 'SSIM')
        """
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def goodness(self, value: float) -> float:
        """A number that is the larger the better `value` is.

        >>> METRICS["PSNR"].goodness(30.0), METRICS["PIQE"].goodness(30.0)
        (30.0, -30.0)
        """
        return value if self.higher_is_better else -value

    def problem(self, value: float) -> str:
        """Why a value cannot be one of this metric; empty where it can.

        >>> METRICS["SSIM"].problem(1.5), METRICS["PSNR"].problem(math.inf)
        ('1.5 is no SSIM (expected -1 to 1)', '')
        """
        if self.unknown:
            return self.unknown
        if self.lowest <= value <= self.highest or value == self.perfect:
            return ""
        low, high = abs(self.lowest) < LARGEST, abs(self.highest) < LARGEST
        expected = {
            (True, True): f"{self.lowest:g} to {self.highest:g}",
            (True, False): f"{self.lowest:g} or more",
            (False, True): f"at most {self.highest:g}",
            (False, False): "a finite number",
        }
        perfect = "" if self.perfect is None else f", or {self.perfect:g}"
        return f"{value:g} is no {self.name} (expected {expected[low, high]}{perfect})"


_RATING: Mapping[str, Any] = {
    "lowest": -100.0,
    "highest": 200.0,
    "tolerance": 1.0,
    "smallest_effect": 0.1,
    "needs_reference": False,
}


def rating_of(name: str, facts: PyiqaFacts) -> Metric:
    """The entry of a metric of pyiqa.

    Its ranges are rough, so values may leave them by their width on both sides; digits and the
    smallest effect follow the width, as for the suite's own ratings.

    >>> lpips = rating_of("lpips", PyiqaFacts(True, False, 0.0, 1.0))
    >>> lpips.lowest, lpips.highest, lpips.digits, lpips.smallest_effect
    (-1.0, 2.0, 4, 0.001)
    """
    low, high = facts.lowest, facts.highest
    width = 1.0 if low is None or high is None else high - low
    return Metric(
        name,
        digits=2 if width > 5 else 4,
        tolerance=width / 100,
        smallest_effect=width / 1000,
        higher_is_better=facts.higher_is_better,
        lowest=-LARGEST if low is None else low - width,
        highest=LARGEST if high is None else high + width,
        needs_reference=facts.needs_reference,
        package="pyiqa",
    )


@functools.cache
def _of_pyiqa(name: str) -> Metric:
    """The entry of a metric of pyiqa; raises `KeyError` where it has none of that name."""
    if installed():
        return rating_of(name, pyiqa_table()[name])
    if not NAME.fullmatch(name):
        raise KeyError(name)
    # Its numbers are refused, so nothing asks for the facts that only pyiqa knows.
    return Metric(
        name,
        digits=4,
        tolerance=0.0,
        smallest_effect=0.0,
        package="pyiqa",
        unknown=f"{name} is a metric of the package pyiqa, which is not installed here and alone "
        "knows its direction and range; the suite's extra [quality] and requirements.lock have it",
    )


class MetricTable(Mapping[str, Metric]):
    """Metrics by name: all of the suite's own, and those of pyiqa by what they are called there.

    Only the suite's own are listed: every evaluation measures them. Without pyiqa any name that
    could be one of its metrics is found, with an entry that says what is missing.
    """

    def __init__(self, own: Iterable[Metric]) -> None:
        self.own = {metric.name: metric for metric in own}

    def __getitem__(self, name: str) -> Metric:
        return self.own[name] if name in self.own else _of_pyiqa(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)


METRICS = MetricTable(
    (
        # A tenth of a decibel and half a hundredth of SSIM are what the unspecified choices of
        # a protocol (rounding, crop, window) move.
        Metric(
            "PSNR",
            digits=2,
            unit="dB",
            lowest=0.0,
            highest=1000.0,  # differences that float32 can hold
            perfect=math.inf,
            tolerance=0.1,
            smallest_effect=0.02,
            regression_floor=0.02,
        ),
        Metric(
            "SSIM",
            digits=4,
            lowest=-1.0,
            highest=1.0,
            tolerance=0.005,
            smallest_effect=0.0005,  # 0.02 dB at the slope of Table V, sigma = 25
            regression_floor=0.0005,
        ),
        # Those without reference have scales that go to 100; networks leave them a little.
        Metric("DBCNN", digits=2, **_RATING, package="pyiqa"),
        Metric("MUSIQ", digits=2, **_RATING, package="pyiqa"),
        Metric("PIQE", digits=2, **_RATING, higher_is_better=False),
    )
)
"""Every metric by name, in the order of result files."""
COMPARED = tuple(name for name, each in METRICS.items() if each.regression_floor is not None)
"""Metrics that the committed reference keeps."""
MAIN = "PSNR"
"""The metric that stands for quality where one number has to."""


def check_metrics(kind: str, names: Iterable[str]) -> None:
    """Raise `UnknownNameError` for the first name that no metric has, pyiqa's included."""
    for name in names:
        if name not in METRICS:
            raise unknown_name(kind, name, [*METRICS, *pyiqa_table()])


@dataclass(frozen=True, slots=True)
class Measure:
    """The function of a metric."""

    compute: Function
    takes: tuple[str, ...]
    """Options that it is called with beside the image or images, by keyword."""


MEASURES: dict[str, Measure] = {}
"""Filled by `ndr.metrics.full_reference` and `ndr.metrics.no_reference`."""


def measures(name: str, *takes: str) -> Callable[[Function], Function]:
    """Tie a function to the entry of its metric.

    Args:
        name: a key of `METRICS`.
        takes: options that the function needs: of metrics with reference fields of `Protocol`, of
            those without `weights` (folder of published weights) and `device`.
    """
    check_names("metric", [name], METRICS.own)

    def tie(function: Function) -> Function:
        MEASURES[name] = Measure(function, takes)
        return function

    return tie


def compute(name: str, *images: Any, **options: Any) -> float:
    """One metric of an image, or of a restored image and its ground truth.

    Args:
        name: a key of `METRICS`.
        images: what its function looks at.
        options: all that a function may take; it gets those that it asks for.
    """
    measure = MEASURES[name]
    return measure.compute(*images, **{option: options[option] for option in measure.takes})
