"""Drawings of the method from the networks as they are built (Fig. 2, 3 and 6).

`system` is NDR-Restore as a whole, `modules` are query, injection and CP convolution, `training`
is what is trained together. Every number is read from `results/<tier>/network_layout.json`
(`ndr.records.network_layout`): another network gives another drawing.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from ndr.nearest_name import check_names
from ndr.records.network_layout import Loss, Network, NetworkLayout
from ndr.specs.typed_file import SpecError
from reports.figures import style
from reports.figures.diagram import (
    INJECTION,
    LOSS,
    MATRIX,
    NETWORK_NAMES,
    STAGE,
    Box,
    Diagram,
    count_text,
    shape_text,
)
from reports.figures.draw import FigurePlan, MissingFigureInput
from reports.figures.drawing_modules import draw_modules
from reports.figures.drawing_system import draw_system

HEIGHT = 3.7
UPPER, LOWER = 2.5, 0.85
INPUT_X, NETWORK_X, OUTPUT_X, LOSS_X = 0.72, 2.75, 4.85, 6.45
IMAGE = 1.15, 0.4
NETWORK = 1.9, 0.62
LOSS_TEXTS = {
    "restore": "restored, clean",
    "degrade": "degraded again, degraded",
    "independence": "vectors of D",
}
"""What each term of the loss compares."""


def draw_training(layout: NetworkLayout) -> Figure:
    """Draw both networks, what passes between them, and the losses."""
    diagram = Diagram(style.TEXT_WIDTH, HEIGHT)
    losses = {loss.name: loss for loss in layout.losses}
    restoration = _draw_row(diagram, layout.restoration, UPPER, "degraded x", "restored")
    _draw_loss(diagram, losses["restore"], UPPER, "clean y", above=True)
    _draw_representation(diagram, layout, restoration, losses.get("independence"))
    if layout.degradation is not None:
        degradation = _draw_row(diagram, layout.degradation, LOWER, "clean y", "degraded again")
        _draw_loss(diagram, losses["degrade"], LOWER, "degraded x", above=False)
        _draw_degradations(diagram, layout, restoration, degradation)
    tested = "The upper network alone restores images after training."
    diagram.text(style.TEXT_WIDTH / 2, 0.12, tested)
    return diagram.figure


def _draw_row(diagram: Diagram, network: Network, y: float, before: str, after: str) -> Box:
    """An image, the network that it enters, and what comes out."""
    image = Box(INPUT_X, y, *IMAGE)
    box = Box(NETWORK_X, y, *NETWORK)
    output = Box(OUTPUT_X, y, *IMAGE)
    diagram.box(image, [before, shape_text(network.input)], "white")
    diagram.box(box, [NETWORK_NAMES[network.kind], count_text(network.parameters)], STAGE)
    diagram.box(output, [after, shape_text(network.output)], "white")
    diagram.arrow(image.right, box.left)
    diagram.arrow(box.right, output.left)
    return box


def _draw_loss(diagram: Diagram, loss: Loss, y: float, target: str, *, above: bool) -> None:
    """A loss right of an output, and what the output is compared with."""
    box = Box(LOSS_X, y, 1.3, 0.46)
    diagram.box(box, _loss_lines(loss), LOSS)
    image = Box(LOSS_X, y + (0.68 if above else -0.5), IMAGE[0], 0.26)
    diagram.box(image, [target], "white")
    diagram.arrow(*((image.bottom, box.top) if above else (image.top, box.bottom)))
    diagram.arrow((OUTPUT_X + IMAGE[0] / 2, y), box.left)


def _loss_lines(loss: Loss) -> list[str]:
    return [
        f"{loss.weight:g} \N{MULTIPLICATION SIGN} loss \N{LEFT DOUBLE QUOTATION MARK}{loss.name}"
        "\N{RIGHT DOUBLE QUOTATION MARK}",
        LOSS_TEXTS.get(loss.name, ""),
    ]


def _draw_representation(
    diagram: Diagram, layout: NetworkLayout, restoration: Box, independence: Loss | None
) -> None:
    """D above the network that queries it, and the loss upon it where there is one."""
    d = layout.representation
    if d is None:
        return
    box = Box(NETWORK_X, UPPER + 0.9, NETWORK[0], 0.42)
    lines = [f"D: N = {d.count} vectors of M = {d.dimension}", count_text(d.parameters)]
    diagram.box(box, lines, MATRIX)
    diagram.arrow(box.bottom, restoration.top, colour=style.VERMILION)
    levels = sum(skip.affinity is not None for skip in layout.restoration.skips)
    words = f"queried at {levels} levels"
    diagram.text(box.x + 0.1, (box.bottom[1] + restoration.top[1]) / 2, words, align="left")
    if independence is not None:
        loss = Box(OUTPUT_X, box.y, 1.6, 0.46)
        diagram.box(loss, _loss_lines(independence), LOSS)
        diagram.arrow(box.right, loss.left)


def _draw_degradations(
    diagram: Diagram, layout: NetworkLayout, restoration: Box, degradation: Box
) -> None:
    """U of each level on its way from one network to the other."""
    skips = [skip for skip in layout.restoration.skips if skip.degradation is not None]
    pitch = NETWORK[0] / len(skips)
    middle = (restoration.bottom[1] + degradation.top[1]) / 2
    for index, skip in enumerate(skips):
        x = restoration.x + pitch * (index - (len(skips) - 1) / 2)
        assert skip.degradation is not None
        box = Box(x, middle, pitch - 0.05, 0.36)
        diagram.box(box, [f"U, level {skip.level + 1}", shape_text(skip.degradation)], INJECTION)
        diagram.arrow((x, restoration.bottom[1]), box.top)
        diagram.arrow(box.bottom, (x, degradation.top[1]))


DRAWINGS = {"system": draw_system, "modules": draw_modules, "training": draw_training}
FILE_NAME = "network_layout.json"


def read_layout(results: Path) -> NetworkLayout:
    """Read the layout of a tier.

    Raises:
        MissingFigureInput: there is none, or it was written by another version.
    """
    path = results / FILE_NAME
    try:
        return NetworkLayout.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFigureInput(
            path, "no such file; `snakemake --cores all` writes it (python -m ndr.network.layout)"
        ) from error
    except (SpecError, UnicodeDecodeError) as error:
        raise MissingFigureInput(path, f"{error}; delete it and run again") from error


def draw(plan: FigurePlan, results: Path) -> Figure:
    """Draw Fig. 2, 3 or 6; see `FigureKind.draw`."""
    check_names("content of a drawing", [plan.content], DRAWINGS)
    return DRAWINGS[plan.content](read_layout(results))


def alt_text(plan: FigurePlan, results: Path) -> str:
    """The networks' kinds and sizes."""
    layout = read_layout(results)
    networks = [n for n in (layout.restoration, layout.degradation) if n is not None]
    named = [f"{NETWORK_NAMES[n.kind]} with {count_text(n.parameters)}" for n in networks]
    blocks = sum(s.blocks for s in layout.restoration.stages if s.block == "TransformerBlock")
    text = f"Diagram of {layout.label}: {' and '.join(named)}; {blocks} transformer blocks"
    if layout.representation is not None:
        d = layout.representation
        text += f"; D holds {d.count} vectors of {d.dimension} numbers"
    return f"{text}."
