"""Degradation query, degradation injection and CP convolution at full size (Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ndr.records.network_layout import Layer, NetworkLayout, Part, Skip
from reports.figures import style
from reports.figures.diagram import (
    INJECTION,
    MATRIX,
    PLAIN,
    QUERY,
    Box,
    Diagram,
    Point,
    count_text,
    kernel_text,
    shape_text,
)

HEIGHT = 5.75
QUERY_Y, INJECTION_Y, CP_Y = 4.6, 2.85, 0.92
"""Heights of the middles of the three panels."""
LEFT, RIGHT = 0.12, style.TEXT_WIDTH - 0.12
BOX_HEIGHT = 0.44
ARROW = 0.14
"""Length of the arrow between neighbouring boxes."""
POOLING = {
    "channel_projection": ("mean over pixels", "a"),
    "height_projection": ("mean over each row", "b"),
    "width_projection": ("mean over each column", "c"),
}
"""What is done to F before each projection of the CP convolution (Eq. 4), and its result."""


def draw_modules(layout: NetworkLayout) -> Figure:
    """Draw the parts of the first level."""
    diagram = Diagram(style.TEXT_WIDTH, HEIGHT)
    skip = layout.restoration.skips[0]
    query, injection, cp = (layout.part(n) for n in ("query", "injection", "cp_convolution"))
    _title(diagram, QUERY_Y + 1.03, "a", "Degradation query (DQ)", query)
    _draw_query(diagram, layout, query, skip)
    _title(diagram, INJECTION_Y + 0.93, "b", "Degradation injection (DI)", injection)
    _draw_injection(diagram, injection, skip)
    _title(diagram, CP_Y + 0.93, "c", "CP convolution, of F", cp)
    _draw_cp(diagram, cp, skip)
    return diagram.figure


def _title(diagram: Diagram, y: float, letter: str, name: str, part: Part | None) -> None:
    words = f"({letter})  {name}"
    if part is not None:
        words += f": {part.kind}, {count_text(part.parameters)}"
    diagram.text(LEFT, y, words, align="left", size=style.SMALL, bold=True)


def layer_lines(layer: Layer) -> list[str]:
    """A layer's name, its channels, and its size, a line each."""
    name = kernel_text(layer.kind, layer.kernel)
    axis = 0 if layer.kernel is not None or len(layer.input) == 3 else -1
    channels = f"{layer.input[axis]} \N{RIGHTWARDS ARROW} {layer.output[axis]}"
    return [name, channels, f"{layer.parameters:,}"]


def _absent(diagram: Diagram, y: float, what: str) -> None:
    diagram.text(style.TEXT_WIDTH / 2, y, f"This network has no {what}.", size=style.SMALL)


def _row(
    diagram: Diagram,
    y: float,
    boxes: Sequence[tuple[Sequence[str], str]],
    *,
    right: float = RIGHT,
    widest: float = 1.1,
) -> list[Box]:
    """Boxes side by side with arrows between them, filling the width up to `widest` each."""
    width = min(widest, (right - LEFT - (len(boxes) - 1) * ARROW) / len(boxes))
    pitch = width + ARROW
    drawn = []
    for index, (lines, fill) in enumerate(boxes):
        box = Box(LEFT + width / 2 + index * pitch, y, width, BOX_HEIGHT)
        drawn.append(diagram.box(box, lines, fill))
        if index:
            diagram.arrow(drawn[-2].right, box.left)
    return drawn


