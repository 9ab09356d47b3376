"""A page of axes placed in inches from its upper left corner, for figures made of tiles."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reports.figures import style
from reports.symbols import with_symbols

BAR = 0.09
"""Thickness of a colour bar, inches."""


class Sheet:
    """A figure of fixed size whose parts stand where their sizes in inches say.

    Automatic layouts shrink tiles by the width of their labels, so tiles of one figure would have
    different sizes.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height))
        self._letters = iter(string.ascii_lowercase)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes of a box in inches, `top` being measured downwards."""
        bottom = self.height - top - height
        return self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def text(self, left: float, top: float, words: str, **options: Any) -> None:
        """Write words; a point in inches as in `axes`, centred upon it unless options differ."""
        options = {"ha": "center", "va": "center", "fontsize": style.SMALL, **options}
        place = left / self.width, 1.0 - top / self.height
        self.figure.text(*place, with_symbols(words), parse_math=False, **options)

    def panel_letter(self, left: float, top: float) -> None:
        """Write the next letter, left aligned and centred upon the height."""
        self.text(left, top, f"({next(self._letters)})", ha="left", fontweight="bold")

    def tile(self, pixels: NDArray[np.uint8], left: float, top: float, side: float) -> Axes:
        """A picture in a square box, its own aspect kept."""
        axes = self.axes(left, top, side, side)
        axes.imshow(pixels)
        return _bare(axes)

    def map_tile(
        self,
        values: NDArray[np.float64],
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        ends: tuple[float, float],
        colours: str = style.SEQUENTIAL,
        stretched: bool = False,
    ) -> AxesImage:
        """A map with a number per pixel in a box; `stretched` fills the box with it."""
        axes = self.axes(left, top, width, height)
        aspect = "auto" if stretched else "equal"
        image = axes.imshow(values, cmap=colours, vmin=ends[0], vmax=ends[1], aspect=aspect)
        _bare(axes)
        return image

    def upright_bar(
        self, image: AxesImage, left: float, top: float, height: float, label: str
    ) -> Colorbar:
        """A colour bar that stands right of its maps."""
        axes = self.axes(left, top, BAR, height)
        bar = self.figure.colorbar(image, cax=axes, ticks=MaxNLocator(4), extend=_beyond(image))
        return _labelled(bar, label)

    def lying_bar(
        self, image: AxesImage, left: float, top: float, width: float, label: str
    ) -> Colorbar:
        """A colour bar that lies below its maps."""
        axes = self.axes(left, top, width, BAR)
        bar = self.figure.colorbar(
            image,
            cax=axes,
            orientation="horizontal",
            ticks=MaxNLocator(max(2, int(2.5 * width))),
            extend=_beyond(image),
        )
        return _labelled(bar, label)


def _beyond(image: AxesImage) -> str:
    """Ends of the colour map beyond which the image has values: they get a pointed end."""
    values = np.ma.getdata(image.get_array())
    low, high = image.get_clim()
    below, above = bool((values < low).any()), bool((values > high).any())
    return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]


def _labelled(bar: Colorbar, label: str) -> Colorbar:
    bar.set_label(label, fontsize=style.SMALL, labelpad=2.0)
    bar.ax.tick_params(labelsize=style.TINY, length=2.0, pad=1.5)
    bar.outline.set_linewidth(0.4)
    return bar


def _bare(axes: Axes) -> Axes:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)
    return axes
