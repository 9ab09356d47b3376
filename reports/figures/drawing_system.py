"""NDR-Restore as a whole: encoder, skips that query and inject, decoder (Fig. 2)."""

from __future__ import annotations

from matplotlib.figure import Figure

from ndr.records.network_layout import Network, NetworkLayout, Skip, Stage
from reports.figures import style
from reports.figures.diagram import (
    INJECTION,
    MATRIX,
    PLAIN,
    QUERY,
    STAGE,
    Box,
    Diagram,
    count_text,
    kernel_text,
    shape_text,
)

HEIGHT = 5.6
ENCODER_X, QUERY_X, INJECTION_X, FUSION_X, DECODER_X = 0.95, 2.83, 4.35, 5.13, 6.2
STAGE_SIZE = 1.6, 0.5
PART_WIDTH = 1.0
LEVEL_0, LEVEL_PITCH = 3.3, 0.93
"""Height of the middle of the first level, and how much lower each next one is."""
SUM_Y = LEVEL_0 + 1.6
"""Height of the input image and of the sum with it."""
UPPER, LOWER = 0.15, 0.1
"""Heights of the way of F above, and of the way through the query below, a level's middle."""
D_COLOUR = style.VERMILION
PART_NAMES = {
    "DegradationQuery": "DQ",
    "PlainQuery": "plain DQ",
    "DegradationInjection": "DI",
    "ConcatenationInjection": "DI without CP",
    "PlainInjection": "plain DI",
    "PlainSkip": "plain skip",
}
"""Short names of the parts on the skips, and of what ablations put in their place."""


def draw_system(layout: NetworkLayout) -> Figure:
    """Draw NDR-Restore."""
    network = layout.restoration
    diagram = Diagram(style.TEXT_WIDTH, HEIGHT)
    levels = len(network.skips)
    encoders = [_stage_box(diagram, network, "encoders", k, ENCODER_X) for k in range(levels)]
    decoders = [_stage_box(diagram, network, "decoders", k, DECODER_X) for k in range(levels)]
    for level, skip in enumerate(network.skips):
        _draw_skip(diagram, network, skip, encoders[level], decoders[level])
    _draw_representation(diagram, layout)
    _draw_bottom(diagram, network, encoders, decoders)
    _draw_entry(diagram, network, encoders[0])
    _draw_exit(diagram, layout, decoders[0])
    diagram.text(
        style.TEXT_WIDTH / 2,
        HEIGHT - 0.15,
        f"{layout.label}: {count_text(network.parameters)}",
        size=style.FONT_SIZE,
        bold=True,
    )
    fusion = network.stage("fusions")
    diagram.text(
        style.TEXT_WIDTH / 2,
        0.1,
        f"C: concatenation, then {kernel_text(fusion.block, fusion.kernel)}.   Sizes are channels"
        f"\N{MULTIPLICATION SIGN}height\N{MULTIPLICATION SIGN}width for an input of "
        f"{layout.side}\N{MULTIPLICATION SIGN}{layout.side} pixels.",
    )
    return diagram.figure


def _level_y(level: int) -> float:
    return LEVEL_0 - LEVEL_PITCH * level


def stage_lines(stage: Stage) -> list[str]:
    """Blocks, output and size of a stage, a line each."""
    times = "\N{MULTIPLICATION SIGN}"
    name = kernel_text(stage.block, stage.kernel)
    title = name if stage.kernel is not None else f"{stage.blocks} {times} {name}"
    size = shape_text(stage.output)
    if stage.heads is not None:
        size += f", {stage.heads} head{'' if stage.heads == 1 else 's'}"
    return [title, size, count_text(stage.parameters)]


def _stage_box(diagram: Diagram, network: Network, role: str, level: int, x: float) -> Box:
    lines = stage_lines(network.stage(role, level))
    return diagram.box(Box(x, _level_y(level), *STAGE_SIZE), lines, STAGE)


def _draw_skip(diagram: Diagram, network: Network, skip: Skip, encoder: Box, decoder: Box) -> None:
    """Query, injection and fusion of a level; F passes above, U below."""
    y = _level_y(skip.level)
    injection = Box(INJECTION_X, y, PART_WIDTH, 0.46)
    name = PART_NAMES[skip.injection]
    diagram.box(injection, [name, count_text(skip.injection_parameters)], INJECTION)
    start, end = encoder.right[0], injection.left[0]
    diagram.arrow((start, y + UPPER), (end, y + UPPER))
    diagram.text((start + end) / 2 + 0.12, y + UPPER + 0.09, "F " + shape_text(skip.features))
    if skip.query is not None:
        query = Box(QUERY_X, y - LOWER, PART_WIDTH, 0.36)
        name = PART_NAMES[skip.query]
        diagram.box(query, [name, count_text(skip.query_parameters)], QUERY)
        diagram.arrow((start, query.y - 0.09), (query.left[0], query.y - 0.09))
        diagram.arrow(query.right, (end, query.y))
        middle = (query.right[0] + end) / 2
        if skip.degradation is not None:
            diagram.text(middle, query.y - 0.1, "U")
            diagram.text(middle, query.y - 0.22, shape_text(skip.degradation))
        if skip.affinity is not None:
            diagram.text(QUERY_X, query.bottom[1] - 0.1, "S " + shape_text(skip.affinity))
    fusion = diagram.sign(FUSION_X, y, "C")
    diagram.arrow(injection.right, fusion.left)
    diagram.arrow(fusion.right, decoder.left)


