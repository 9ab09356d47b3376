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
    reading: str
    """How figures of its kind are read, which the page says once."""
    protocol: str
    """Of the numbers that it shows; empty where it shows none."""
    protocol_description: str
    alt: str
    sha256: str
    """Of the PNG."""
    dark_sha256: str
    """Of the rendering for dark ground, `<figure>_dark.svg` of plots and `<figure>_dark.png`."""
    width: int
    """Pixels of the PNG."""
    height: int
    svg: bool
    """Whether an SVG lies beside the PNG."""
