"""Image by image: PSNR of NDR-Restore against the best of the other systems."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ndr.metrics.metric import MAIN, METRICS
from ndr.records.per_image import (
    Evaluation,
    ResultFileError,
    SeriesKey,
    mean,
    read_evaluation,
)
from ndr.records.provenance import evaluation_folder
from ndr.specs.figure_plan import FigurePlan, FigureRow
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.style import FONT_SIZE, GREY, OURS, SMALL, TEXT_WIDTH
from reports.number_format import counted, difference_text, unit
from reports.paper.printed_values import with_symbols


def evaluation_of(results: Path, run: str) -> Evaluation | None:
    """Values of a run; None where the file is missing or unusable, which the tables report."""
    path = evaluation_folder(results, run) / "per_image.csv"
    try:
        return read_evaluation(path, run, may_be_empty=True)
    except (FileNotFoundError, ResultFileError):
        return None


def finite_psnr(
    evaluation: Evaluation | None, test_set: str, protocol: str
) -> Mapping[str, float] | None:
    """PSNR per image; None where it is missing, has a problem or is infinite."""
    if evaluation is None:
        return None
    values = evaluation.sound(SeriesKey(test_set, protocol, MAIN))
    if not values or not all(map(math.isfinite, values.values())):
        return None
    return values


def mean_psnr(
    evaluation: Evaluation | None, test_sets: Sequence[str], protocol: str
) -> float | None:
    """Mean over images per test set, then over the sets; None unless all of them are there."""
    sets = [finite_psnr(evaluation, name, protocol) for name in test_sets]
    if not sets or any(values is None for values in sets):
        return None
    return statistics.fmean(mean(values) for values in sets if values is not None)


OUR_METHOD = "ndr_restore"
COLUMNS = 3
LEFT, RIGHT, TOP, BOTTOM = 0.4, 0.14, 0.4, 0.28
"""Inches around each drawing."""
MARGIN = 0.22
"""Inches for the common labels, left and below."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """PSNR of the images that both systems restored."""

    label: str
    """Of the test set."""
    ours: tuple[float, ...]
    other: tuple[float, ...]

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
        return (
            f"better on {self.better} of {counted(len(self.ours), 'image')}, "
            f"{difference_text(MAIN, self.difference)}{unit(MAIN)}"
        )


def _ours(plan: FigurePlan, results: Path) -> FigureRow:
    row = next((r for r in plan.rows if r.run and r.run.startswith(f"{OUR_METHOD}__")), None)
    if row is None:
        raise MissingFigureInput(results, "NDR-Restore was not run.")
    return row


def comparisons(plan: FigurePlan, results: Path) -> tuple[FigureRow, list[Comparison]]:
    """The best other system by its mean over all test sets, and both systems' images per set.

    Raises:
        MissingFigureInput: NDR-Restore or all others lack values of a test set.
    """
    ours = _ours(plan, results)
    read = {row.run: evaluation_of(results, row.run) for row in plan.rows if row.run}
    means = {
        row.run: mean_psnr(read[row.run], plan.test_sets, plan.protocol)
        for row in plan.rows
        if row.run
    }
    others = [row for row in plan.rows if row.run != ours.run and means.get(row.run) is not None]
    if means[ours.run] is None or not others:
        missing = ours.label if means[ours.run] is None else "each of the other systems"
        raise MissingFigureInput(
            results / "evaluations", f"{missing} lacks PSNR values of some test set."
        )
    best = max(others, key=lambda row: means[row.run] or -math.inf)
    found = []
    for name, label in zip(plan.test_sets, plan.test_set_labels, strict=True):
        own = finite_psnr(read[ours.run], name, plan.protocol) or {}
        other = finite_psnr(read[best.run], name, plan.protocol) or {}
        common = sorted(own.keys() & other.keys())
        if not common:
            raise MissingFigureInput(
                results / "evaluations", f"{ours.label} and {best.label} share no image of {label}."
            )
        values = (tuple(series[image] for image in common) for series in (own, other))
        found.append(Comparison(label, *values))
    return best, found


def _draw_one(axes: Axes, comparison: Comparison) -> None:
    low = min(*comparison.ours, *comparison.other)
    high = max(*comparison.ours, *comparison.other)
    margin = max(0.25, 0.08 * (high - low))
    ends = (low - margin, high + margin)
    axes.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    many = len(comparison.ours) > 50
    axes.scatter(
        comparison.other,
        comparison.ours,
        s=9 if many else 18,
        color=OURS,
        alpha=0.6 if many else 0.85,
        linewidths=0,
        zorder=2,
    )
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.locator_params(nbins=5)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    axes.set_title(with_symbols(comparison.label), fontsize=FONT_SIZE, pad=14, parse_math=False)
    axes.text(
        0.5,
        1.03,
        comparison.text,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=SMALL,
        color=GREY,
        parse_math=False,
    )


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """One square drawing per test set, with the diagonal.

    Raises:
        MissingFigureInput: see `comparisons`.
    """
    best, found = comparisons(plan, results)
    columns = min(COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    side = (TEXT_WIDTH - MARGIN) / COLUMNS
    inner, tall = side - LEFT - RIGHT, side - LEFT - RIGHT + TOP + BOTTOM
    width, height = side * columns + MARGIN, tall * rows + MARGIN
    figure = Figure(figsize=(width, height))
    for index, comparison in enumerate(found):
        left = MARGIN + index % columns * side + LEFT
        bottom = height - (index // columns + 1) * tall + BOTTOM
        place = (left / width, bottom / height, inner / width, inner / height)
        _draw_one(figure.add_axes(place), comparison)
    ours = _ours(plan, results).label
    for x, y, label, turn in (
        ((MARGIN + width) / 2 / width, 0.06 / height, best.label, 0),
        (0.06 / width, (MARGIN + height) / 2 / height, ours, 90),
    ):
        words = f"{METRICS[MAIN].label}, {label}"
        at = {"ha": "left", "va": "center"} if turn else {"ha": "center", "va": "bottom"}
        figure.text(x, y, words, rotation=turn, fontsize=FONT_SIZE, parse_math=False, **at)
    words = "; ".join(f"{each.label}: {each.text}" for each in found)
    return Drawing(
        figure,
        alt=with_symbols(f"Scatter plots of {MAIN}, {ours} against {best.label}. {words}."),
        details=f"Best of the others: {best.label}. {words}.",
    )
