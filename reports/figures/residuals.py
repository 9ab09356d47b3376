"""Maps of what is left to restore: absolute difference to the truth, one scale for all panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.specs.figure_plan import FigurePlan
from reports.figures.evaluated_pictures import EvaluatedPictures, same_size
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.panel_grid import Panel, PanelRow, Scale, draw_panels
from reports.figures.picture_grid import INPUT, TRUTH, rows_in_words
from reports.paper.printed_values import with_symbols

PERCENTILE = 99.0
"""Of the degraded inputs' errors: the end of the scale, so that single pixels do not set it."""


def residual(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Absolute difference, mean over the colours; (height, width), 0 to 255."""
    return np.abs(picture.astype(np.float64) - truth.astype(np.float64)).mean(axis=2)


def _maps(
    pictures: EvaluatedPictures, test_set: str, image: str
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float64]]]:
    """The truth, and the maps of the degraded input and of the systems by run."""
    plan = pictures.plan
    truth = pictures.picture(plan.truth_run, test_set, image) if plan.truth_run else None
    if truth is None:
        raise MissingFigureInput(
            pictures.results / "evaluations", f"{test_set} has no ground truth to compare with."
        )
    runs = [plan.input_run, *(row.run for row in plan.rows if row.run)]
    found = {run: pictures.picture(run, test_set, image) for run in runs}
    known = {run: picture for run, picture in found.items() if picture is not None}
    same_size({plan.truth_run: truth, **known}, pictures.results / "evaluations")
    return truth, {run: residual(picture, truth) for run, picture in known.items()}


def _row(
    pictures: EvaluatedPictures,
    label: str,
    test_set: str,
    truth: NDArray[np.uint8],
    maps: dict[str, NDArray[np.float64]],
) -> PanelRow:
    plan = pictures.plan
    means = {run: float(each.mean()) for run, each in maps.items()}
    systems = [row.run for row in plan.rows if row.run in maps]
    least = min((means[run] for run in systems if run), default=None)

    def text(run: str) -> str:
        return f"mean {means[run]:.2f}"

    panels = [Panel(maps[plan.input_run], text(plan.input_run))]
    for row in plan.rows:
        if row.run in maps:
            best = means[row.run] == least and len(systems) > 1
            panels.append(Panel(maps[row.run], text(row.run), best=best))
        else:
            panels.append(Panel(None, reason=pictures.why_none(row, test_set)))
    panels.append(Panel(truth))
    return PanelRow(label, pictures.shown_image(test_set), tuple(panels))


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw the maps.

    Raises:
        MissingFigureInput: a test set has no truth or no picture, or a picture is damaged.
    """
    pictures = EvaluatedPictures(plan, results)
    rows, ends = [], [1.0]
    for test_set, label in zip(plan.test_sets, plan.test_set_labels, strict=True):
        truth, maps = _maps(pictures, test_set, pictures.shown_image(test_set))
        ends.append(float(np.percentile(maps[plan.input_run], PERCENTILE)))
        rows.append(_row(pictures, label, test_set, truth, maps))
    columns = [INPUT, *(row.label for row in plan.rows), TRUTH]
    words = rows_in_words(columns[:-1], rows)
    scale = Scale(max(ends), "absolute difference, levels of 255")
    return Drawing(
        draw_panels(columns, rows, scale),
        alt=with_symbols(f"Maps of absolute differences to the ground truth. {words}"),
        details=(
            f"{pictures.images_text()} The scale ends at {scale.highest:.0f} of 255 levels; "
            f"{100 - PERCENTILE:.0f} % of the pixels of the worst degraded input lie beyond. Below "
            "each map: its mean, the lowest of a system in bold."
        ),
    )
