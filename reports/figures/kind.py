"""What a module that draws a kind of figure offers: `draw`, which gives a figure and its words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from matplotlib.figure import Figure

from ndr.specs.figure_plan import FigurePlan


class MissingFigureInput(Exception):  # noqa: N818 - it tells of a state, not of a mistake
    """A figure cannot be drawn because of an input that is absent, damaged or empty.

    Args:
        path: the file or folder.
        reason: what is wrong with it and what to do, as a sentence for the reader of the page.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with the words that are computed from what it shows."""

    figure: Figure
    alt: str
    """Text in place of the figure."""
    details: str = ""
    """Sentences that the caption adds: images, counts, machines."""
    reading: str = ""
    """How figures of this kind are read; the page says once what several figures share."""
    svg: bytes | None = None
    """The SVG where it is not made from `figure`."""


class FigureKind(Protocol):
    """A module of `reports.figures` by the name of its kind."""

    def draw(self, plan: FigurePlan, results: Path) -> Drawing:
        """Draw a figure from the results of a tier.

        Raises:
            MissingFigureInput: an input is absent or cannot be used.
        """
        ...