def _draw_query(diagram: Diagram, layout: NetworkLayout, part: Part | None, skip: Skip) -> None:
    if part is None or skip.degradation is None:
        _absent(diagram, QUERY_Y, "query")
        return
    feature = (["F", shape_text(skip.features)], "white")
    result = (["U", shape_text(skip.degradation)], "white")
    if layout.representation is None or skip.affinity is None:
        layers = [(layer_lines(layer), QUERY) for layer in part.layers]
        _row(diagram, QUERY_Y, [feature, *layers, result])
        return
    mapping = [(layer_lines(x), PLAIN) for x in part.layers if x.name.startswith("mapping")]
    projection = [(layer_lines(x), PLAIN) for x in part.layers if x.name.startswith("projection")]
    d = layout.representation
    explained = d.dimension, *skip.affinity[1:]
    temperature = " t" if part.options["temperature"] else ""
    softmax = ([f"softmax(Q D{temperature})", "over N"], QUERY)
    total = (["S D", "sum over N", shape_text(explained)], QUERY)
    drawn = _row(diagram, QUERY_Y, [feature, *mapping, softmax, total, *projection, result])
    at = 1 + len(mapping)
    attention, weighted = drawn[at], drawn[at + 1]
    matrix = Box((attention.x + weighted.x) / 2, QUERY_Y + 0.62, 1.75, 0.3)
    diagram.box(matrix, [f"D: N = {d.count} vectors of M = {d.dimension}"], MATRIX)
    for box in (attention, weighted):
        diagram.arrow((box.x, matrix.bottom[1]), box.top, colour=style.VERMILION)
    diagram.text(
        weighted.left[0] - ARROW / 2, weighted.bottom[1] - 0.12, f"S {shape_text(skip.affinity)}"
    )
    note = "Q: what the convolutions before it make of F"
    if temperature:
        note += "; t: a learned temperature"
    diagram.text(RIGHT, weighted.bottom[1] - 0.32, note, align="right")


def _draw_injection(diagram: Diagram, part: Part | None, skip: Skip) -> None:
    if part is None or skip.degradation is None:
        _absent(diagram, INJECTION_Y, "injection")
        return
    layers = {layer.name: layer for layer in part.layers}
    upper, lower = INJECTION_Y + 0.42, INJECTION_Y - 0.25
    residuals = int(part.options.get("residuals", 0))
    feature = (["F", shape_text(skip.features)], "white")
    degradation = (["U", shape_text(skip.degradation)], "white")
    if "feature_cp" not in layers:
        _draw_replaced(diagram, part, skip, residuals)
        return
    path = [degradation]
    if "mixing" in layers:
        path.append((layer_lines(layers["mixing"]), PLAIN))
    path.append((_cp_lines(layers["degradation_cp"]), INJECTION))
    if "scale_and_shift" in layers:
        path.append((layer_lines(layers["scale_and_shift"]), PLAIN))
    end = _row(diagram, upper, path, right=5.0)[-1]
    inputs = _row(diagram, lower, [feature, (_cp_lines(layers["feature_cp"]), INJECTION)])
    times = diagram.sign(5.15, lower, "\N{MULTIPLICATION SIGN}")
    plus = diagram.sign(5.85, lower, "+")
    result = Box(RIGHT - 0.4, lower, 0.8, BOX_HEIGHT)
    diagram.box(result, ["F injected", shape_text(skip.injected)], "white")
    diagram.arrow(inputs[-1].right, times.left)
    diagram.arrow(times.right, plus.left)
    diagram.arrow(plus.right, result.left)
    diagram.arrow((end.right[0], upper - 0.08), (times.x, upper - 0.08), times.top)
    diagram.arrow((end.right[0], upper + 0.08), (plus.x, upper + 0.08), plus.top)
    diagram.text(times.x - 0.08, (upper + lower) / 2, "scale", align="right")
    diagram.text(plus.x - 0.08, (upper + lower) / 2, "shift", align="right")
    _draw_residual(diagram, inputs[0], plus, residuals)


def _cp_lines(layer: Layer) -> list[str]:
    return [layer.kind, shape_text(layer.output), f"{layer.parameters:,}"]


