"""Maps of what is left to restore: absolute difference to the truth, one scale for all panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.specs.figure_plan import FigurePlan
from reports.figures.evaluated_pictures import EvaluatedPictures
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.panel_grid import Panel, PanelRow, Scale, draw_panels
from reports.figures.picture_grid import INPUT, TRUTH, rows_in_words, system_panels
from reports.paper.printed_values import with_symbols

PERCENTILE = 99.0
"""Of the degraded inputs' errors: the end of the scale, so that single pixels do not set it."""


def residual(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Absolute difference, mean over the colours; (height, width), 0 to 255."""
    return np.abs(picture.astype(np.float64) - truth.astype(np.float64)).mean(axis=2)


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw the maps.

    Raises:
        MissingFigureInput: a test set has no truth or no picture, or a picture is damaged.
    """
    pictures = EvaluatedPictures(plan, results)
    if not pictures.shown_rows:
        reasons = "; ".join(dict.fromkeys(pictures.reasons))
        raise MissingFigureInput(results / "evaluations", f"no system left a picture ({reasons}).")
    rows, ends = [], [1.0]
    for test_set, label in zip(plan.test_sets, plan.test_set_labels, strict=True):
        image = pictures.shown_image(test_set)
        shown = pictures.pictures(test_set, image)
        truth = shown.pop(plan.truth_run, None)
        if truth is None:
            raise MissingFigureInput(
                results / "evaluations", f"{test_set} has no ground truth to compare with."
            )
        maps = {run: residual(picture, truth) for run, picture in shown.items()}
        ends.append(float(np.percentile(maps[plan.input_run], PERCENTILE)))
        means = {run: float(each.mean()) for run, each in maps.items()}
        numbers = {run: (f"mean {mean:.2f}", -mean) for run, mean in means.items()}
        panels = system_panels(pictures, test_set, maps, numbers)
        rows.append(PanelRow(label, image, (*panels, Panel(truth))))
    columns = [INPUT, *(row.label for row in pictures.shown_rows), TRUTH]
    words = rows_in_words(columns[:-1], rows)
    scale = Scale(max(ends), "absolute difference, levels of 255")
    return Drawing(
        draw_panels(columns, rows, scale),
        alt=with_symbols(f"Maps of absolute differences to the ground truth. {words}"),
        details=(
            f"{pictures.images_text()} The scale ends at {scale.highest:.0f} of 255 levels; "
            f"{100 - PERCENTILE:.0f} % of the pixels of the worst degraded input lie beyond. Below "
            f"each map: its mean, the lowest below the input's in bold. {pictures.left_out_text()}"
        ).strip(),
    )
