"""A figure of maps and pictures that stand where their sizes in inches say.

Automatic layouts shrink tiles by the width of their labels, so tiles of one figure would have
different sizes.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reports.figures.representation_arrays import signed_range
from reports.figures.style import SEQUENTIAL, SMALL, TINY
from reports.paper.printed_values import with_symbols

BAR, BAR_GAP = 0.09, 0.06
"""Thickness of a colour bar and its distance to the map, inches."""


class Sheet:
    """A figure of fixed size; places are inches, `top` being measured downwards."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height))
        self._letters = iter(string.ascii_lowercase)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes of a box."""
        bottom = self.height - top - height
        place = left / self.width, bottom / self.height, width / self.width, height / self.height
        return self.figure.add_axes(place)

    def text(self, left: float, top: float, words: str, **options: Any) -> None:
        """Write words, centred upon a point unless options differ."""
        options = {"ha": "center", "va": "center", "fontsize": SMALL, **options}
        place = left / self.width, 1.0 - top / self.height
        self.figure.text(*place, with_symbols(words), parse_math=False, **options)

    def panel_letter(self, left: float, top: float) -> None:
        """Write the next letter, left aligned and centred upon the height."""
        self.text(left, top, f"({next(self._letters)})", ha="left", fontweight="bold")

    def heads(self, lefts: Sequence[float], titles: Sequence[str], side: float) -> None:
        """A letter and a title above each of several columns of maps of one side."""
        for left, title in zip(lefts, titles, strict=True):
            self.panel_letter(left, 0.12)
            self.text(left + side / 2 + 0.08, 0.12, title)

    def tile(self, pixels: NDArray[np.uint8], left: float, top: float, side: float) -> None:
        """A picture in a square box, its own aspect kept."""
        axes = self.axes(left, top, side, side)
        axes.imshow(pixels)
        axes.set(xticks=[], yticks=[])
        _frame(axes)

    def heat_map(
        self,
        values: NDArray[np.float64],
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        ends: tuple[float, float] | None = None,
        square: bool = False,
        bar: str = "",
    ) -> QuadMesh:
        """A map with a number per cell in a box; `bar` labels a colour bar of its height beside it.

        Without `ends` the values are signed: colours differ evenly on both sides of zero, or where
        all lie on one side begin at it. The map fills the box; with `square` cells it keeps its own
        aspect.
        """
        axes = self.axes(left, top, width, height)
        (low, high), colours = (ends, SEQUENTIAL) if ends else signed_range(values)
        look = {"cbar": False, "xticklabels": False, "yticklabels": False, "square": square}
        sns.heatmap(values, ax=axes, cmap=colours, vmin=low, vmax=high, **look)
        _frame(axes)
        (shown,) = axes.collections
        assert isinstance(shown, QuadMesh)
        if bar:
            self.colour_bar(shown, left + width + BAR_GAP, top, height, bar)
        return shown

    def colour_bar(
        self, shown: QuadMesh, left: float, top: float, height: float, label: str
    ) -> None:
        """An upright colour bar; where a map has values beyond its colours, that end is pointed."""
        values, (low, high) = np.asarray(shown.get_array()), shown.get_clim()
        beyond = bool((values < low).any()), bool((values > high).any())
        extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}
        bar = self.figure.colorbar(
            shown,
            cax=self.axes(left, top, BAR, height),
            ticks=MaxNLocator(4),
            extend=extend.get(beyond, "both"),
        )
        bar.set_label(label, fontsize=SMALL, labelpad=2.0)
        bar.ax.tick_params(labelsize=TINY, length=2.0, pad=1.5)
        bar.outline.set_linewidth(0.4)


def _frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.4)
