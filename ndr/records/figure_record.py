"""What is written beside a figure: whether it was drawn, its caption, its words, its hash."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from ndr.atomic_file import write_json

DRAWN, NOT_DRAWN = "drawn", "not drawn"


class FigureRecordError(ValueError):
    """A figure's JSON file that this version of the suite cannot read."""


@dataclass(frozen=True, slots=True)
class FigureRecord:
    """One figure's `<figure>.json`."""

    name: str
    label: str
    title: str
    kind: str
    tier: str
    paper: bool
    status: str
    """`drawn` or `not drawn`."""
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


def write_figure_record(path: Path, record: FigureRecord) -> None:
    """Write a record atomically."""
    write_json(path, dataclasses.asdict(record))


def read_figure_record(path: Path) -> FigureRecord:
    """Read a record.

    Raises:
        FileNotFoundError: the figure was not asked for.
        FigureRecordError: another content.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        record = FigureRecord(**content)
    except (ValueError, TypeError) as error:
        raise FigureRecordError(f"{path}: {error}; delete it and run again") from error
    if record.status not in (DRAWN, NOT_DRAWN):
        raise FigureRecordError(
            f"{path}: expected the status {DRAWN!r} or {NOT_DRAWN!r}, found {record.status!r}; "
            "delete it and run again"
        )
    return record