def _draw_representation(diagram: Diagram, layout: NetworkLayout) -> None:
    """D, and its way to the queries of all levels."""
    d = layout.representation
    if d is None:
        return
    bus = (ENCODER_X + STAGE_SIZE[0] / 2 + QUERY_X - PART_WIDTH / 2) / 2
    box = Box(bus + 0.86, LEVEL_0 + 0.78, 1.9, 0.42)
    lines = [f"D: N = {d.count} vectors of M = {d.dimension}", count_text(d.parameters)]
    diagram.box(box, lines, MATRIX)
    ends = [_level_y(s.level) - LOWER + 0.08 for s in layout.restoration.skips if s.affinity]
    diagram.arrow((bus, box.bottom[1]), (bus, min(ends)), colour=D_COLOUR, head=False)
    for end in ends:
        diagram.arrow((bus, end), (QUERY_X - PART_WIDTH / 2, end), colour=D_COLOUR)


def _draw_bottom(
    diagram: Diagram, network: Network, encoders: list[Box], decoders: list[Box]
) -> None:
    """Ways between the levels, and the stage at the smallest size."""
    levels = len(encoders)
    middle = (ENCODER_X + DECODER_X) / 2
    box = Box(middle, _level_y(levels) + 0.12, *STAGE_SIZE)
    diagram.box(box, stage_lines(network.stage("bottom", levels)), STAGE)
    for level, (encoder, decoder) in enumerate(zip(encoders, decoders, strict=True)):
        down, up = network.stage("downsamplings", level), network.stage("upsamplings", level)
        below = encoder.bottom[1] - 0.2
        between = (FUSION_X + DECODER_X) / 2
        for offset, words in ((0.06, down.block), (-0.06, shape_text(down.output))):
            diagram.text(ENCODER_X + 0.07, below + offset, words, align="left")
        for offset, words in ((0.06, up.block), (-0.06, shape_text(up.output))):
            diagram.text(between, below + offset, words)
        target = (FUSION_X, decoder.y - 0.085)
        if level + 1 < levels:
            diagram.arrow(encoder.bottom, encoders[level + 1].top)
            start = decoders[level + 1].top
        else:
            diagram.arrow(encoder.bottom, (ENCODER_X, box.y), box.left)
            start = (DECODER_X, box.y)
            diagram.arrow(box.right, start, head=False)
        turn = below - 0.16
        diagram.arrow(start, (start[0], turn), (FUSION_X, turn), target)


def _draw_entry(diagram: Diagram, network: Network, encoder: Box) -> None:
    stage = network.stage("extractor")
    extractor = Box(ENCODER_X, LEVEL_0 + 0.82, STAGE_SIZE[0], STAGE_SIZE[1])
    image = Box(ENCODER_X, SUM_Y, STAGE_SIZE[0], 0.36)
    diagram.box(image, ["degraded image", shape_text(network.input)], "white")
    diagram.box(extractor, stage_lines(stage), PLAIN)
    diagram.arrow(image.bottom, extractor.top)
    diagram.arrow(extractor.bottom, encoder.top)


def _draw_exit(diagram: Diagram, layout: NetworkLayout, decoder: Box) -> None:
    """Refinement, reconstruction, and the sum with the input where there is one."""
    network = layout.restoration
    y = decoder.top[1]
    below = decoder
    for role, fill in (("refinement", STAGE), ("reconstruction", PLAIN)):
        stage = network.stage(role)
        if not stage.parameters:
            continue
        y += 0.1 + STAGE_SIZE[1] / 2
        box = Box(DECODER_X, y, STAGE_SIZE[0], STAGE_SIZE[1] - 0.04)
        diagram.box(box, stage_lines(stage), fill)
        diagram.arrow(below.top, box.bottom)
        below, y = box, box.top[1]
    image = Box(DECODER_X, SUM_Y + 0.38, STAGE_SIZE[0], 0.36)
    diagram.box(image, ["restored image", shape_text(network.output)], "white")
    if not network.image_residual:
        diagram.arrow(below.top, image.bottom)
        return
    plus = diagram.sign(DECODER_X, SUM_Y, "+")
    diagram.arrow(below.top, plus.bottom)
    diagram.arrow(plus.top, image.bottom)
    start = ENCODER_X + STAGE_SIZE[0] / 2
    diagram.arrow((start, SUM_Y), plus.left)
    words = "input image" if layout.scale == 1 else f"input image, enlarged by {layout.scale}"
    diagram.text((start + plus.left[0]) / 2, SUM_Y + 0.1, words)
