"""Drawings of the method from the networks as they are built (Fig. 2, 3 and 6).

Each is an SVG template of `drawings/`, filled from `results/<tier>/network_layout.json`
(`ndr.records.network_layout`): `system` is NDR-Restore as a whole, `modules` are query, injection
and CP convolution, `training` is what is trained together. Another network gives another drawing.
The PNG is drawn from the SVG's own elements; one that is not known here is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon

from ndr.nearest_name import check_names
from ndr.records.network_layout import Layer, NetworkLayout
from ndr.records.record import ResultFileError
from ndr.specs.figure_plan import FigurePlan
from reports.figures.kind import Drawing, MissingFigureInput

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


CONTENTS = ("system", "modules", "training")
TEMPLATES = Path(__file__).resolve().parent / "drawings"
FILE_NAME = "network_layout.json"
NETWORK_NAMES = {"NDRRestore": "NDR-Restore", "NDRDegrad": "NDR-Degrad"}
"""The paper's names of the networks by their classes."""


def read_layout(results: Path) -> NetworkLayout:
    """Read the layout of a tier.

    Raises:
        MissingFigureInput: there is none, or it was written by another version.
    """
    path = results / FILE_NAME
    try:
        return NetworkLayout.read(path)
    except FileNotFoundError as error:
        raise MissingFigureInput(
            path, "no such file; `snakemake --cores all` writes it (python -m ndr.network.layout)"
        ) from error
    except ResultFileError as error:
        raise MissingFigureInput(path, str(error)) from error


def layer_lines(layer: Layer, *, sizes: bool = False) -> list[str]:
    """A layer's name, its channels or the sizes of its output, and its parameters, a line each."""
    times = "\N{MULTIPLICATION SIGN}"
    name = layer.kind
    if layer.kernel is not None and not sizes:
        name += f" {layer.kernel}{times}{layer.kernel}"
    axis = 0 if layer.kernel is not None or len(layer.input) == 3 else -1
    channels = f"{layer.input[axis]} \N{RIGHTWARDS ARROW} {layer.output[axis]}"
    middle = times.join(map(str, layer.output)) if sizes else channels
    return [name, middle, f"{layer.parameters:,}"]


def drawing_svg(layout: NetworkLayout, content: str) -> str:
    """The SVG of one of `CONTENTS`."""
    check_names("content of a drawing", [content], CONTENTS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(f"{content}.svg.j2")
    text = template.render(layout=layout, names=NETWORK_NAMES, layer_lines=layer_lines)
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def draw(plan: FigurePlan, results: Path) -> Drawing:
    """Draw Fig. 2, 3 or 6; see `FigureKind.draw`."""
    layout = read_layout(results)
    svg = drawing_svg(layout, plan.content)
    return Drawing(figure_of_svg(svg), alt=_alt(layout), svg=svg.encode())


def _alt(layout: NetworkLayout) -> str:
    """The networks' kinds and sizes."""
    networks = [n for n in (layout.restoration, layout.degradation) if n is not None]
    named = [f"{NETWORK_NAMES[n.kind]} with {n.parameters:,} parameters" for n in networks]
    blocks = sum(s.blocks for s in layout.restoration.stages if s.block == "TransformerBlock")
    text = f"Diagram of {layout.label}: {' and '.join(named)}; {blocks} transformer blocks"
    if layout.representation is not None:
        d = layout.representation
        text += f"; D holds {d.count} vectors of {d.dimension} numbers"
    return f"{text}."
