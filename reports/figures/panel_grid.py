"""Lays out panels in rows and columns: pictures with a framed detail below, words, a scale."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from reports.figures.dark import ON_PICTURE
from reports.figures.style import ERRORS, FONT_SIZE, GREY, SMALL, TEXT_WIDTH, YELLOW
from reports.paper.printed_values import with_symbols

PANEL_WIDTH = 1.2
"""Inches of a panel, where many stand side by side; fewer share the page's width."""
WIDEST = 1.9
GAP = 0.04
LABEL_WIDTH = 0.36
LINE = 0.13
"""Inches of a line of small text."""
WORDS = 1.35 * LINE
"""Inches of the words below a panel."""
TALLEST = 1.5
"""Largest height of a panel over its width; taller pictures are shrunk to fit."""
INCHES_PER_LETTER = 0.066
"""Of small text."""
SHEET_WIDTH, SHEET_HEIGHT = 10.8, 7.0
"""Inches that a figure may have on a printed sheet; a larger one is printed smaller."""
SMALLEST_IN_PRINT = 6.2
"""Points of the smallest text on a printed sheet."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One cell: a picture (height, width, 3), a map (height, width), or the reason for none."""

    image: NDArray[np.generic] | None
    text: str = ""
    reason: str = ""
    best: bool = False
    """Whether its number is the best of the row: bold."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A square detail that is shown enlarged below each panel; pixels."""

    top: int
    left: int
    side: int


@dataclass(frozen=True, slots=True)
class PanelRow:
    """Panels of one image."""

    label: str
    detail: str
    panels: tuple[Panel, ...]
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Range and name of the numbers of all maps of a figure."""

    highest: float
    label: str


@dataclass(frozen=True, slots=True)
class _Band:
    """Where a row stands on the page; inches."""

    top: float
    letters: float
    """Size of the text over its usual size."""
    panel: float
    """Width of a panel."""
    wide: float
    """Width of a picture: less than the panel's where it would be too tall."""
    tall: float
    """Height of a picture."""
    inner: float
    """Height of picture and detail, without the words below."""

    @classmethod
    def of(cls, row: PanelRow, top: float, panel: float, letters: float) -> _Band:
        height, width = _shape(row)[:2]
        tall = panel * min(TALLEST, height / width)
        inner = tall + (panel + GAP if row.frame else 0)
        return cls(top, letters, panel, tall * width / height, tall, inner)

    @property
    def bottom(self) -> float:
        return self.top + self.inner + WORDS * self.letters + GAP

    @property
    def inset(self) -> float:
        return (self.panel - self.wide) / 2

    def left(self, index: int) -> float:
        return LABEL_WIDTH * self.letters + index * (self.panel + GAP)


class _Page:
    """A figure that is filled from the top; lengths are inches.

    One coordinate system holds everything: one of its own for each panel costs more time than all
    that is drawn into it.
    """

    def __init__(self, width: float, height: float, letters: float) -> None:
        self.width, self.height, self.letters = width, height, letters
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()

    def text(self, left: float, top: float, words: str, size: float, **options: Any) -> None:
        options = {"ha": "center", "va": "center", "fontsize": size * self.letters, **options}
        self.axes.text(left, self.height - top, with_symbols(words), parse_math=False, **options)

    def box(self, left: float, top: float, width: float, height: float, **options: Any) -> None:
        corner = (left, self.height - top - height)
        self.axes.add_patch(Rectangle(corner, width, height, **options))

    def picture(
        self, image: NDArray[np.generic], left: float, top: float, width: float, height: float
    ) -> AxesImage:
        """Show a picture; shrunk ones are smoothed, enlarged ones keep their pixels."""
        extent = (left, left + width, self.height - top - height, self.height - top)
        shown = AxesImage(self.axes, extent=extent, interpolation="auto")
        shown.set_data(image)
        self.axes.add_image(shown)
        return shown


def _wrapped(words: str, inches: float, lines: int) -> str:
    """Text in at most `lines` lines that fit into a width; a longer one ends in an ellipsis."""
    letters = max(6, int(inches / INCHES_PER_LETTER))
    return "\n".join(
        textwrap.wrap(words, letters, max_lines=lines, placeholder=" \N{HORIZONTAL ELLIPSIS}")
    )


def _shape(row: PanelRow) -> tuple[int, ...]:
    """Height and width of the row's pictures in pixels."""
    return next((p.image.shape for p in row.panels if p.image is not None), (1, 1))


