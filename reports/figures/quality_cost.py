"""Quality against cost: PSNR against the number of parameters, or against time per megapixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ndr.metrics.metric import MAIN, METRICS
from ndr.nearest_name import check_names
from ndr.records.provenance import ProvenanceError, evaluation_folder, read_provenance
from ndr.specs.figure_plan import FigurePlan, FigureRow
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.scatter import OUR_METHOD, evaluation_of, mean_psnr
from reports.figures.style import BLUE, FONT_SIZE, GREY, OURS, SMALL, TEXT_WIDTH, TINY
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
    """Where a name stands: its box, and whether it is so far from its mark that a line helps."""

    box: Box
    far: bool


def _candidates(x: float, y: float, width: float, height: float) -> list[Placed]:
    found = []
    for ring in RINGS:
        gap = NEAR * ring
        for across, up in DIRECTIONS:
            left = x + gap if across > 0 else x - gap - width if across < 0 else x - width / 2
            bottom = y + gap if up > 0 else y - gap - height if up < 0 else y - height / 2
            found.append(Placed(Box(left, bottom, left + width, bottom + height), ring > RINGS[0]))
    return found


def place_names(
    points: Sequence[tuple[float, float]], widths: Sequence[float], height: float, bounds: Box
) -> list[Placed]:
    """A place for each name, from the topmost mark downwards.

    Args:
        points: marks, in points of 1/72 inch.
        widths: of the names, one per mark.
        height: of the names.
        bounds: what names should not leave.

    Returns:
        One place per mark: the nearest that covers nothing, else the one that covers least.
    """
    taken = [Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in points]
    places: dict[int, Placed] = {}
    for index in sorted(range(len(points)), key=lambda each: (-points[each][1], points[each][0])):

        def cost(place: Placed) -> float:
            covered = sum(place.box.overlap(each) for each in taken)
            outside = place.box.area - place.box.overlap(bounds)
            return covered + outside

        best = min(_candidates(*points[index], widths[index], height), key=cost)
        places[index] = best
        taken.append(best.box)
    return [places[index] for index in range(len(points))]


COSTS = {
    "parameters": "learned parameters",
    "seconds_per_megapixel": "seconds per megapixel",
}
"""Key of an evaluation's provenance, and the axis it becomes."""
COLUMNS = 2
PANEL_HEIGHT = 2.3
LEFT, RIGHT, TOP, BOTTOM = 0.55, 0.12, 0.28, 0.42
"""Inches around each drawing."""
ROOM_FOR_NAMES = 0.18
"""Of the range of values, added on each side."""


@dataclass(frozen=True, slots=True)
class System:
    """One mark."""

    label: str
    ours: bool
    cost: float | None
    """None where the system has none, e.g. no parameters."""
    psnr: float


@dataclass(frozen=True, slots=True)
class Group:
    """Systems that were trained and tested alike."""

    label: str
    test_sets: tuple[str, ...]
    """Labels."""
    systems: tuple[System, ...]


def _provenance(results: Path, run: str) -> dict[str, object]:
    path = evaluation_folder(results, run) / "provenance.json"
    try:
        return read_provenance(path)
    except FileNotFoundError:
        return {}
    except ProvenanceError as error:
        raise MissingFigureInput(
            path, f"the file is damaged; delete {run} and run again."
        ) from error


def _system(plan: FigurePlan, row: FigureRow, results: Path) -> System | None:
    assert row.run is not None
    psnr = mean_psnr(evaluation_of(results, row.run), row.test_sets, plan.protocol)
    cost = _provenance(results, row.run).get(plan.content)
    number = float(cost) if isinstance(cost, int | float) and cost > 0 else None
    if psnr is None or (number is None and plan.content != "parameters"):
        return None
    return System(row.label, row.run.startswith(f"{OUR_METHOD}__"), number, psnr)


def groups(plan: FigurePlan, results: Path) -> list[Group]:
    """The systems by their test sets, in the order of the plan.

    Raises:
        UnknownNameError: a cost that provenance does not hold.
        MissingFigureInput: no system has both numbers.
    """
    check_names("cost", [plan.content], COSTS)
    labels = dict(zip(plan.test_sets, plan.test_set_labels, strict=True))
    titles: dict[tuple[str, ...], str] = {}
    members: dict[tuple[str, ...], list[System]] = {}
    for row in plan.rows:
        if row.run and (system := _system(plan, row, results)) is not None:
            titles[row.test_sets] = titles.get(row.test_sets) or row.setting
            members.setdefault(row.test_sets, []).append(system)
    if not any(system.cost for systems in members.values() for system in systems):
        raise MissingFigureInput(
            results / "evaluations", f"no system has both PSNR values and {COSTS[plan.content]}."
        )
    return [
        Group(titles[sets], tuple(labels[name] for name in sets), tuple(systems))
        for sets, systems in members.items()
    ]


def _cost_text(content: str, value: float) -> str:
    """A cost in short.

    >>> _cost_text("parameters", 26_100_000), _cost_text("seconds_per_megapixel", 1000)
    ('26.1 M', '1,000')
    """
    if content != "parameters":
        return f"{value:,g}"
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {prefix}"
    return f"{value:g}"


