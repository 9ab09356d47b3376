"""What is written beside a figure: whether it was drawn, its caption, its words, its hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ndr.records.record import Record
from ndr.specs.typed_file import one_of

DRAWN, NOT_DRAWN = "drawn", "not drawn"


@dataclass(frozen=True, slots=True)
class FigureRecord(Record):
    """One figure's `<figure>.json`."""

    FILE: ClassVar[str] = "record of a figure"

    name: str
    label: str
    title: str
    kind: str
    tier: str
    paper: bool
    status: Annotated[str, one_of(DRAWN, NOT_DRAWN)]
    reason: str
    """Why it is not drawn; empty where it is."""
    caption: str
    alt: str
    sha256: str
    """Of the PNG."""
    width: int
    """Pixels of the PNG."""
    height: int
    svg: bool
    """Whether an SVG lies beside the PNG."""
