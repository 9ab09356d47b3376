"""Boxes, arrows and signs of a diagram, placed in inches from the lower left corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from reports.figures import style

PLAIN, STAGE, QUERY, INJECTION, MATRIX, LOSS = (
    "#f2f2f2",
    "#dcebf5",
    "#fbe5c0",
    "#cfeadf",
    "#fff7c2",
    "#f6d9c4",
)
"""Fills by role; every box also says in words what it is."""
LINE = "#333333"
SIGN_RADIUS = 0.085
NETWORK_NAMES = {"NDRRestore": "NDR-Restore", "NDRDegrad": "NDR-Degrad"}
"""The paper's names of the networks by their classes."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its centre and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """Middle of the left side."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        """Middle of the right side."""
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> Point:
        """Middle of the upper side."""
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> Point:
        """Middle of the lower side."""
        return self.x, self.y - self.height / 2


class Diagram:
    """A figure without axes to draw a diagram upon."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self.axes: Axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_xlim(0.0, width)
        self.axes.set_ylim(0.0, height)
        self.axes.set_axis_off()

    def box(self, box: Box, lines: Sequence[str], fill: str = PLAIN) -> Box:
        """Draw a box with lines of text; the first stands out."""
        self.axes.add_patch(
            FancyBboxPatch(
                (box.x - box.width / 2, box.y - box.height / 2),
                box.width,
                box.height,
                boxstyle="round,pad=0,rounding_size=0.04",
                facecolor=fill,
                edgecolor=LINE,
                linewidth=0.7,
                zorder=3,
            )
        )
        pitch = 0.112
        first = box.y + pitch * (len(lines) - 1) / 2
        for index, line in enumerate(lines):
            self.text(box.x, first - index * pitch, line, bold=index == 0 and len(lines) > 1)
        return box

    def arrow(self, *points: Point, colour: str = LINE, head: bool = True) -> None:
        """Draw a line through points, with a head at the last."""
        if len(points) > 2 or not head:
            bend = points[:-1] if head else points
            xs, ys = zip(*bend, strict=True)
            self.axes.plot(
                xs, ys, color=colour, linewidth=0.9, zorder=1, solid_capstyle="projecting"
            )
        if head:
            self.axes.add_patch(
                FancyArrowPatch(
                    points[-2],
                    points[-1],
                    arrowstyle="-|>,head_length=3.2,head_width=1.6",
                    mutation_scale=1.0,
                    color=colour,
                    linewidth=0.9,
                    shrinkA=0.0,
                    shrinkB=0.0,
                    zorder=2,
                )
            )

    def sign(self, x: float, y: float, character: str) -> Box:
        """Draw a small circle with a sign, e.g. a sum; returns its bounds."""
        self.axes.add_patch(
            Circle((x, y), SIGN_RADIUS, facecolor="white", edgecolor=LINE, linewidth=0.7, zorder=3)
        )
        self.text(x, y, character, size=style.SMALL)
        return Box(x, y, 2 * SIGN_RADIUS, 2 * SIGN_RADIUS)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        align: str = "center",
        size: float = style.TINY,
        bold: bool = False,
        colour: str = style.BLACK,
    ) -> None:
        """Write a line of text, centred upon its height."""
        self.axes.text(
            x,
            y,
            words,
            ha=align,
            va="center_baseline",
            fontsize=size,
            fontweight="bold" if bold else "normal",
            color=colour,
            parse_math=False,
            zorder=4,
        )


def shape_text(shape: Sequence[int]) -> str:
    """A shape in words.

    >>> shape_text((48, 64, 64))
    '48×64×64'
    """
    return "\N{MULTIPLICATION SIGN}".join(str(size) for size in shape)


def count_text(parameters: int) -> str:
    """A number of parameters in words.

    >>> count_text(27648)
    '27,648 parameters'
    """
    return f"{parameters:,} parameter{'' if parameters == 1 else 's'}"


def kernel_text(kind: str, kernel: int | None) -> str:
    """A layer's name with its kernel.

    >>> kernel_text("Conv2d", 3), kernel_text("Linear", None)
    ('Conv2d 3×3', 'Linear')
    """
    return kind if kernel is None else f"{kind} {kernel}\N{MULTIPLICATION SIGN}{kernel}"
