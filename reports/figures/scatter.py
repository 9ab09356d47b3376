"""Image by image: PSNR of NDR-Restore against the best of the other systems."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ndr.metrics.metric import MAIN, METRICS
from ndr.records.per_image import Evaluation, SeriesKey
from ndr.specs.figure_plan import FigurePlan, FigureRow
from reports.analysis.bootstrap import Interval, Sample, mean_interval, weighted_interval
from reports.figures.evaluated_pictures import evaluation_of
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.style import BLACK, FONT_SIZE, GREY, OURS, SMALL, TEXT_WIDTH, TINY
from reports.number_format import counted, difference_text, unit
from reports.paper.printed_values import with_symbols


def finite_psnr(
    evaluation: Evaluation | None, test_set: str, protocol: str
) -> Mapping[str, float] | None:
    """PSNR per image; None where it is missing, has a problem or is infinite."""
    values = evaluation.sound(SeriesKey(test_set, protocol, MAIN)) if evaluation else None
    return values if values and all(map(math.isfinite, values.values())) else None


def psnr_sample(evaluation: Evaluation | None, test_set: str, protocol: str) -> Sample | None:
    """PSNR per image with its scene, images in the order of their names; None as above."""
    values = finite_psnr(evaluation, test_set, protocol)
    if evaluation is None or values is None:
        return None
    scenes = evaluation.scenes[test_set]
    images = sorted(values)
    numbers = np.array([values[image] for image in images])
    return Sample(numbers, tuple(scenes[image] for image in images))


def psnr_interval(
    evaluation: Evaluation | None, test_sets: Sequence[str], protocol: str
) -> Interval | None:
    """95 % interval of `mean_psnr`; None where a test set has fewer than two scenes."""
    samples = [psnr_sample(evaluation, name, protocol) for name in test_sets]
    known = [sample for sample in samples if sample is not None]
    if not known or len(known) < len(samples):
        return None
    return weighted_interval(known, [1.0] * len(known), name=DRAWS)


def mean_psnr(
    evaluation: Evaluation | None, test_sets: Sequence[str], protocol: str
) -> float | None:
    """Mean over images per test set, then over the sets; None unless all of them are there."""
    sets = [finite_psnr(evaluation, name, protocol) for name in test_sets]
    means = [METRICS[MAIN].aggregate(values.values()) for values in sets if values]
    return statistics.fmean(means) if means and len(means) == len(sets) else None


OUR_METHOD = "ndr_restore"
DRAWS = "figures"
"""Key of the resamples: all systems share them."""
COLUMNS = 3
PANEL_HEIGHT = 2.75
"""Inches of a drawing with its title and its share of the common label."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """PSNR of the images that both systems restored."""

    label: str
    """Of the test set."""
    ours: tuple[float, ...]
    other: tuple[float, ...]
    scenes: tuple[str, ...]
    """Scene of each image."""
    given: float | None
    """Mean PSNR of the degraded input over these images; None where it is not known."""

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the mean difference."""
        differences = np.array(self.ours) - np.array(self.other)
        return mean_interval(Sample(differences, self.scenes), name=DRAWS)

    def spread(self, values: tuple[float, ...]) -> Interval | None:
        """95 % interval of the mean of a system."""
        return mean_interval(Sample(np.array(values), self.scenes), name=DRAWS)

    @property
    def better(self) -> int:
        """Images on which NDR-Restore is better."""
        return sum(own > other for own, other in zip(self.ours, self.other, strict=True))

    @property
    def difference(self) -> float:
        """Mean of the differences, decibel; positive where NDR-Restore is better."""
        return statistics.fmean(a - b for a, b in zip(self.ours, self.other, strict=True))

    @property
    def text(self) -> str:
        """Count and mean in words."""
        interval = self.interval
        ends: list[str] = []
        if interval is not None:
            ends = [difference_text(MAIN, end) for end in (interval.low, interval.high)]
        return (
            f"better on {self.better} of {counted(len(self.ours), 'image')}, "
            f"{difference_text(MAIN, self.difference)}{unit(MAIN)}"
            + (f" ({' to '.join(ends)})" if ends else "")
        )


