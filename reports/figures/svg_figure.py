"""An SVG of rectangles, circles, lines and words as a matplotlib figure, for its PNG.

The drawings of this room use nothing else: fill, stroke and their widths as attributes, lengths in
hundredths of an inch. Anything else is refused, so that the PNG shows all that the SVG does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon

UNITS_PER_INCH = 100
POINTS = 72 / UNITS_PER_INCH
"""Points per unit: sizes of text and widths of lines."""
ALIGNMENT = {"start": "left", "middle": "center", "end": "right"}


def figure_of_svg(svg: str) -> Figure:
    """The figure that an SVG of `reports/figures/drawings` describes.

    Raises:
        ValueError: an element that this module does not draw.
    """
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    figure = Figure(figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0.0, width), ylim=(height, 0.0))
    axes.set_axis_off()
    for order, element in enumerate(root):
        _draw(axes, element.tag.rpartition("}")[2], element.attrib, element.text or "", order)
    return figure


def _draw(axes: Axes, kind: str, given: Mapping[str, str], words: str, order: int) -> None:
    def number(name: str) -> float:
        return float(given.get(name, 0.0))

    look: dict[str, Any] = {
        "facecolor": given.get("fill", "none"),
        "edgecolor": given.get("stroke", "none"),
        "linewidth": number("stroke-width") * POINTS,
        "zorder": order,
    }
    points = [tuple(map(float, pair.split(","))) for pair in given.get("points", "").split()]
    if kind == "rect":
        corner = number("x"), number("y")
        rounding = f"round,pad=0,rounding_size={number('rx')}"
        size = number("width"), number("height")
        axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=rounding, **look))
    elif kind == "circle":
        axes.add_patch(Circle((number("cx"), number("cy")), number("r"), **look))
    elif kind == "polygon":
        axes.add_patch(Polygon(points, **look))
    elif kind == "polyline":
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, color=given["stroke"], linewidth=look["linewidth"], zorder=order)
    elif kind == "text":
        axes.text(
            number("x"),
            number("y"),
            words,
            ha=ALIGNMENT[given["text-anchor"]],
            va="baseline",
            fontsize=number("font-size") * POINTS,
            fontweight=given["font-weight"],
            color=given["fill"],
            parse_math=False,
            zorder=order,
        )
    else:
        raise ValueError(f"expected rect, circle, polygon, polyline or text, found {kind!r}")
