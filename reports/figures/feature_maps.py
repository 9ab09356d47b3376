"""Features as maps: around the injection of the degradation (Fig. 5), and before it (Fig. 11).

Shown are means over the channels at the first level, which has the size of the image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ndr.nearest_name import check_names
from reports.figures import style
from reports.figures.draw import FigurePlan, MissingFigureInput
from reports.figures.representation_arrays import (
    RepresentationArrays,
    ShownImage,
    representation_arrays,
    shared_range,
    symmetric_range,
)
from reports.figures.style import Sheet

CONTENTS = ("injection", "encoder")
MARGIN, GAP, HEAD = 0.3, 0.06, 0.34
BAR_PLACE = 0.6
"""Inches right of maps for an upright colour bar with its numbers and label."""
TILE = (style.TEXT_WIDTH - MARGIN - 2 * BAR_PLACE - 4 * GAP) / 4


def draw(plan: FigurePlan, results: Path) -> Figure:
    """Draw Fig. 5 or 11; see `FigureKind.draw`."""
    check_names("content of feature maps", [plan.content], CONTENTS)
    with representation_arrays(plan, results) as arrays:
        images = [group[0] for group in arrays.images(plan, 1)]
        if plan.content == "injection":
            return _around_injection(arrays, images)
        return _before_query(arrays, images)


def alt_text(plan: FigurePlan, results: Path) -> str:
    """Which images are shown, and how much the injection changes their features."""
    with representation_arrays(plan, results) as arrays:
        parts = []
        for group in arrays.images(plan, 1):
            before = arrays.channel_mean(group[0], "features_before_1")
            change = arrays.channel_mean(group[0], "features_after_1") - before
            text = f"{group[0].label} ({group[0].name})"
            if plan.content == "injection":
                text += f", mean absolute change {np.abs(change).mean():.3g}"
            parts.append(text)
    return f"Feature maps of one image each: {'; '.join(parts)}."


def _around_injection(arrays: RepresentationArrays, images: list[ShownImage]) -> Figure:
    """A row per image: input, F before and after with one scale, and their difference."""
    sheet = Sheet(style.TEXT_WIDTH, HEAD + len(images) * (TILE + GAP) + 0.02)
    lefts = [MARGIN + column * (TILE + GAP) for column in range(3)]
    lefts.append(lefts[2] + TILE + GAP + BAR_PLACE)
    titles = ("input", "F before injection", "F after injection", "after - before")
    for left, title in zip(lefts, titles, strict=True):
        sheet.panel_letter(left, 0.12)
        sheet.text(left + TILE / 2 + 0.08, 0.12, title.replace(" - ", " \N{MINUS SIGN} "))
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
        ends = shared_range([before, after])
        sheet.map_tile(before, lefts[1], top, TILE, TILE, ends=ends)
        shown = sheet.map_tile(after, lefts[2], top, TILE, TILE, ends=ends)
        sheet.upright_bar(shown, lefts[2] + TILE + GAP, top, TILE, "mean of F")
        change = after - before
        shown = sheet.map_tile(
            change,
            lefts[3],
            top,
            TILE,
            TILE,
            ends=symmetric_range([change]),
            colours=style.DIVERGING,
        )
        sheet.upright_bar(shown, lefts[3] + TILE + GAP, top, TILE, "difference")
    return sheet.figure


def _before_query(arrays: RepresentationArrays, images: list[ShownImage]) -> Figure:
    """A column per image: input above, F below, all on one scale."""
    columns = len(images)
    room = style.TEXT_WIDTH - MARGIN - BAR_PLACE - GAP - (columns - 1) * GAP
    tile = min(room / columns, 2.4)
    sheet = Sheet(style.TEXT_WIDTH, HEAD + 2 * (tile + GAP) + 0.02)
    maps = [arrays.channel_mean(image, "features_before_1") for image in images]
    ends = shared_range(maps)
    below = HEAD - 0.08 + tile + GAP
    sheet.text(MARGIN - 0.14, HEAD - 0.08 + tile / 2, "input", rotation=90)
    sheet.text(MARGIN - 0.14, below + tile / 2, "F before DQ and DI", rotation=90)
    left = MARGIN
    for image, values in zip(images, maps, strict=True):
        sheet.panel_letter(left, 0.12)
        sheet.text(left + tile / 2 + 0.08, 0.12, image.label)
        sheet.tile(arrays.picture(image, "degraded"), left, HEAD - 0.08, tile)
        shown = sheet.map_tile(values, left, below, tile, tile, ends=ends)
        left += tile + GAP
    sheet.upright_bar(shown, left, below, tile, "mean of F")
    return sheet.figure
