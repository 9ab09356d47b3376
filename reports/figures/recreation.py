"""NDR-Degrad's output beside the image whose degradation it was given (Fig. 13).

PSNR and SSIM are those of the plan's protocol (`ndr.metrics.protocol`), between the degraded
image and the re-created one, on the crop that is shown and with 8 bits per colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ndr.metrics.protocol import protocol
from reports.figures.draw import FigurePlan, MissingFigureInput
from reports.figures.representation_arrays import (
    RepresentationArrays,
    ShownImage,
    representation_arrays,
)
from reports.figures.style import Sheet
from reports.number_format import UNITS, metric_text

COLUMNS = (
    ("clean", "clean image y"),
    ("degraded", "degraded image x"),
    ("recreated", "NDR-Degrad(y, U)"),
)
MARGIN, GAP, HEAD, FOOT = 0.3, 0.06, 0.3, 0.22
TILE = 1.9


def draw(plan: FigurePlan, results: Path) -> Figure:
    """Draw Fig. 13; see `FigureKind.draw`."""
    with representation_arrays(plan, results) as arrays:
        images = [group[0] for group in arrays.images(plan, 1)]
        width = MARGIN + len(COLUMNS) * (TILE + GAP)
        sheet = Sheet(width, HEAD + len(images) * (TILE + FOOT))
        for column, (_, title) in enumerate(COLUMNS):
            left = MARGIN + column * (TILE + GAP)
            sheet.panel_letter(left, 0.12)
            sheet.text(left + TILE / 2 + 0.08, 0.12, title)
        for row, image in enumerate(images):
            top = HEAD - 0.06 + row * (TILE + FOOT)
            sheet.text(MARGIN - 0.14, top + TILE / 2, image.label, rotation=90)
            for column, (name, _) in enumerate(COLUMNS):
                left = MARGIN + column * (TILE + GAP)
                sheet.tile(arrays.picture(image, name), left, top, TILE)
            measured = similarity(arrays, image, plan.protocol)
            text = " / ".join(_with_unit(name, value) for name, value in measured.items())
            sheet.text(left + TILE / 2, top + TILE + 0.1, text)
    return sheet.figure


def similarity(
    arrays: RepresentationArrays, image: ShownImage, protocol_name: str
) -> dict[str, float]:
    """PSNR and SSIM between an image and its re-creation.

    Raises:
        MissingFigureInput: the two differ in size, or are too small for the protocol.
    """
    degraded = arrays.picture(image, "degraded").astype(np.float64) / 255.0
    recreated = arrays.picture(image, "recreated").astype(np.float64) / 255.0
    try:
        return protocol(protocol_name).compare(recreated, degraded)
    except ValueError as error:
        raise MissingFigureInput(arrays.path, f"{image.test_set}/{image.name}: {error}") from error


def alt_text(plan: FigurePlan, results: Path) -> str:
    """How similar each re-created image is to the degraded one."""
    with representation_arrays(plan, results) as arrays:
        parts = list(_sentences(arrays, plan))
    return f"Re-created degradations. {' '.join(parts)}"


def _sentences(arrays: RepresentationArrays, plan: FigurePlan) -> Iterator[str]:
    for group in arrays.images(plan, 1):
        measured = similarity(arrays, group[0], plan.protocol)
        numbers = ", ".join(_with_unit(name, value) for name, value in measured.items())
        yield f"{group[0].label} ({group[0].name}): {numbers}."


def _with_unit(metric: str, value: float) -> str:
    return " ".join(part for part in (metric_text(metric, value), UNITS.get(metric)) if part)
