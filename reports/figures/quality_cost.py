"""Quality against cost: PSNR against the number of parameters, or against time per megapixel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from ndr.metrics.metric import MAIN, METRICS
from ndr.nearest_name import check_names
from ndr.records.provenance import EvaluationProvenance, evaluation_folder
from ndr.records.record import ResultFileError
from ndr.specs.figure_plan import FigurePlan
from reports.figures.evaluated_pictures import evaluation_of
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.scatter import OUR_METHOD, mean_psnr, psnr_interval
from reports.figures.style import BLACK, BLUE, FONT_SIZE, GREY, OURS, SMALL, TEXT_WIDTH, TINY
from reports.number_format import metric_text, unit
from reports.paper.printed_values import with_symbols

NEAR = 5.0
"""Points (1/72 inch) between a mark and a name beside it."""
RINGS = (1.0, 2.5, 4.5, 7.0)
"""Distances that are tried, in units of `NEAR`."""
MARK = 4.0
"""Half the side of the square that a mark covers."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Right, left, above, below, corners: readers look to the right first."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Area that two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.top - self.bottom)


def text_width(text: str, font_size: float, *, bold: bool) -> float:
    """Width of a word in the figures' font, in the unit of the font size."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    # Not at its size: outlines are rounded to whole units, which shows in small letters.
    plain = text.replace("$", r"\$")  # no formula
    extents = TextPath((0, 0), plain, size=100, prop=font, usetex=False).get_extents()
    return float(extents.width) * font_size / 100


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a name stands: its box, and the line to its mark where it is far from it."""

    box: Box
    line: tuple[Box, ...]
    """Small squares along the way; none where the mark is near."""


def _candidates(x: float, y: float, width: float, height: float) -> list[Placed]:
    found = []
    for ring in RINGS:
        gap = NEAR * ring
        for across, up in DIRECTIONS:
            left = x + gap if across > 0 else x - gap - width if across < 0 else x - width / 2
            bottom = y + gap if up > 0 else y - gap - height if up < 0 else y - height / 2
            box = Box(left, bottom, left + width, bottom + height)
            found.append(Placed(box, _line(x, y, box) if ring > RINGS[0] else ()))
    return found


def _line(x: float, y: float, box: Box) -> tuple[Box, ...]:
    """Squares of two points between a mark and the middle of a name."""
    across, up = (box.left + box.right) / 2 - x, (box.bottom + box.top) / 2 - y
    steps = [step / 10 for step in range(2, 9)]
    middles = [(x + step * across, y + step * up) for step in steps]
    return tuple(Box(a - 1, b - 1, a + 1, b + 1) for a, b in middles)


def place_names(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    height: float,
    bounds: Box,
    obstacles: Sequence[Box] = (),
) -> list[Placed]:
    """A place for each name, from the topmost mark downwards.

    Args:
        points: marks, in points of 1/72 inch.
        widths: of the names, one per mark.
        height: of the names.
        bounds: what names should not leave.
        obstacles: what names should not cover either.

    Returns:
        One place per mark: the nearest that covers nothing, else the one that covers least, its
        line included.
    """
    taken = [Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in points]
    taken.extend(obstacles)
    places: dict[int, Placed] = {}
    for index in sorted(range(len(points)), key=lambda each: (-points[each][1], points[each][0])):

        def cost(place: Placed) -> float:
            parts = (place.box, *place.line)
            covered = sum(part.overlap(each) for part in parts for each in taken)
            outside = place.box.area - place.box.overlap(bounds)
            return covered + outside

        best = min(_candidates(*points[index], widths[index], height), key=cost)
        places[index] = best
        taken.extend((best.box, *best.line))
    return [places[index] for index in range(len(points))]


COSTS = {
    "parameters": "learned parameters",
    "seconds_per_megapixel": "seconds per megapixel",
}
"""Key of an evaluation's provenance, and the axis it becomes."""
COLUMNS = 2
PANEL_HEIGHT = 2.3
ROOM_FOR_NAMES = 0.18
"""Of the range of values, added on each side."""


def _provenance(results: Path, run: str) -> EvaluationProvenance | None:
    path = evaluation_folder(results, run) / "provenance.json"
    try:
        return EvaluationProvenance.read_if_there(path)
    except ResultFileError as error:
        raise MissingFigureInput(path, str(error)) from error


