"""The section of figures: small pictures or plots inside the page, and links to the files."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ndr.records.figure_record import DRAWN, FigureRecord
from reports.page.picture_store import data_uri, webp

WIDTH = 1400
"""Pixels of a picture in the page; the linked file has all."""
WEBP_QUALITY = 78
LARGEST_SVG = 150_000
"""Bytes; a larger plot stands in the page as pixels, and the SVG is linked."""


@dataclass(frozen=True, slots=True)
class PageFigure:
    """One figure as the page shows it."""

    record: FigureRecord
    reason: str = ""
    """Why it is not shown; empty where it is."""
    data_uri: str = ""
    width: int = 0
    height: int = 0
    png: str = ""
    """Relative address of the file."""
    svg: str = ""
    """Empty where there is none."""


def _reduced(png: bytes) -> Image.Image:
    """A picture at most `WIDTH` pixels wide."""
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    if picture.width <= WIDTH:
        return picture
    height = max(1, round(picture.height * WIDTH / picture.width))
    return picture.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _page_figure(path: Path, page: Path) -> PageFigure:
    record = FigureRecord.read(path)
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    if record.status != DRAWN:
        return PageFigure(record, record.reason)
    try:
        content = png.read_bytes()
        vector = svg.read_bytes() if record.svg else b""
    except OSError as error:
        return PageFigure(record, f"{error}; draw it again")
    if hashlib.sha256(content).hexdigest() != record.sha256:
        reason = f"{png} is not the file that {path.name} describes; draw it again"
        return PageFigure(record, reason)
    if vector and len(vector) <= LARGEST_SVG:
        uri, size = data_uri("svg+xml", vector), (record.width, record.height)
    else:
        small = _reduced(content)
        uri, size = data_uri("webp", webp(small, WEBP_QUALITY, method=2)), small.size

    def link(file: Path) -> str:
        return Path(os.path.relpath(file, page.parent)).as_posix()

    return PageFigure(record, "", uri, *size, link(png), link(svg) if vector else "")


def figures_section(records: Sequence[Path], page: Path) -> list[PageFigure]:
    """The figures of a report, the paper's first.

    Args:
        records: `results/<tier>/figures/<figure>.json`, with the pictures beside them.
        page: the HTML file, which links are relative to.

    Raises:
        ResultFileError: a record is damaged.
        FileNotFoundError: a record is not there.
    """
    with ThreadPoolExecutor() as pool:
        figures = list(pool.map(lambda path: _page_figure(path, page), records))
    return sorted(figures, key=lambda each: not each.record.paper)
