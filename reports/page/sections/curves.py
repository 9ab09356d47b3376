"""The section of training curves: small inline drawings, one per block of a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ndr.records import table_result as t
from ndr.records.provenance import run_folder
from ndr.records.table_result import QualityEntry, Row, TableResult
from reports.analysis.quality import report_entry
from reports.paper.printed_values import block_title

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 346, 12, 178
"""A drawing's size, and the frame inside it."""
MAX_POINTS = 120
LEAST, MOST = 1e-30, 1e30
"""Losses, and steps, that a logarithmic axis can show."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Losses of one run."""

    loss: str
    """Name of the loss term."""
    steps: list[float]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Line:
    """One run's curve as it is drawn."""

    label: str
    run: str
    path: str
    """Drawing commands of an SVG path."""
    last: float
    """Smoothed loss at the last step."""


@dataclass(frozen=True, slots=True)
class CurveDrawing:
    """The curves of one block."""

    size: ClassVar = (WIDTH, HEIGHT)
    frame: ClassVar = (LEFT, RIGHT, BOTTOM)

    title: str
    loss: str
    """Name of the loss term that is drawn."""
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    """Position in drawing units, and text."""
    y_ticks: list[tuple[float, str]]


class CurveError(ValueError):
    """A curve file that cannot be drawn."""


def read_curve(path: Path) -> Curve:
    """Steps and losses of a `curve.csv`: the image distance `restore`, else `total`.

    Raises:
        FileNotFoundError: no such file.
        CurveError: no table, no such columns, no rows, or numbers that no axis can show.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (csv.Error, UnicodeDecodeError) as error:
        raise CurveError(f"{path}: {error}") from error
    if not rows:
        raise CurveError(f"{path} has no rows")
    if any(None in row or None in row.values() for row in rows):
        raise CurveError(f"{path}: expected as many fields in each line as columns")
    # The weighted total grows with lambda; the image distance is the same quantity in all runs.
    loss = "restore" if "restore" in rows[0] else "total"
    try:
        points = [(float(row["step"]), float(row[loss])) for row in rows if row[loss]]
    except (KeyError, TypeError, ValueError) as error:
        raise CurveError(f"{path}: expected the columns step and {loss} ({error!r})") from error
    if not points or not all(LEAST <= value <= MOST for _, value in points):
        raise CurveError(f"{path}: expected positive, finite losses ({LEAST:g} to {MOST:g})")
    steps = [step for step, _ in points]
    if not (steps[0] >= 0 and 0 < steps[-1] < MOST) or sorted(steps) != steps:
        raise CurveError(f"{path}: expected steps that grow")
    return Curve(loss, [step for step, _ in points], [value for _, value in points])


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """Centred moving average; the window shrinks at the ends.

    >>> smoothed([1.0, 2.0, 6.0], 3)
    [1.5, 3.0, 4.0]
    """
    half = window // 2
    result = []
    for index in range(len(values)):
        part = values[max(0, index - half) : index + half + 1]
        result.append(math.fsum(part) / len(part))
    return result


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = -(-len(points) // MAX_POINTS)
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _linear_ticks(end: float) -> list[float]:
    raw = end / 4
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(m * scale for m in (1, 2, 2.5, 5, 10) if m * scale >= raw)
    return [index * step for index in range(int(end / step * (1 + 1e-9)) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    ticks = [m * 10.0**e for e in exponents for m in (1, 1.5, 2, 3, 5, 7)]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside[:: max(1, len(inside) // 4)]


def _draw(title: str, curves: Sequence[tuple[Row, Curve]]) -> CurveDrawing:
    window = max(1, max(len(curve.steps) for _, curve in curves) // 20) | 1
    smooth = [smoothed(curve.values, window) for _, curve in curves]
    end = max(max(curve.steps) for _, curve in curves)
    low = min(min(values) for values in smooth) / 1.05
    high = max(max(values) for values in smooth) * 1.05

    def x(step: float) -> float:
        return LEFT + (RIGHT - LEFT) * step / end

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * math.log(value / low) / math.log(high / low)

    lines = []
    for (row, curve), values in zip(curves, smooth, strict=True):
        points = _thinned(list(zip(curve.steps, values, strict=True)))
        path = "M" + " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)
        lines.append(Line(row.label, row.run or "", path, values[-1]))
    return CurveDrawing(
        title,
        curves[0][1].loss,
        lines,
        [(round(x(v), 1), f"{v:,g}") for v in _linear_ticks(end)],
        [(round(y(v), 1), f"{v:.2g}") for v in _log_ticks(low, high)],
    )


def curve_drawings(
    results: Path, tables: Sequence[TableResult]
) -> tuple[list[CurveDrawing], list[QualityEntry]]:
    """One drawing per block of each table that has trained runs, and what is missing."""
    drawings: list[CurveDrawing] = []
    quality: list[QualityEntry] = []
    for table in tables:
        for block in table.blocks:
            curves: dict[str, list[tuple[Row, Curve]]] = {}
            for row in block.rows:
                if row.run is None or row.training is None or row.kind != t.METHOD:
                    continue
                try:
                    curve = read_curve(run_folder(results, row.run) / "curve.csv")
                except FileNotFoundError:
                    message = f"{row.run}: curve.csv is not there."
                    quality.append(report_entry(t.NOTE, "pictures", message))
                except CurveError as error:
                    quality.append(report_entry(t.WARNING, "pictures", str(error)))
                else:
                    curves.setdefault(curve.loss, []).append((row, curve))
            several = len(table.blocks) > 1
            title = f"{table.label}, {block_title(block.name)}" if several else table.label
            drawings += [_draw(title, same) for same in curves.values()]
    return drawings, quality
