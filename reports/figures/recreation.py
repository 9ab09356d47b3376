"""NDR-Degrad's output beside the image whose degradation it was given (Fig. 13).

PSNR and SSIM are those of the plan's protocol (`ndr.metrics.protocol`), between the degraded
image and the re-created one, on the crop that is shown and with 8 bits per colour.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ndr.metrics.protocol import protocol
from ndr.specs.figure_plan import FigurePlan
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.representation_arrays import (
    RepresentationArrays,
    ShownImage,
    representation_arrays,
)
from reports.figures.sheet import Sheet
from reports.number_format import metric_text, unit

COLUMNS = (
    ("clean", "clean image y"),
    ("degraded", "degraded image x"),
    ("recreated", "NDR-Degrad(y, U)"),
)
MARGIN, GAP, HEAD, FOOT = 0.3, 0.06, 0.3, 0.22
TILE = 1.9


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw Fig. 13; see `FigureKind.draw`."""
    sentences = []
    with representation_arrays(plan, results) as arrays:
        images = [group[0] for group in arrays.images(plan, 1, "recreated")]
        width = MARGIN + len(COLUMNS) * (TILE + GAP)
        sheet = Sheet(width, HEAD + len(images) * (TILE + FOOT))
        lefts = [MARGIN + column * (TILE + GAP) for column in range(len(COLUMNS))]
        sheet.heads(lefts, [title for _, title in COLUMNS], TILE)
        for row, image in enumerate(images):
            top = HEAD - 0.06 + row * (TILE + FOOT)
            sheet.text(MARGIN - 0.14, top + TILE / 2, image.label, rotation=90)
            for left, (name, _) in zip(lefts, COLUMNS, strict=True):
                sheet.tile(arrays.picture(image, name), left, top, TILE)
            measured = similarity(arrays, image, plan.protocol)
            numbers = [metric_text(name, value) + unit(name) for name, value in measured.items()]
            sheet.text(lefts[-1] + TILE / 2, top + TILE + 0.1, " / ".join(numbers))
            sentences.append(f"{image.label} ({image.name}): {', '.join(numbers)}.")
    return Drawing(sheet.figure, alt=f"Re-created degradations. {' '.join(sentences)}")


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