def systems(plan: FigurePlan, results: Path) -> pd.DataFrame:
    """The marks in the order of the plan, a row per system.

    Columns: `group`, the labels of the test sets that it was scored on; `setting`, `label`, `ours`,
    `psnr` with the ends `low` and `high` of its 95 % interval, NaN where it has none; `cost`, NaN
    where a system has none, e.g. no parameters; `given`, PSNR of the degraded input.

    Raises:
        UnknownNameError: a cost that provenance does not hold.
        MissingFigureInput: no system has both numbers.
    """
    check_names("cost", [plan.content], COSTS)
    labels = dict(zip(plan.test_sets, plan.test_set_labels, strict=True))
    found = []
    control = evaluation_of(results, plan.input_run)
    for row in plan.rows:
        if row.run is None:
            continue
        evaluation = evaluation_of(results, row.run)
        psnr = mean_psnr(evaluation, row.test_sets, plan.protocol)
        cost = getattr(_provenance(results, row.run), plan.content, None)
        number = float(cost) if isinstance(cost, int | float) and cost > 0 else math.nan
        if psnr is not None and (plan.content == "parameters" or not math.isnan(number)):
            ours = row.run.startswith(f"{OUR_METHOD}__")
            sets = "; ".join(labels[name] for name in row.test_sets)
            interval = psnr_interval(evaluation, row.test_sets, plan.protocol)
            ends = (math.nan, math.nan) if interval is None else (interval.low, interval.high)
            given = mean_psnr(control, row.test_sets, plan.protocol)
            known = math.nan if given is None else given
            found.append((sets, row.setting, row.label, ours, number, psnr, *ends, known))
    columns = ["group", "setting", "label", "ours", "cost", "psnr", "low", "high", "given"]
    frame = pd.DataFrame(found, columns=columns)
    if not frame["cost"].notna().any():
        raise MissingFigureInput(
            results / "evaluations", f"no system has both PSNR values and {COSTS[plan.content]}."
        )
    return frame


def _title(group: pd.DataFrame) -> str:
    """The setting that the systems of a group were trained in."""
    return next((setting for setting in group["setting"] if setting), "")


def _cost_text(content: str, value: float) -> str:
    """A cost in short.

    >>> _cost_text("parameters", 26_100_000), _cost_text("seconds_per_megapixel", 1000)
    ('26.1 M', '1,000')
    """
    return EngFormatter()(value) if content == "parameters" else f"{value:,g}"


