"""The same figure on dark ground: each colour of the house style has a counterpart there.

Photographs and the colours of maps stand for values and stay as they are, so that a caption holds
for both renderings.
"""

from __future__ import annotations

import re
from typing import Any

from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from reports.figures.style import BLACK, BLUE, GREEN, GREY, VERMILION

GROUND = "#191c20"
"""The page's own, `--surface` in the dark."""
ON_PICTURE = "on-picture"
"""Group id of artists that lie on a photograph, whose ground does not change."""
COUNTERPARTS = {
    "#ffffff": GROUND,
    "#000000": "#e7e9ec",
    BLACK: "#e7e9ec",
    GREY: "#a4adb7",
    "#d9d9d9": "#343a42",
    "#f0f0f0": "#262b31",
    BLUE: "#56b4e9",
    GREEN: "#2fc39a",
    VERMILION: "#f08a3c",
    # The drawings of the network: lines, then grounds of boxes.
    "#333333": "#a9b1bb",
    "#f2f2f2": "#2b3037",
    "#dcebf5": "#20394d",
    "#fbe5c0": "#493a1a",
    "#cfeadf": "#1e4335",
    "#fff7c2": "#45411a",
    "#f6d9c4": "#4f301c",
}
"""Colours on light and on dark ground; what is not here is seen on both."""
PARTS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
PAINT = re.compile(r'\b(fill|stroke)="([^"]+)"')


def counterpart(colour: Any) -> Any:
    """A colour on dark ground, as opaque as it was; others than those of the style stay.

    >>> counterpart("white"), counterpart("#e69f00")
    ((0.09803921568627451, 0.10980392156862745, 0.12549019607843137, 1.0), '#e69f00')
    """
    red_green_blue_alpha = to_rgba(colour)
    found = COUNTERPARTS.get(to_hex(red_green_blue_alpha))
    return colour if found is None else to_rgba(found, red_green_blue_alpha[3])


def _recolour(artist: Artist) -> None:
    if artist.get_gid() == ON_PICTURE:
        return
    several = isinstance(artist, Collection)
    if isinstance(artist, Collection) and artist.get_array() is not None:
        return  # a map: its colours are values
    for part in PARTS:
        read, write = (getattr(artist, f"{verb}_{part}", None) for verb in ("get", "set"))
        if read is None or write is None or (several and part == "color"):
            continue
        given = read()
        write([counterpart(one) for one in given] if several else counterpart(given))
    if isinstance(artist, Annotation) and artist.arrow_patch is not None:
        _recolour(artist.arrow_patch)


def darken(figure: Figure) -> None:
    """Give everything in a figure the colours of dark ground."""
    figure.draw_without_rendering()  # ticks come into being when they are drawn
    for artist in figure.findobj():
        _recolour(artist)


def dark_svg(svg: str) -> str:
    """A drawing of `reports/figures/drawings` in the colours of dark ground.

    >>> dark_svg('<rect fill="white" stroke="none"/>')
    '<rect fill="#191c20" stroke="none"/>'
    """

    def paint(found: re.Match[str]) -> str:
        name, colour = found.groups()
        return f'{name}="{colour if colour == "none" else to_hex(counterpart(colour))}"'

    return PAINT.sub(paint, svg)
