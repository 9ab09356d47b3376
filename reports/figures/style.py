"""The look that all figures share: fonts, sizes, colours and how a figure becomes bytes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Colours that stay apart for every kind of colour vision (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
VERMILION, YELLOW, BLACK = "#d55e00", "#f0e442", "#1a1a1a"
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

SETTINGS: dict[Any, Any] = {
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
    "savefig.facecolor": "auto",
    "figure.dpi": DPI,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.hspace": 0.08,
    "figure.constrained_layout.wspace": 0.04,
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


def png_bytes(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as a PNG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """The figure as an SVG without date and random ids; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
