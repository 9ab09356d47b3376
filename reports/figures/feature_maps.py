"""Features as maps: around the injection of the degradation (Fig. 5), and before it (Fig. 11).

Shown are means over the channels at the first level, which has the size of the image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ndr.nearest_name import check_names
from ndr.specs.figure_plan import FigurePlan
from reports.figures import style
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.representation_arrays import (
    RepresentationArrays,
    ShownImage,
    representation_arrays,
    shared_range,
)
from reports.figures.sheet import Sheet

CONTENTS = ("injection", "encoder")
MARGIN, GAP, HEAD = 0.3, 0.06, 0.34
BAR_PLACE = 0.6
"""Inches right of maps for a colour bar with its numbers and label."""
TILE = (style.TEXT_WIDTH - MARGIN - 2 * BAR_PLACE - 4 * GAP) / 4


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw Fig. 5 or 11; see `FigureKind.draw`."""
    check_names("content of feature maps", [plan.content], CONTENTS)
    with representation_arrays(plan, results) as arrays:
        images = [group[0] for group in arrays.images(plan, 1, "features_before_1")]
        if plan.content == "injection":
            sheet, words = _around_injection(arrays, images)
        else:
            sheet, words = _before_query(arrays, images)
    return Drawing(sheet.figure, alt=f"Feature maps of one image each: {'; '.join(words)}.")


def _around_injection(
    arrays: RepresentationArrays, images: list[ShownImage]
) -> tuple[Sheet, list[str]]:
    """A row per image: input, F before and after with one scale, and their difference."""
    sheet = Sheet(style.TEXT_WIDTH, HEAD + len(images) * (TILE + GAP) + 0.02)
    lefts = [MARGIN + column * (TILE + GAP) for column in range(3)]
    lefts.append(lefts[2] + TILE + GAP + BAR_PLACE)
    titles = ("input", "F before injection", "F after injection", "after \N{MINUS SIGN} before")
    sheet.heads(lefts, titles, TILE)
    words = []
    for row, image in enumerate(images):
        top = HEAD + row * (TILE + GAP) - 0.08
        before = arrays.channel_mean(image, "features_before_1")
        after = arrays.channel_mean(image, "features_after_1")
        if before.shape != after.shape:
            raise MissingFigureInput(
                arrays.path,
                f"{image.test_set}/{image.name}: F has {before.shape} pixels before and "
                f"{after.shape} after the injection; run `python -m ndr.represent` again",
            )
        sheet.text(MARGIN - 0.14, top + TILE / 2, image.label, rotation=90)
        sheet.tile(arrays.picture(image, "degraded"), lefts[0], top, TILE)
        change, ends = after - before, shared_range([before, after])
        for left, values, bar in ((lefts[1], before, ""), (lefts[2], after, "mean of F")):
            sheet.heat_map(values, left, top, TILE, TILE, ends=ends, square=True, bar=bar)
        sheet.heat_map(change, lefts[3], top, TILE, TILE, square=True, bar="difference")
        size = np.abs(change).mean()
        words.append(f"{image.label} ({image.name}), mean absolute change {size:.3g}")
    return sheet, words


def _before_query(
    arrays: RepresentationArrays, images: list[ShownImage]
) -> tuple[Sheet, list[str]]:
    """A column per image: input above, F below, all on one scale."""
    columns = len(images)
    room = style.TEXT_WIDTH - MARGIN - BAR_PLACE - GAP - (columns - 1) * GAP
    tile = min(room / columns, 2.4)
    sheet = Sheet(style.TEXT_WIDTH, HEAD + 2 * (tile + GAP) + 0.02)
    maps = [arrays.channel_mean(image, "features_before_1") for image in images]
    top, ends = HEAD - 0.08, shared_range(maps)
    below = top + tile + GAP
    sheet.text(MARGIN - 0.14, top + tile / 2, "input", rotation=90)
    sheet.text(MARGIN - 0.14, below + tile / 2, "F before DQ and DI", rotation=90)
    lefts = [MARGIN + column * (tile + GAP) for column in range(columns)]
    sheet.heads(lefts, [image.label for image in images], tile)
    for left, image, values in zip(lefts, images, maps, strict=True):
        sheet.tile(arrays.picture(image, "degraded"), left, top, tile)
        bar = "mean of F" if left == lefts[-1] else ""
        sheet.heat_map(values, left, below, tile, tile, ends=ends, square=True, bar=bar)
    return sheet, [f"{image.label} ({image.name})" for image in images]
