"""D, the affinity S and the degradation U as heat maps (Fig. 4), and S and U alone (Fig. 14).

`representation` shows D, `affinity` leaves it out. A strip of S is one image: a row is a pixel, a
column one of the N vectors of D. A strip has room for a few hundred rows; they are pixels at even
distances in reading order, not means, which would look smoother than S is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ndr.nearest_name import check_names
from reports.figures import style
from reports.figures.draw import FigurePlan
from reports.figures.representation_arrays import (
    Array,
    RepresentationArrays,
    ShownImage,
    representation_arrays,
    shared_range,
    symmetric_range,
)
from reports.figures.style import Sheet

CONTENTS = ("representation", "affinity")
STRIPS, PAIRS, PAIRS_ALONE = 4, 2, 3
"""Images per degradation that are shown as strips of S, and with their map of U; the last of a
figure with one degradation, whose pairs stand in a row."""
STRIP_ROWS = 320
"""Pixels of a strip of S."""
MARGIN, GAP, GROUP_GAP = 0.32, 0.05, 0.16
BAR_PLACE = 0.62
"""Inches right of maps for an upright colour bar with its numbers and label."""
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


def draw(plan: FigurePlan, results: Path) -> Figure:
    """Draw Fig. 4 or 14; see `FigureKind.draw`."""
    check_names("content of heat maps", [plan.content], CONTENTS)
    with representation_arrays(plan, results) as arrays:
        groups = arrays.images(plan, STRIPS)
        columns = _pair_columns(groups)
        tile = _tile_side(len(columns))
        rows = max(len(column) for column in columns)
        top = HEAD + STRIP_HEIGHT + 0.62
        sheet = Sheet(style.TEXT_WIDTH, top + rows * (tile + GAP) + 0.06)
        left = MARGIN
        if plan.content == "representation":
            left = _draw_matrix(sheet, arrays) + 0.3
        _draw_strips(sheet, arrays, groups, left)
        _draw_pairs(sheet, arrays, columns, top, tile)
    return sheet.figure


def alt_text(plan: FigurePlan, results: Path) -> str:
    """How many images of which degradations are shown, and how strongly pixels choose a vector."""
    with representation_arrays(plan, results) as arrays:
        parts = []
        for group in arrays.images(plan, STRIPS):
            strongest = [arrays.maps(image, "affinity_1").max(axis=0).mean() for image in group]
            parts.append(f"{group[0].label}: {len(group)} images, {np.mean(strongest):.3f}")
    return (
        "Heat maps of affinities and degradation. Largest affinity of a pixel, mean over pixels "
        "and images: " + "; ".join(parts) + "."
    )


def _pair_columns(groups: list[tuple[ShownImage, ...]]) -> list[tuple[ShownImage, ...]]:
    """Images that are shown with their U: a column per degradation, or per image of one alone."""
    if len(groups) == 1:
        return [(image,) for image in groups[0][:PAIRS_ALONE]]
    return [group[:PAIRS] for group in groups]


def _tile_side(columns: int) -> float:
    """Side of a picture, so that the pairs fill the width but are no taller than the strips."""
    room = style.TEXT_WIDTH - MARGIN - BAR_PLACE - (columns - 1) * GROUP_GAP
    return min((room - columns * GAP) / (2 * columns), 1.5)


def _draw_matrix(sheet: Sheet, arrays: RepresentationArrays) -> float:
    """D in the upper left corner; returns where it ends, inches."""
    matrix = arrays.numbers("D", ndim=2)
    dimension, count = matrix.shape
    sheet.panel_letter(0.04, 0.12)
    sheet.text(MARGIN + MATRIX_WIDTH / 2, 0.12, "representation D", fontsize=style.FONT_SIZE)
    image = sheet.map_tile(
        matrix,
        MARGIN,
        HEAD,
        MATRIX_WIDTH,
        STRIP_HEIGHT,
        ends=symmetric_range([matrix]),
        colours=style.DIVERGING,
        stretched=True,
    )
    sheet.text(MARGIN + MATRIX_WIDTH / 2, HEAD + STRIP_HEIGHT + 0.1, f"N = {count} vectors")
    sheet.text(MARGIN - 0.1, HEAD + STRIP_HEIGHT / 2, f"M = {dimension} elements", rotation=90)
    left = MARGIN + MATRIX_WIDTH + GAP
    sheet.upright_bar(image, left, HEAD, STRIP_HEIGHT, "value")
    return left + BAR_PLACE


def _draw_strips(
    sheet: Sheet,
    arrays: RepresentationArrays,
    groups: list[tuple[ShownImage, ...]],
    left: float,
) -> None:
    """One strip per image, images of a degradation side by side."""
    strips = [[sampled_pixels(arrays.maps(i, "affinity_1")) for i in group] for group in groups]
    flat = [strip for group in strips for strip in group]
    ends = 0.0, max(shared_range(flat)[1], 1e-6)
    count = flat[0].shape[1]
    sheet.panel_letter(left - 0.28, 0.12)
    left += 0.12
    room = style.TEXT_WIDTH - left - BAR_PLACE - (len(groups) - 1) * GROUP_GAP
    width = room / len(flat) - GAP
    right_end = style.TEXT_WIDTH - BAR_PLACE - GAP
    sheet.text((left + right_end) / 2, 0.12, "affinity S, level 1", fontsize=style.FONT_SIZE)
    sheet.text(left - 0.09, HEAD + STRIP_HEIGHT / 2, "pixels in reading order", rotation=90)
    sheet.text((left + right_end) / 2, HEAD + STRIP_HEIGHT + 0.1, f"N = {count} vectors each")
    image: AxesImage | None = None
    for group, images in zip(strips, groups, strict=True):
        middle = left + len(group) * (width + GAP) / 2
        sheet.text(middle, HEAD - 0.11, images[0].label)
        for strip in group:
            image = sheet.map_tile(
                strip, left, HEAD, width, STRIP_HEIGHT, ends=ends, stretched=True
            )
            left += width + GAP
        left += GROUP_GAP
    assert image is not None  # `images` gives at least one per group
    sheet.upright_bar(image, right_end + GAP, HEAD, STRIP_HEIGHT, f"S (uniform: {1 / count:.3g})")


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
    sheet.panel_letter(0.04, top - 0.22)
    shown: AxesImage | None = None
    left = MARGIN
    for column in columns:
        sheet.text(left + tile / 2, top - 0.09, "input")
        sheet.text(left + GAP + 1.5 * tile, top - 0.09, "U, channel mean")
        sheet.text(left + tile, top - 0.24, column[0].label)
        for row, image in enumerate(column):
            y = top + row * (tile + GAP)
            sheet.tile(arrays.picture(image, "degraded"), left, y, tile)
            shown = sheet.map_tile(maps[image], left + tile + GAP, y, tile, tile, ends=ends)
        left += 2 * tile + GAP + GROUP_GAP
    assert shown is not None
    rows = max(len(column) for column in columns)
    height = rows * (tile + GAP) - GAP
    sheet.upright_bar(shown, left - GROUP_GAP + GAP, top, height, "mean of U")
