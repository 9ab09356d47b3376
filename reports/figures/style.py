"""The look that all figures share: fonts, sizes, colours and how a figure becomes bytes."""

from __future__ import annotations

import contextlib
import io
import string
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reports.paper.printed_values import with_symbols

BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
VERMILION, PURPLE, SKY, YELLOW, BLACK = "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#1a1a1a"
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
"""Colours that stay apart for every kind of colour vision (Okabe and Ito, 2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One per colour, so that colour is never alone."""
OURS = VERMILION
GREY = "#6b6b6b"
SEQUENTIAL = "viridis"
"""Colour map of magnitudes: even steps of lightness, readable in grey."""
ERRORS = "inferno"
"""Colour map of errors: black is none."""
DIVERGING = "PuOr"
"""Colour map of signed values, white at zero."""

TEXT_WIDTH = 7.16
"""Inches: both columns of an IEEE page."""
COLUMN_WIDTH = 3.5
"""Inches: one column."""
FONT_SIZE, SMALL, TINY = 8.0, 7.0, 6.0
DPI = 200
"""Of the PNG: 1432 pixels at `TEXT_WIDTH`."""

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "figure.titlesize": FONT_SIZE,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.edgecolor": GREY,
    "axes.grid": False,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",
    "image.resample": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "ndr-figures",
    "path.simplify": False,
}
"""Settings of matplotlib inside `house_style`."""


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draw in the suite's style, whatever the user's matplotlibrc says.

    Figures are made with `matplotlib.figure.Figure`, not with pyplot: no display is asked for.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """The figure as an SVG without date and random ids; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


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
        options = {"ha": "center", "va": "center", "fontsize": SMALL, **options}
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
        colours: str = SEQUENTIAL,
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
    bar.set_label(label, fontsize=SMALL, labelpad=2.0)
    bar.ax.tick_params(labelsize=TINY, length=2.0, pad=1.5)
    bar.outline.set_linewidth(0.4)
    return bar


def _bare(axes: Axes) -> Axes:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)
    return axes
