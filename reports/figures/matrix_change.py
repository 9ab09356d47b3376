"""D while it is learned (Fig. 12): its start, its changes between kept steps, and their size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from ndr.specs.figure_plan import FigurePlan
from reports.figures import style
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.representation_arrays import Array, RepresentationArrays, representation_arrays
from reports.figures.sheet import Sheet

MOST_CHANGES = 6
"""Changes that are shown as heat maps, the latest; the curve has all."""
COLUMNS = 4
MARGIN, GAP, HEAD = 0.34, 0.14, 0.24
PANEL_HEIGHT = 1.6
BAR_PLACE = 0.6
CURVE_SHIFT = 0.16
"""Inches that the curve stands further right than a heat map, for its axis."""


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


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw Fig. 12; see `FigureKind.draw`."""
    with representation_arrays(plan, results) as arrays:
        steps, history = _history(arrays)
    changes = np.abs(np.diff(history, axis=0))
    ratios = change_ratios(history)
    # The start, then changes; the curve opens the second row, as in the paper, or ends the first.
    panels = ["start", *range(max(0, len(changes) - MOST_CHANGES), len(changes))]
    largest = float(changes[-MOST_CHANGES:].max()) or 1.0
    last_above = panels[:COLUMNS][-1]
    panels.insert(COLUMNS, "curve")
    row_height = PANEL_HEIGHT + 0.4
    sheet = Sheet(style.TEXT_WIDTH, HEAD + math.ceil(len(panels) / COLUMNS) * row_height - 0.08)
    width = (style.TEXT_WIDTH - MARGIN - 2 * BAR_PLACE - (COLUMNS - 1) * GAP) / COLUMNS
    for index, panel in enumerate(panels):
        row, column = divmod(index, COLUMNS)
        left = MARGIN + column * (width + GAP) + (BAR_PLACE if column else 0.0)
        top = HEAD + row * row_height
        sheet.panel_letter(left - (0.02 if column else 0.3), top - 0.12)
        if panel == "start":
            _start(sheet, history[0], left, top, width)
        elif panel == "curve":
            place = left + CURVE_SHIFT, top, width + 0.1, PANEL_HEIGHT - 0.12
            _curve(sheet.axes(*place), steps, ratios)
        else:
            title = f"step {steps[panel]:,} to {steps[panel + 1]:,}"
            sheet.text(left + width / 2 + 0.12, top - 0.12, title, fontsize=style.TINY)
            bar = "absolute change of D" if panel == last_above else ""
            ends = 0.0, largest
            sheet.heat_map(changes[panel], left, top, width, PANEL_HEIGHT, ends=ends, bar=bar)
    return Drawing(
        sheet.figure,
        alt=f"D of {history.shape[1]} x {history.shape[2]} numbers at {len(steps)} steps. It "
        f"changes by {ratios[0]:.2g} of its size from step {steps[0]:,} to {steps[1]:,}, and by "
        f"{ratios[-1]:.2g} from step {steps[-2]:,} to {steps[-1]:,}.",
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
    sheet.text(left + width / 2, top - 0.12, "D at the start", fontsize=style.TINY)
    sheet.heat_map(matrix, left, top, width, PANEL_HEIGHT, bar="value")
    sheet.text(left - 0.1, top + PANEL_HEIGHT / 2, f"M = {dimension}", rotation=90)
    sheet.text(left + width / 2, top + PANEL_HEIGHT + 0.1, f"N = {count}")


def _curve(axes: Axes, steps: NDArray[np.int64], ratios: NDArray[np.float64]) -> None:
    """Relative change against the iteration, in all and per step, both axes logarithmic."""
    whole: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5.0}
    # The second is visible where both fall upon each other.
    second = {"color": style.VERMILION, "marker": "s", "markersize": 3.0, "linestyle": "--"}
    for label, values, look in (
        ("between kept steps", ratios, whole),
        ("per step", ratios / np.diff(steps), second),
    ):
        sns.lineplot(x=steps[1:], y=values, label=label, ax=axes, estimator=None, mew=0, **look)
    axes.set_xscale("log")
    axes.set_yscale("log", nonpositive="mask")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if steps[-1] < 10 * steps[1]:  # less than a decade has a single labelled tick
        axes.set_xticks(steps[1:], [f"{step:,}" for step in steps[1:]])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=style.TINY, length=2.5, pad=1.5)
    axes.set_xlabel("iteration", fontsize=style.SMALL, labelpad=1.0)
    axes.set_ylabel("change / size of D", fontsize=style.SMALL, labelpad=1.0)
    sns.move_legend(
        axes,
        "lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncol=2,
        fontsize=style.TINY,
        handlelength=1.2,
        handletextpad=0.4,
        columnspacing=0.8,
        borderaxespad=0.1,
    )
    axes.grid(visible=True, axis="y")