def draw_panels(
    columns: Sequence[str], rows: Sequence[PanelRow], scale: Scale | None = None
) -> Figure:
    """A figure of panels.

    Args:
        columns: heads, one per panel of each row.
        rows: from the top; those with a frame show its detail below each panel.
        scale: of maps; they then need a colour bar.
    """
    panel = min(WIDEST, max(PANEL_WIDTH, (TEXT_WIDTH - LABEL_WIDTH) / len(columns) - GAP))
    below = 0.62 if scale else 0.0
    letters, bands = 1.0, _bands(rows, columns, panel, 1.0)
    for _ in range(3):  # larger words make it taller
        size = bands[0].left(len(columns)), bands[-1].bottom + below
        shrunk = min(1.0, SHEET_WIDTH / size[0], SHEET_HEIGHT / size[1])
        letters = max(1.0, SMALLEST_IN_PRINT / (SMALL * shrunk))
        bands = _bands(rows, columns, panel, letters)
    heads = [_wrapped(column, panel / letters, 3) for column in columns]
    page = _Page(bands[0].left(len(columns)), bands[-1].bottom + below, letters)
    for index, words in enumerate(heads):
        middle = bands[0].left(index) + panel / 2
        page.text(middle, bands[0].top - 0.04, words, FONT_SIZE, va="bottom")
    for row, band in zip(rows, bands, strict=True):
        _draw_row(page, row, band, scale)
    if scale:
        _draw_scale(page, scale)
    return page.figure


def _bands(
    rows: Sequence[PanelRow], columns: Sequence[str], panel: float, letters: float
) -> list[_Band]:
    """Where the rows stand below the heads, for text of `letters` times its usual size."""
    lines = max(1 + _wrapped(each, panel / letters, 3).count("\n") for each in columns)
    bands: list[_Band] = []
    for row in rows:
        top = bands[-1].bottom if bands else LINE * 1.15 * letters * lines + 0.04
        bands.append(_Band.of(row, top, panel, letters))
    return bands


def _draw_row(page: _Page, row: PanelRow, band: _Band, scale: Scale | None) -> None:
    middle = band.top + band.inner / 2
    page.text(0.13 * band.letters, middle, row.label, FONT_SIZE, rotation=90)
    page.text(0.27 * band.letters, middle, row.detail, SMALL, color=GREY, rotation=90)
    below = band.top + band.inner + 0.03
    for index, panel in enumerate(row.panels):
        left = band.left(index)
        if panel.image is None:
            _draw_reason(page, panel.reason, left, band)
        else:
            inset = left + band.inset
            shown = page.picture(panel.image, inset, band.top, band.wide, band.tall)
            if panel.image.ndim == 2 and scale:
                shown.set_cmap(ERRORS)
                shown.set_clim(0, scale.highest)
            if row.frame:
                _draw_detail(page, panel.image, row.frame, left, band)
        weight = "bold" if panel.best else "normal"
        page.text(left + band.panel / 2, below, panel.text, SMALL, va="top", fontweight=weight)


def _draw_reason(page: _Page, reason: str, left: float, band: _Band) -> None:
    page.box(left, band.top, band.panel, band.inner, facecolor="#f0f0f0", linewidth=0)
    words = _wrapped(reason, band.panel * 1.15 / band.letters, 7)
    middle = left + band.panel / 2, band.top + band.inner / 2
    page.text(*middle, words, SMALL, color=GREY)


def _draw_detail(
    page: _Page, image: NDArray[np.generic], frame: Frame, left: float, band: _Band
) -> None:
    """The frame in a picture, and what it holds enlarged below."""
    pixel = band.wide / image.shape[1]
    corner = (left + band.inset + frame.left * pixel, band.top + frame.top * pixel)
    side = frame.side * pixel
    for colour, width in (("black", 1.8), (YELLOW, 0.9)):  # seen on dark and on bright ground
        line: dict[str, Any] = {"edgecolor": colour, "linewidth": width}
        page.box(*corner, side, side, fill=False, gid=ON_PICTURE, **line)
    detail = image[frame.top : frame.top + frame.side, frame.left : frame.left + frame.side]
    top = band.top + band.tall + GAP
    page.picture(detail, left, top, band.panel, band.panel)
    page.box(left, top, band.panel, band.panel, fill=False, edgecolor=YELLOW, linewidth=1.2)


def _draw_scale(page: _Page, scale: Scale) -> None:
    width = min(3.0, page.width / 2)
    left = (page.width - width) / 2
    bar = page.figure.add_axes(
        (left / page.width, 0.42 / page.height, width / page.width, 0.08 / page.height)
    )
    mappable = ScalarMappable(Normalize(0, scale.highest), mpl.colormaps[ERRORS])
    page.figure.colorbar(mappable, cax=bar, orientation="horizontal", extend="max")
    bar.set_xlabel(scale.label, fontsize=SMALL * page.letters, parse_math=False)
    bar.tick_params(labelsize=SMALL * page.letters)
