"""What draws a figure: a plan, a module of its kind, and the error where an input is missing."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from ndr.nearest_name import check_names
from workflows.figure_plan import KINDS, FigurePlan, FigureRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawing", "FigureKind", "FigurePlan", "FigureRow", "MissingFigureInput", "figure_kind"]


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


class FigureKind(Protocol):
    """What a module that draws one kind of figure offers."""

    def draw(self, plan: FigurePlan, results: Path) -> Figure | Drawing:
        """Draw a figure from the results of a tier.

        A module that returns a `Figure` may also offer `alt_text(plan, results) -> str`.

        Raises:
            MissingFigureInput: an input is absent or cannot be used.
        """
        ...


def figure_kind(name: str) -> FigureKind:
    """The module that draws a kind; raises `UnknownNameError` with the nearest names."""
    check_names("kind of figure", [name], KINDS)
    return cast(FigureKind, importlib.import_module(f"reports.figures.{name}"))