def _draw_replaced(diagram: Diagram, part: Part, skip: Skip, residuals: int) -> None:
    """An injection without CP: its layers get F and U together."""
    assert skip.degradation is not None
    shapes = f"{shape_text(skip.features)} and {shape_text(skip.degradation)}"
    boxes = [(["F and U", shapes], "white")]
    boxes += [(_cp_lines(layer), INJECTION) for layer in part.layers]
    boxes.append((["F injected", shape_text(skip.injected)], "white"))
    drawn = _row(diagram, INJECTION_Y, boxes, widest=1.7)
    if residuals:
        words = f"{residuals} F is added" if residuals > 1 else "F is added"
        diagram.text(drawn[-1].x, drawn[-1].bottom[1] - 0.12, words)


def _draw_residual(diagram: Diagram, start: Box, plus: Box, residuals: int) -> None:
    if not residuals:
        return
    way = start.bottom[1] - 0.2
    diagram.arrow(start.bottom, (start.x, way), (plus.x, way), plus.bottom)
    words = "F" if residuals == 1 else f"{residuals} F"
    diagram.text((start.x + plus.x) / 2, way - 0.1, words)


def _draw_cp(diagram: Diagram, part: Part | None, skip: Skip) -> None:
    if part is None:
        _absent(diagram, CP_Y, "CP convolution")
        return
    rank = part.options["rank"]
    middle = CP_Y
    source = Box(LEFT + 0.36, middle, 0.72, BOX_HEIGHT)
    diagram.box(source, ["F", shape_text(skip.features)], "white")
    cube = Box(4.95, middle, 0.9, 0.5)
    products = "a \N{CIRCLED TIMES} b \N{CIRCLED TIMES} c"
    diagram.box(cube, [f"mean of {rank}", "products", products], INJECTION)
    for layer, y in zip(part.layers, _heights(len(part.layers), middle), strict=True):
        _draw_branch(diagram, layer, y, (source, cube), rank)
    point: Point = cube.right
    steps = [
        (part.options["multiplies_input"], "\N{MULTIPLICATION SIGN}", "times F", 0.17),
        (part.options["residual"], "+", "plus F", -0.17),
    ]
    x = 5.68
    for wanted, character, words, offset in steps:
        if wanted:
            sign = diagram.sign(x, middle, character)
            diagram.arrow(point, sign.left)
            diagram.text(x, middle + offset, words)
            point, x = sign.right, x + 0.38
    result = Box(RIGHT - 0.35, middle, 0.7, BOX_HEIGHT)
    diagram.box(result, ["CP(F)", shape_text(skip.features)], "white")
    diagram.arrow(point, result.left)


def _heights(count: int, middle: float) -> list[float]:
    return [middle + 0.55 * ((count - 1) / 2 - index) for index in range(count)]


def _draw_branch(
    diagram: Diagram, layer: Layer, y: float, ends: tuple[Box, Box], rank: int
) -> None:
    """A pooled view of F, its projection, and the K vectors that it gives."""
    source, cube = ends
    pooling, vector = POOLING[layer.name]
    pooled = Box(1.62, y, 1.1, 0.3)
    projected = Box(2.75, y, 0.92, BOX_HEIGHT)
    diagram.box(pooled, [pooling], PLAIN)
    name, channels, count = layer_lines(layer)
    diagram.box(projected, [f"{name}, sigmoid", channels, count], PLAIN)
    turn = source.right[0] + 0.1
    diagram.arrow(source.right, (turn, source.y), (turn, y), pooled.left)
    diagram.arrow(pooled.right, projected.left)
    bend = cube.left[0] - 0.12
    if y == cube.y:
        diagram.arrow(projected.right, cube.left)
    else:
        diagram.arrow(projected.right, (bend, y), (bend, cube.y), head=False)
    # The means over pixels give K vectors along the channels at once, a row per place gives K each.
    length = layer.output[-1] // rank if len(layer.output) == 1 else layer.output[0]
    words = f"{vector}: {rank} of length {length}"
    diagram.text(projected.right[0] + 0.06, y + 0.09, words, align="left")