def _limits(values: list[float], least: float) -> tuple[float, float]:
    room = max(ROOM_FOR_NAMES * (max(values) - min(values)), least)
    return min(values) - room, max(values) + room


def _draw_group(axes: Axes, group: Group, size: tuple[float, float], content: str) -> None:
    """Draw one group in axes of `size` points (1/72 inch)."""
    marked = [system for system in group.systems if system.cost]
    logs = [math.log10(system.cost) for system in marked if system.cost]
    x_ends = _limits(logs, 0.3) if logs else (0.0, 1.0)
    y_ends = _limits([system.psnr for system in group.systems], 0.2)
    axes.set_xscale("log")
    axes.set(xlim=(10 ** x_ends[0], 10 ** x_ends[1]), ylim=y_ends)
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _cost_text(content, value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.locator_params(axis="y", nbins=6)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    title = with_symbols(group.label)
    axes.set_title(title, fontsize=FONT_SIZE, loc="left", parse_math=False)
    for system in group.systems:
        if system.cost is None:
            axes.axhline(system.psnr, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.annotate(
                f"{system.label}, nothing learned",
                (1, system.psnr),
                (-2, 2),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                fontsize=TINY,
                color=GREY,
                parse_math=False,
            )
        else:
            axes.scatter(
                system.cost,
                system.psnr,
                s=30 if system.ours else 20,
                marker="D" if system.ours else "o",
                color=OURS if system.ours else BLUE,
                linewidths=0,
                zorder=3,
            )
    _draw_names(axes, marked, size, (x_ends, y_ends))


def _draw_names(
    axes: Axes,
    systems: list[System],
    size: tuple[float, float],
    ends: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    (x_low, x_high), (y_low, y_high) = ends
    points = [
        (
            (math.log10(system.cost) - x_low) / (x_high - x_low) * size[0],
            (system.psnr - y_low) / (y_high - y_low) * size[1],
        )
        for system in systems
        if system.cost
    ]
    widths = [text_width(system.label, SMALL, bold=system.ours) for system in systems]
    places = place_names(points, widths, SMALL, Box(0, 0, *size))
    for system, point, place in zip(systems, points, places, strict=True):
        middle = (
            (place.box.left + place.box.right) / 2 - point[0],
            (place.box.bottom + place.box.top) / 2 - point[1],
        )
        axes.annotate(
            system.label,
            (system.cost or 0.0, system.psnr),
            middle,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SMALL,
            fontweight="bold" if system.ours else "normal",
            color=OURS if system.ours else "black",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkB": 3}
            if place.far
            else None,
            zorder=4,
            parse_math=False,
        )


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """One drawing per group of systems.

    Raises:
        MissingFigureInput: see `groups`.
    """
    found = groups(plan, results)
    columns = min(COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    cell = TEXT_WIDTH / columns
    height = rows * PANEL_HEIGHT
    figure = Figure(figsize=(TEXT_WIDTH, height))
    for group, (row, column) in zip(found, np.ndindex(rows, columns), strict=False):
        wide, tall = cell - LEFT - RIGHT, PANEL_HEIGHT - TOP - BOTTOM
        bottom = height - (row + 1) * PANEL_HEIGHT + BOTTOM
        axes = figure.add_axes(
            (
                (column * cell + LEFT) / TEXT_WIDTH,
                bottom / height,
                wide / TEXT_WIDTH,
                tall / height,
            )
        )
        _draw_group(axes, group, (wide * 72, tall * 72), plan.content)
        axes.set_xlabel(COSTS[plan.content])
        axes.set_ylabel(METRICS[MAIN].label)
    sets = " ".join(f"{group.label}: {'; '.join(group.test_sets)}." for group in found)
    timed = plan.content != "parameters"
    machines = f" Measured on {'; '.join(_machines(plan, results))}." if timed else ""
    return Drawing(figure, alt=_alt(plan, found), details=f"Test sets of {sets}{machines}")


def _machines(plan: FigurePlan, results: Path) -> list[str]:
    found = set()
    for row in plan.rows:
        hardware = _provenance(results, row.run).get("hardware") if row.run else None
        if isinstance(hardware, dict):
            gpus = hardware.get("gpus") or []
            found.add(", ".join([str(hardware.get("processor")), *map(str, gpus)]))
    return sorted(found) or ["a machine that is not recorded"]


def _alt(plan: FigurePlan, found: Sequence[Group]) -> str:
    """Every system with both numbers, the best first."""
    sentences = []
    for group in found:
        systems = ", ".join(
            f"{system.label} {metric_text(MAIN, system.psnr)}{unit(MAIN)} at "
            + (_cost_text(plan.content, float(f"{system.cost:.3g}")) if system.cost else "none")
            for system in sorted(group.systems, key=lambda each: -each.psnr)
        )
        sentences.append(f"{group.label}: {systems}.")
    return with_symbols(f"{MAIN} against {COSTS[plan.content]}. {' '.join(sentences)}")
