"""D, the affinity S and the degradation U as heat maps (Fig. 4), and S and U alone (Fig. 14).

`representation` shows D, `affinity` leaves it out. A strip of S is one image: a row is a pixel, a
column one of the N vectors of D. A strip has room for a few hundred rows; they are pixels at even
distances in reading order, not means, which would look smoother than S is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ndr.nearest_name import check_names
from ndr.specs.figure_plan import FigurePlan
from reports.figures import style
from reports.figures.kind import Drawing
from reports.figures.representation_arrays import (
    Array,
    RepresentationArrays,
    ShownImage,
    representation_arrays,
    shared_range,
)
from reports.figures.sheet import BAR_GAP, Sheet

CONTENTS = ("representation", "affinity")
STRIPS, PAIRS, PAIRS_ALONE = 4, 2, 3
"""Images per degradation that are shown as strips of S, and with their map of U; the last of a
figure with one degradation, whose pairs stand in a row."""
STRIP_ROWS = 320
"""Pixels of a strip of S."""
MARGIN, GAP, GROUP_GAP = 0.32, 0.05, 0.16
BAR_PLACE = 0.62
"""Inches right of maps for a colour bar with its numbers and label."""
STRIP_HEIGHT, HEAD = 2.0, 0.42
MATRIX_WIDTH = 1.15


def sampled_pixels(affinity: Array, rows: int = STRIP_ROWS) -> Array:
    """Affinities of pixels at even distances in reading order.

    Args:
        affinity: S, (N, h, w).
        rows: pixels that are taken, all of them where there are fewer.

    Returns:
        (rows, N).

    >>> sampled_pixels(np.arange(8.0).reshape(2, 2, 2), rows=2)
    array([[0., 4.],
           [3., 7.]])
    """
    pixels = affinity.reshape(len(affinity), -1).T
    chosen = np.linspace(0, len(pixels) - 1, min(rows, len(pixels))).round().astype(int)
    return pixels[chosen]


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw Fig. 4 or 14; see `FigureKind.draw`."""
    check_names("content of heat maps", [plan.content], CONTENTS)
    with representation_arrays(plan, results) as arrays:
        groups = arrays.images(plan, STRIPS, "affinity_1")
        # Images with their U: a column per degradation, or per image of one degradation alone.
        columns = [group[:PAIRS] for group in groups]
        if len(groups) == 1:
            columns = [(image,) for image in groups[0][:PAIRS_ALONE]]
        # The pairs fill the width, but are no taller than the strips.
        room = style.TEXT_WIDTH - MARGIN - BAR_PLACE - (len(columns) - 1) * GROUP_GAP
        tile = min((room - len(columns) * GAP) / (2 * len(columns)), 1.5)
        rows = max(len(column) for column in columns)
        top = HEAD + STRIP_HEIGHT + 0.8
        sheet = Sheet(style.TEXT_WIDTH, top + rows * (tile + GAP) + 0.06)
        left = MARGIN
        if plan.content == "representation":
            left = _draw_matrix(sheet, arrays) + 0.3
        affinities = {i: arrays.maps(i, "affinity_1") for group in groups for i in group}
        _draw_strips(sheet, groups, affinities, left)
        _draw_pairs(sheet, arrays, columns, top, tile)
    parts = []
    for group in groups:
        strongest = np.mean([affinities[image].max(axis=0).mean() for image in group])
        parts.append(f"{group[0].label}: {len(group)} images, {strongest:.3f}")
    return Drawing(
        sheet.figure,
        alt="Heat maps of affinities and degradation. Largest affinity of a pixel, mean over "
        f"pixels and images: {'; '.join(parts)}.",
    )


def _draw_matrix(sheet: Sheet, arrays: RepresentationArrays) -> float:
    """D in the upper left corner; returns where it ends, inches."""
    matrix = arrays.numbers("D", ndim=2)
    dimension, count = matrix.shape
    sheet.panel_letter(0.04, 0.12)
    sheet.text(MARGIN + MATRIX_WIDTH / 2, 0.12, "representation D", fontsize=style.FONT_SIZE)
    sheet.heat_map(matrix, MARGIN, HEAD, MATRIX_WIDTH, STRIP_HEIGHT, bar="value")
    sheet.text(MARGIN + MATRIX_WIDTH / 2, HEAD + STRIP_HEIGHT + 0.1, f"N = {count} vectors")
    sheet.text(MARGIN - 0.1, HEAD + STRIP_HEIGHT / 2, f"M = {dimension} elements", rotation=90)
    return MARGIN + MATRIX_WIDTH + GAP + BAR_PLACE


def _draw_strips(
    sheet: Sheet,
    groups: list[tuple[ShownImage, ...]],
    affinities: dict[ShownImage, Array],
    left: float,
) -> None:
    """One strip per image, images of a degradation side by side."""
    strips = {image: sampled_pixels(affinity) for image, affinity in affinities.items()}
    ends = 0.0, max(shared_range(list(strips.values()))[1], 1e-6)
    count = len(next(iter(affinities.values())))
    sheet.panel_letter(left - 0.28, 0.12)
    left += 0.12
    room = style.TEXT_WIDTH - left - BAR_PLACE - (len(groups) - 1) * GROUP_GAP
    width = room / len(strips) - GAP
    right_end = style.TEXT_WIDTH - BAR_PLACE - GAP
    sheet.text((left + right_end) / 2, 0.12, "affinity S, level 1", fontsize=style.FONT_SIZE)
    sheet.text(left - 0.09, HEAD + STRIP_HEIGHT / 2, "pixels in reading order", rotation=90)
    sheet.text((left + right_end) / 2, HEAD + STRIP_HEIGHT + 0.1, f"N = {count} vectors each")
    label = f"S (uniform: {1 / count:.3g})"
    for group in groups:
        sheet.text(left + len(group) * (width + GAP) / 2, HEAD - 0.11, group[0].label)
        for image in group:
            bar = label if image == groups[-1][-1] else ""
            sheet.heat_map(strips[image], left, HEAD, width, STRIP_HEIGHT, ends=ends, bar=bar)
            left += width + GAP
        left += GROUP_GAP


def _draw_pairs(
    sheet: Sheet,
    arrays: RepresentationArrays,
    columns: list[tuple[ShownImage, ...]],
    top: float,
    tile: float,
) -> None:
    """Images with their map of U beside them."""
    maps = {image: arrays.channel_mean(image, "U_1") for column in columns for image in column}
    ends = shared_range(list(maps.values()))
    sheet.panel_letter(0.04, top - 0.42)
    sheet.text(MARGIN, top - 0.42, "inputs and U, level 1", ha="left", fontsize=style.FONT_SIZE)
    for index, column in enumerate(columns):
        left = MARGIN + index * (2 * tile + GAP + GROUP_GAP)
        sheet.text(left + tile / 2, top - 0.09, "input")
        sheet.text(left + GAP + 1.5 * tile, top - 0.09, "U, channel mean")
        sheet.text(left + tile, top - 0.24, column[0].label)
        for row, image in enumerate(column):
            y = top + row * (tile + GAP)
            sheet.tile(arrays.picture(image, "degraded"), left, y, tile)
            shown = sheet.heat_map(
                maps[image], left + tile + GAP, y, tile, tile, ends=ends, square=True
            )
    height = max(map(len, columns)) * (tile + GAP) - GAP
    sheet.colour_bar(shown, left + 2 * tile + GAP + BAR_GAP, top, height, "mean of U")
