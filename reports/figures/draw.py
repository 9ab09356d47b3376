"""Draw one figure: `python -m reports.figures.draw --figure-json ... --results results/quick ...`.

Equal results give equal files, byte for byte. Each figure is drawn once and kept twice, for light
and for dark ground. A figure whose inputs are missing becomes a picture of the reason, and its JSON
file says that it is not drawn.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import struct
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from matplotlib.figure import Figure

from ndr.atomic_file import atomic_path
from ndr.nearest_name import check_names
from ndr.records.figure_record import DRAWN, NOT_DRAWN, FigureRecord
from ndr.specs.figure_plan import KINDS, FigurePlan
from ndr.specs.typed_file import SpecError
from reports.figures.dark import dark_svg, darken
from reports.figures.kind import Drawing, FigureKind, MissingFigureInput
from reports.figures.style import COLUMN_WIDTH, FONT_SIZE, GREY, house_style, png_bytes, svg_bytes
from reports.paper.printed_values import with_symbols


def figure_kind(name: str) -> FigureKind:
    """The module that draws a kind; raises `UnknownNameError` with the nearest names."""
    check_names("kind of figure", [name], KINDS)
    return cast(FigureKind, importlib.import_module(f"reports.figures.{name}"))


WITHOUT_PROTOCOL = ("residuals", "heatmaps", "feature_maps")
"""Kinds with test sets that show no PSNR."""


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """The files of a figure."""

    record: FigureRecord
    png: bytes
    svg: bytes | None
    dark: bytes
    """For dark ground: an SVG where there is one, else a PNG."""


def _caption(plan: FigurePlan, details: str) -> str:
    parts = [plan.caption, details]
    if plan.test_set_labels and not details:
        parts.append(f"Test sets: {'; '.join(plan.test_set_labels)}.")
    return with_symbols(" ".join(part for part in parts if part))


def _notice(plan: FigurePlan, reason: str) -> Figure:
    """A picture that says why a figure is not drawn, for whoever opens the file."""
    lines = textwrap.wrap(f"{plan.label} is not drawn: {reason}", 60)
    height = 0.2 * (len(lines) + 2)
    figure = Figure(figsize=(COLUMN_WIDTH, height))
    look: dict[str, Any] = {"ha": "center", "va": "center", "parse_math": False}
    figure.text(0.5, 0.5, "\n".join(lines), fontsize=FONT_SIZE, color=GREY, **look)
    return figure


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels, from its header."""
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def draw_figure(plan: FigurePlan, results: Path) -> DrawnFigure:
    """Draw a figure from the results of its tier.

    Args:
        plan: what to draw.
        results: `results/<tier>`.

    Raises:
        UnknownNameError: a kind that does not exist, with the nearest.
    """
    kind = figure_kind(plan.kind)
    status, reason = DRAWN, ""
    with house_style():
        try:
            if plan.rows and not any(row.run for row in plan.rows):
                reasons = "; ".join(dict.fromkeys(row.reason for row in plan.rows if row.reason))
                raise MissingFigureInput(results, f"none of its systems was run ({reasons}).")
            drawing = kind.draw(plan, results)
        except MissingFigureInput as missing:
            status, reason = NOT_DRAWN, missing.reason
            drawing = Drawing(_notice(plan, reason), f"{plan.label} is not drawn: {reason}")
    png = png_bytes(drawing.figure)
    svg = (drawing.svg or svg_bytes(drawing.figure)) if plan.has_svg else None
    dark = _dark(plan, drawing)  # the last: it changes the figure
    width, height = png_size(png)
    numbers = bool(plan.test_sets) and plan.kind not in WITHOUT_PROTOCOL
    record = FigureRecord(
        name=plan.name,
        label=plan.label,
        title=plan.title,
        kind=plan.kind,
        tier=plan.tier,
        paper=plan.paper,
        status=status,
        reason=reason,
        caption=_caption(plan, drawing.details),
        reading=with_symbols(drawing.reading),
        protocol=plan.protocol if numbers else "",
        protocol_description=plan.protocol_description if numbers else "",
        alt=drawing.alt,
        sha256=hashlib.sha256(png).hexdigest(),
        dark_sha256=hashlib.sha256(dark).hexdigest(),
        width=width,
        height=height,
        svg=svg is not None,
    )
    return DrawnFigure(record, png, svg, dark)


def _dark(plan: FigurePlan, drawing: Drawing) -> bytes:
    """The rendering for dark ground."""
    if drawing.svg is not None:
        return dark_svg(drawing.svg.decode()).encode()
    darken(drawing.figure)
    return svg_bytes(drawing.figure) if plan.has_svg else png_bytes(drawing.figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m reports.figures.draw", description=__doc__)
    parser.add_argument("--figure-json", required=True, help="the FigurePlan as JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    parser.add_argument("--out-png", required=True, type=Path)
    parser.add_argument("--out-svg", type=Path, help="for plots")
    parser.add_argument(
        "--out-dark", required=True, type=Path, help="for dark ground: an SVG of plots, else a PNG"
    )
    parser.add_argument("--out-json", required=True, type=Path)
    arguments = parser.parse_args(argv)
    try:
        plan = FigurePlan.from_json(arguments.figure_json)
        if plan.has_svg != (arguments.out_svg is not None):
            demand = "is a plot: give --out-svg" if plan.has_svg else "has no SVG: no --out-svg"
            parser.error(f"{plan.name} {demand}")
        drawn = draw_figure(plan, arguments.results)
        out = arguments.out_png, arguments.out_svg, arguments.out_dark
        for path, content in zip(out, (drawn.png, drawn.svg, drawn.dark), strict=True):
            if path is not None and content is not None:
                with atomic_path(path) as temporary:
                    temporary.write_bytes(content)
        drawn.record.write(arguments.out_json)
    except (SpecError, ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
