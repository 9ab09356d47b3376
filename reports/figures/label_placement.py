"""Places the names of points where they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

NEAR = 5.0
"""Points (1/72 inch) between a mark and a name beside it."""
RINGS = (1.0, 2.5, 4.5, 7.0)
"""Distances that are tried, in units of `NEAR`."""
MARK = 4.0
"""Half the side of the square that a mark covers."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Right, left, above, below, corners: readers look to the right first."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Area that two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.top - self.bottom)


def text_width(text: str, font_size: float, *, bold: bool) -> float:
    """Width of a word in the figures' font, in the unit of the font size."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    # Not at its size: outlines are rounded to whole units, which shows in small letters.
    plain = text.replace("$", r"\$")  # no formula
    extents = TextPath((0, 0), plain, size=100, prop=font, usetex=False).get_extents()
    return float(extents.width) * font_size / 100


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a name stands: its box, and whether it is so far from its mark that a line helps."""

    box: Box
    far: bool


def _candidates(x: float, y: float, width: float, height: float) -> list[Placed]:
    found = []
    for ring in RINGS:
        gap = NEAR * ring
        for across, up in DIRECTIONS:
            left = x + gap if across > 0 else x - gap - width if across < 0 else x - width / 2
            bottom = y + gap if up > 0 else y - gap - height if up < 0 else y - height / 2
            found.append(Placed(Box(left, bottom, left + width, bottom + height), ring > RINGS[0]))
    return found


def place_names(
    points: Sequence[tuple[float, float]], widths: Sequence[float], height: float, bounds: Box
) -> list[Placed]:
    """A place for each name, from the topmost mark downwards.

    Args:
        points: marks, in points of 1/72 inch.
        widths: of the names, one per mark.
        height: of the names.
        bounds: what names should not leave.

    Returns:
        One place per mark: the nearest that covers nothing, else the one that covers least.
    """
    taken = [Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in points]
    places: dict[int, Placed] = {}
    for index in sorted(range(len(points)), key=lambda each: (-points[each][1], points[each][0])):

        def cost(place: Placed) -> float:
            covered = sum(place.box.overlap(each) for each in taken)
            outside = place.box.area - place.box.overlap(bounds)
            return covered + outside

        best = min(_candidates(*points[index], widths[index], height), key=cost)
        places[index] = best
        taken.append(best.box)
    return [places[index] for index in range(len(points))]
