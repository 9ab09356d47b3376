"""D while it is learned (Fig. 12): its start, its changes between kept steps, and their size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from reports.figures import style
from reports.figures.draw import FigurePlan, MissingFigureInput
from reports.figures.representation_arrays import (
    Array,
    RepresentationArrays,
    representation_arrays,
    symmetric_range,
)
from reports.figures.style import Sheet

MOST_CHANGES = 6
"""Changes that are shown as heat maps, the latest; the curve has all."""
COLUMNS = 4
MARGIN, GAP, HEAD = 0.34, 0.14, 0.24
PANEL_HEIGHT = 1.6
BAR_PLACE = 0.6
CURVE_SHIFT = 0.16
"""Inches that the curve stands further right than a heat map, for its axis."""
PER_STEP = {"color": style.VERMILION, "marker": "s", "markersize": 3.0, "linestyle": "--"}
"""Look of the second line: visible where both fall upon each other."""


def changes(history: Array) -> Array:
    """Absolute changes between successive states of D: (T, M, N) -> (T - 1, M, N)."""
    return np.abs(np.diff(history, axis=0))


def change_ratios(history: Array) -> NDArray[np.float64]:
    """Size of each change over the size of D before it, in the Frobenius norm.

    Args:
        history: D at T steps, (T, M, N).

    Returns:
        (T - 1,) of ||D_t - D_(t-1)|| / ||D_(t-1)||.

    >>> change_ratios(np.array([[[3.0, 4.0]], [[3.0, 5.0]]]))
    array([0.2])
    """
    sizes = np.linalg.norm(history.reshape(len(history), -1), axis=1)
    steps = np.linalg.norm(np.diff(history, axis=0).reshape(len(history) - 1, -1), axis=1)
    return steps / sizes[:-1]


def draw(plan: FigurePlan, results: Path) -> Figure:
    """Draw Fig. 12; see `FigureKind.draw`."""
    with representation_arrays(plan, results) as arrays:
        steps, history = _history(arrays)
    difference = changes(history)
    shown = range(max(0, len(difference) - MOST_CHANGES), len(difference))
    rows = math.ceil((len(shown) + 2) / COLUMNS)
    row_height = PANEL_HEIGHT + 0.4
    sheet = Sheet(style.TEXT_WIDTH, HEAD + rows * row_height - 0.08)
    width = (style.TEXT_WIDTH - MARGIN - 2 * BAR_PLACE - (COLUMNS - 1) * GAP) / COLUMNS
    lefts = [MARGIN + c * (width + GAP) + (BAR_PLACE if c else 0.0) for c in range(COLUMNS)]
    places = [(left, HEAD + row * row_height) for row in range(rows) for left in lefts]

    # The start, then changes; the curve opens the second row, as in the paper, or ends the first.
    curve_at = COLUMNS if len(shown) + 2 > COLUMNS else len(shown) + 1
    _start(sheet, history[0], *places[0], width)
    largest = float(difference[shown.start :].max())
    image, remaining, last_left = None, iter(shown), places[0][0]
    for place, (left, top) in enumerate(places[1 : len(shown) + 2], 1):
        if place == curve_at:
            sheet.panel_letter(MARGIN - 0.3 if place == COLUMNS else left - 0.02, top - 0.12)
            curve = sheet.axes(left + CURVE_SHIFT, top, width + 0.1, PANEL_HEIGHT - 0.12)
            _curve(curve, steps, history)
            continue
        at = next(remaining)
        last_left = left if top == places[0][1] else last_left
        sheet.panel_letter(left - 0.02, top - 0.12)
        title = f"step {steps[at]:,} to {steps[at + 1]:,}"
        sheet.text(left + width / 2 + 0.12, top - 0.12, title, fontsize=style.TINY)
        image = sheet.map_tile(
            difference[at],
            left,
            top,
            width,
            PANEL_HEIGHT,
            ends=(0.0, largest or 1.0),
            stretched=True,
        )
    assert image is not None  # `_history` refuses a single state
    sheet.upright_bar(image, last_left + width + 0.06, HEAD, PANEL_HEIGHT, "absolute change of D")
    return sheet.figure


def alt_text(plan: FigurePlan, results: Path) -> str:
    """The first and the last relative change of D."""
    with representation_arrays(plan, results) as arrays:
        steps, history = _history(arrays)
    ratios = change_ratios(history)
    return (
        f"D of {history.shape[1]} x {history.shape[2]} numbers at {len(steps)} steps. It changes "
        f"by {ratios[0]:.2g} of its size from step {steps[0]:,} to {steps[1]:,}, and by "
        f"{ratios[-1]:.2g} from step {steps[-2]:,} to {steps[-1]:,}."
    )


def _history(arrays: RepresentationArrays) -> tuple[NDArray[np.int64], Array]:
    """Steps (T,), rising, and D at each (T, M, N)."""
    steps = arrays.numbers("D_steps", ndim=1).astype(np.int64)
    history = arrays.numbers("D_history", ndim=3)
    if len(steps) != len(history) or len(steps) < 2 or (np.diff(steps) <= 0).any():
        raise MissingFigureInput(
            arrays.path,
            f"expected D at two rising steps or more, found {len(history)} matrices and the steps "
            f"{steps.tolist()}; train the run with representation_snapshots of at least 2",
        )
    if not history[:-1].any(axis=(1, 2)).all():
        raise MissingFigureInput(arrays.path, "D is zero at a kept step: no change is relative")
    return steps, history


def _start(sheet: Sheet, matrix: Array, left: float, top: float, width: float) -> None:
    dimension, count = matrix.shape
    sheet.panel_letter(left - 0.3, top - 0.12)
    sheet.text(left + width / 2, top - 0.12, "D at the start", fontsize=style.TINY)
    image = sheet.map_tile(
        matrix,
        left,
        top,
        width,
        PANEL_HEIGHT,
        ends=symmetric_range([matrix]),
        colours=style.DIVERGING,
        stretched=True,
    )
    sheet.text(left - 0.1, top + PANEL_HEIGHT / 2, f"M = {dimension}", rotation=90)
    sheet.text(left + width / 2, top + PANEL_HEIGHT + 0.1, f"N = {count}")
    sheet.upright_bar(image, left + width + 0.06, top, PANEL_HEIGHT, "value")


def _curve(axes: Axes, steps: NDArray[np.int64], history: Array) -> None:
    """Relative change against the iteration, in all and per step, both axes logarithmic."""
    ratios = change_ratios(history)
    lines = (
        ("between kept steps", ratios, {"color": style.BLUE, "marker": "o", "markersize": 5.0}),
        ("per step", ratios / np.diff(steps), PER_STEP),
    )
    for label, values, look in lines:
        axes.plot(steps[1:], values, label=label, **look)
    axes.set_xscale("log")
    axes.set_yscale("log", nonpositive="mask")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if steps[-1] < 10 * steps[1]:  # less than a decade has a single labelled tick
        axes.set_xticks(steps[1:], [f"{step:,}" for step in steps[1:]])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=style.TINY, length=2.5, pad=1.5)
    axes.set_xlabel("iteration", fontsize=style.SMALL, labelpad=1.0)
    axes.set_ylabel("change / size of D", fontsize=style.SMALL, labelpad=1.0)
    axes.legend(
        fontsize=style.TINY,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncol=2,
        handlelength=1.2,
        handletextpad=0.4,
        columnspacing=0.8,
        borderaxespad=0.1,
    )
    axes.grid(visible=True, axis="y")