def _limits(values: Iterable[float], least: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(ROOM_FOR_NAMES * (high - low), least)
    return low - room, high + room


def _draw_group(axes: Axes, group: pd.DataFrame, content: str) -> None:
    marked = group[group["cost"].notna()]
    if len(marked):
        low, high = _limits(np.log10(marked["cost"]), 0.3)
        axes.set(xscale="log", xlim=(10**low, 10**high))
    sns.scatterplot(
        marked,
        x="cost",
        y="psnr",
        hue="ours",
        palette={True: OURS, False: BLUE},
        style="ours",
        markers={True: "D", False: "o"},
        size="ours",
        sizes={True: 30, False: 20},
        linewidth=0,
        legend=False,
        zorder=3,
        ax=axes,
    )
    colours = [OURS if ours else BLUE for ours in marked["ours"]]
    axes.vlines(marked["cost"], marked["low"], marked["high"], colors=colours, linewidth=1.0)
    for system in group[group["cost"].isna()].itertuples():
        _draw_level(axes, system.psnr, f"{system.label}, nothing learned", (0, (4, 3)))
    for given in group["given"].dropna().head(1):
        _draw_level(axes, given, "degraded input", ":")
    left, right = axes.get_xlim()
    # Less than two decades would have a single label or two.
    subs = (1.0, 2.0, 5.0) if right < 100 * left else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _cost_text(content, value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(ylim=_limits(_values(group), 0.2), xlabel=COSTS[content], ylabel=METRICS[MAIN].label)
    axes.locator_params(axis="y", nbins=6)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    title = with_symbols(_title(group))
    axes.set_title(title, fontsize=FONT_SIZE, loc="left", parse_math=False)


def _draw_level(axes: Axes, value: float, words: str, dashes: Any) -> None:
    """A line over the whole width, with its name above its end."""
    axes.axhline(value, color=GREY, linewidth=0.8, linestyle=dashes)
    axes.annotate(
        words,
        (1, value),
        (-2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=TINY,
        color=GREY,
        parse_math=False,
    )


def _values(group: pd.DataFrame) -> list[float]:
    """Everything that the axis of PSNR has to have room for."""
    return list(group[["psnr", "low", "high", "given"]].stack().dropna())


def _whiskers(axes: Axes, marked: pd.DataFrame, point: float) -> list[Box]:
    """Where the intervals stand; points of 1/72 inch."""
    boxes = []
    for system in marked.dropna(subset=["low", "high"]).itertuples():
        ends = axes.transData.transform([(system.cost, system.low), (system.cost, system.high)])
        (x, bottom), (_, top) = ends / point
        boxes.append(Box(x - 1, bottom, x + 1, top))
    return boxes


def _write_names(axes: Axes, marked: pd.DataFrame, inch: float) -> None:
    """Write the systems' names beside their marks; `inch` in pixels of the figure."""
    point = inch / 72
    marks = axes.transData.transform(marked[["cost", "psnr"]]) / point
    area = axes.bbox
    bounds = Box(area.x0 / point, area.y0 / point, area.x1 / point, area.y1 / point)
    rows = list(marked.itertuples())
    # Names side by side need a space between them.
    widths = [text_width(system.label, SMALL, bold=system.ours) + SMALL / 4 for system in rows]
    whiskers = _whiskers(axes, marked, point)
    places = place_names(marks.tolist(), widths, SMALL, bounds, whiskers)
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkB": 3}
    for system, (x, y), place in zip(rows, marks, places, strict=True):
        box = place.box
        axes.annotate(
            system.label,
            (system.cost, system.psnr),
            ((box.left + box.right) / 2 - x, (box.bottom + box.top) / 2 - y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SMALL,
            fontweight="bold" if system.ours else "normal",
            color=OURS if system.ours else BLACK,
            arrowprops=line if place.line else None,
            zorder=4,
            parse_math=False,
        )


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """One drawing per group of systems that were tested alike.

    Raises:
        MissingFigureInput: see `systems`.
    """
    frame = systems(plan, results)
    groups = [group for _, group in frame.groupby("group", sort=False)]
    columns = min(COLUMNS, len(groups))
    rows = math.ceil(len(groups) / columns)
    figure = Figure(figsize=(TEXT_WIDTH, rows * PANEL_HEIGHT), layout="constrained")
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in every[len(groups) :]:
        axes.remove()
    for axes, group in zip(every, groups, strict=False):
        _draw_group(axes, group, plan.content)
    figure.draw_without_rendering()  # the layout decides where the marks stand
    figure.set_layout_engine("none")
    for axes, group in zip(every, groups, strict=False):
        _write_names(axes, group[group["cost"].notna()], figure.dpi)
    sets = " ".join(f"{_title(group)}: {group['group'].iloc[0]}." for group in groups)
    timed = plan.content != "parameters"
    machines = f" Measured on {_machines(plan, results)}." if timed else ""
    words = " ".join(_words(group, plan.content) for group in groups)
    return Drawing(
        figure,
        alt=with_symbols(f"{MAIN} against {COSTS[plan.content]}. {words}"),
        details=f"Test sets of {sets}{machines}",
        reading="Upright lines: 95 % intervals over the images; dotted: the degraded input.",
    )


def _machines(plan: FigurePlan, results: Path) -> str:
    jobs = [_provenance(results, row.run) for row in plan.rows if row.run]
    found = {", ".join([job.hardware.processor, *job.hardware.gpus]) for job in jobs if job}
    return "; ".join(sorted(found)) or "a machine that is not recorded"


def _words(group: pd.DataFrame, content: str) -> str:
    """Every system with both numbers, the best first."""
    parts = []
    for system in group.sort_values("psnr", ascending=False, kind="stable").itertuples():
        known = not math.isnan(system.cost)
        cost = _cost_text(content, float(f"{system.cost:.3g}")) if known else "none"
        ends = [metric_text(MAIN, end) for end in (system.low, system.high) if not math.isnan(end)]
        interval = f" ({' to '.join(ends)})" if ends else ""
        value = f"{metric_text(MAIN, system.psnr)}{unit(MAIN)}"
        parts.append(f"{system.label} {value}{interval} at {cost}")
    return f"{_title(group)}: {', '.join(parts)}."
