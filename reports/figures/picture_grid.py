"""Pictures side by side: degraded input, the systems' outputs, ground truth, a row per image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.metrics.metric import METRICS
from ndr.specs.figure_plan import FigurePlan
from reports.figures.evaluated_pictures import PAIRED, EvaluatedPictures
from reports.figures.image_choice import most_different
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.panel_grid import Panel, PanelRow, draw_panels
from reports.paper.printed_values import with_symbols

INPUT, TRUTH = "Degraded input", "Ground truth"


def system_panels(
    pictures: EvaluatedPictures,
    test_set: str,
    shown: Mapping[str, NDArray[np.generic]],
    numbers: Mapping[str, tuple[str, float | None]],
) -> list[Panel]:
    """The degraded input, then a panel per system; of these the best is marked.

    None is best that is no better than the degraded input.

    Args:
        pictures: the figure's.
        test_set: whose image is shown.
        shown: pictures or maps by run.
        numbers: by run the words below, and the number that is compared: the highest is the best.
    """
    plan = pictures.plan
    rows = pictures.shown_rows
    runs = [row.run for row in rows if row.run in shown]
    words, given = numbers[plan.input_run]
    values = [numbers[run][1] for run in runs if run]
    restored = [value for value in values if value is not None and (given is None or value > given)]
    best = max(restored, default=None)
    panels = [Panel(shown.get(plan.input_run), words)]
    for row in rows:
        if row.run and row.run in shown:
            text, value = numbers[row.run]
            marked = value is not None and value == best and len(runs) > 1
            panels.append(Panel(shown[row.run], text, best=marked))
        else:
            panels.append(Panel(None, reason=pictures.why_none(row, test_set)))
    return panels


def _row(pictures: EvaluatedPictures, test_set: str, label: str) -> PanelRow:
    plan = pictures.plan
    image = pictures.shown_image(test_set)
    shown = pictures.pictures(test_set, image)
    numbers = {run: pictures.numbers(run, test_set, image) for run in shown}
    panels = system_panels(pictures, test_set, shown, numbers)
    if plan.truth_run:
        words = " / ".join(METRICS[name].label for name in PAIRED)
        panels.append(Panel(shown[plan.truth_run], words))
    compared = [shown[row.run] for row in plan.rows if row.run in shown]
    if len(compared) == 1:
        compared.append(shown[plan.input_run])
    frame = most_different(compared, shown.get(plan.truth_run))
    return PanelRow(label, image, tuple(panels), frame)


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw a grid of pictures.

    Raises:
        MissingFigureInput: the controls left no picture, no system did, or one is damaged.
    """
    pictures = EvaluatedPictures(plan, results)
    if not pictures.shown_rows:
        reasons = "; ".join(dict.fromkeys(pictures.reasons))
        raise MissingFigureInput(results / "evaluations", f"no system left a picture ({reasons}).")
    systems = [row.label for row in pictures.shown_rows]
    columns = [INPUT, *systems, *([TRUTH] if plan.truth_run else [])]
    rows = [
        _row(pictures, test_set, label)
        for test_set, label in zip(plan.test_sets, plan.test_set_labels, strict=True)
    ]
    return Drawing(
        draw_panels(columns, rows),
        alt=with_symbols(f"Grid of pictures. {rows_in_words(columns[: 1 + len(systems)], rows)}"),
        details=f"{pictures.images_text()} {pictures.left_out_text()}".strip(),
        reading=_reading(pictures),
    )


def rows_in_words(columns: Sequence[str], rows: Sequence[PanelRow]) -> str:
    """The numbers below the first panels of each row, one per column, or why there is none."""
    return " ".join(
        f"{row.label}, image {row.detail}: "
        + ", ".join(
            f"{column} {panel.text or panel.reason or 'without number'}"
            for column, panel in zip(columns, row.panels, strict=False)
        )
        + "."
        for row in rows
    )


def _reading(pictures: EvaluatedPictures) -> str:
    numbers = (
        "PSNR in dB and SSIM of the whole image, the best PSNR above the input's in bold"
        if pictures.plan.truth_run
        else "PIQE, lower is better, the best below the input's in bold"
    )
    return (
        "The framed square, enlarged below, is where the outputs of the systems differ most in "
        f"structure; of a single system, where output and input do. Below each picture: {numbers}."
    )