def comparisons(plan: FigurePlan, results: Path) -> tuple[FigureRow, FigureRow, list[Comparison]]:
    """NDR-Restore, the best other system by its mean over all test sets, and their images per set.

    Raises:
        MissingFigureInput: NDR-Restore or all others lack values of a test set.
    """
    rows = {row.run: row for row in plan.rows if row.run}
    ours = next((run for run in rows if run.startswith(f"{OUR_METHOD}__")), None)
    if ours is None:
        raise MissingFigureInput(results, "NDR-Restore was not run.")
    read = {run: evaluation_of(results, run) for run in rows}
    means = {run: mean_psnr(read[run], plan.test_sets, plan.protocol) for run in rows}
    others = {run: mean for run, mean in means.items() if run != ours and mean is not None}
    if means[ours] is None or not others:
        missing = rows[ours].label if means[ours] is None else "each of the other systems"
        raise MissingFigureInput(
            results / "evaluations", f"{missing} lacks PSNR values of some test set."
        )
    best = max(others, key=others.__getitem__)
    control = evaluation_of(results, plan.input_run)
    found = []
    for name, label in zip(plan.test_sets, plan.test_set_labels, strict=True):
        own, other = (finite_psnr(read[run], name, plan.protocol) or {} for run in (ours, best))
        common = sorted(own.keys() & other.keys())
        if not common:
            raise MissingFigureInput(
                results / "evaluations",
                f"{rows[ours].label} and {rows[best].label} share no image of {label}.",
            )
        evaluation = read[ours]
        assert evaluation is not None  # it has a mean
        scenes = tuple(evaluation.scenes[name][image] for image in common)
        inputs = finite_psnr(control, name, plan.protocol) or {}
        known = [inputs[image] for image in common if image in inputs]
        given = statistics.fmean(known) if len(known) == len(common) else None
        found.append(
            Comparison(
                label,
                tuple(own[image] for image in common),
                tuple(other[image] for image in common),
                scenes,
                given,
            )
        )
    return rows[ours], rows[best], found


def _draw_one(axes: Axes, comparison: Comparison) -> None:
    given = () if comparison.given is None else (comparison.given,)
    every = comparison.ours + comparison.other + given
    margin = max(0.25, 0.08 * (max(every) - min(every)))
    ends = (min(every) - margin, max(every) + margin)
    axes.axline((ends[0], ends[0]), slope=1, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    many = len(comparison.ours) > 50
    sns.scatterplot(
        x=comparison.other,
        y=comparison.ours,
        s=9 if many else 18,
        color=OURS,
        alpha=0.6 if many else 0.85,
        linewidth=0,
        ax=axes,
    )
    for value in given:
        axes.axvline(value, color=GREY, linewidth=0.8, linestyle=":")
        axes.axhline(value, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(
            "degraded input",
            (ends[1], value),
            (-2, 2),
            textcoords="offset points",
            ha="right",
            fontsize=TINY,
            color=GREY,
        )
    _draw_mean(axes, comparison)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.locator_params(nbins=5)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    axes.set_title(with_symbols(comparison.label), fontsize=FONT_SIZE, pad=25, parse_math=False)
    axes.text(
        0.5,
        1.03,
        comparison.text.replace(", ", "\n", 1),
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=SMALL,
        color=GREY,
        parse_math=False,
    )


def _draw_mean(axes: Axes, comparison: Comparison) -> None:
    """The two means with their intervals, as a cross."""
    across, up = (comparison.spread(values) for values in (comparison.other, comparison.ours))
    if across is None or up is None:
        return
    x, y = statistics.fmean(comparison.other), statistics.fmean(comparison.ours)
    axes.errorbar(
        [x],
        [y],
        xerr=[[x - across.low], [across.high - x]],
        yerr=[[y - up.low], [up.high - y]],
        color=BLACK,
        linewidth=1.0,
        capsize=2.0,
        zorder=4,
    )


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """One square drawing per test set, with the diagonal.

    Raises:
        MissingFigureInput: see `comparisons`.
    """
    ours, best, found = comparisons(plan, results)
    columns = min(COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    size = (TEXT_WIDTH * columns / COLUMNS, PANEL_HEIGHT * rows)
    figure = Figure(figsize=size, layout="constrained")
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, comparison in zip(every, found, strict=False):
        _draw_one(axes, comparison)
    for axes in every[len(found) :]:
        axes.remove()
    for write, label in ((figure.supxlabel, best.label), (figure.supylabel, ours.label)):
        write(f"{METRICS[MAIN].label}, {label}", fontsize=FONT_SIZE, parse_math=False)
    words = "; ".join(f"{each.label}: {each.text}" for each in found)
    return Drawing(
        figure,
        alt=with_symbols(f"Scatter plots of {MAIN}, {ours.label} against {best.label}. {words}."),
        details=(
            f"Best of the others: {best.label}. {words}. Cross: the means with 95 % intervals; "
            "dotted: the mean of the degraded input."
        ),
    )
