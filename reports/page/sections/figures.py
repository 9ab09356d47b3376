"""The section of figures: small pictures or plots inside the page, and links to the files."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ndr.records.figure_record import DRAWN, FigureRecord

WIDTH = 1400
"""Pixels of a picture in the page; the linked file has all."""
WEBP_QUALITY = 78
LARGEST_SVG = 150_000
"""Bytes; a larger plot stands in the page as pixels, and the SVG is linked."""


@dataclass(frozen=True, slots=True)
class PageFigure:
    """One figure as the page shows it."""

    record: FigureRecord
    data_uri: str
    """Empty where the figure is not drawn."""
    width: int
    height: int
    png: str
    """Relative address of the file; empty where there is none."""
    svg: str
    reason: str
    """Why it is not shown; empty where it is."""


@dataclass(frozen=True, slots=True)
class FiguresSection:
    """All figures of the report, the paper's first."""

    figures: tuple[PageFigure, ...]

    @property
    def drawn(self) -> int:
        """Number of figures that are shown."""
        return sum(not figure.reason for figure in self.figures)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _webp(png: bytes) -> tuple[bytes, tuple[int, int]]:
    """A picture at most `WIDTH` pixels wide, as a WebP, and its size."""
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    if picture.width > WIDTH:
        height = max(1, round(picture.height * WIDTH / picture.width))
        picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=WEBP_QUALITY, method=2)
    return buffer.getvalue(), picture.size


def _page_figure(path: Path, page: Path) -> PageFigure:
    record = FigureRecord.read(path)
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    if record.status != DRAWN:
        return PageFigure(record, "", 0, 0, "", "", record.reason)
    try:
        content = png.read_bytes()
        vector = svg.read_bytes() if record.svg else b""
    except OSError as error:
        return PageFigure(record, "", 0, 0, "", "", f"{error}; draw it again")
    if hashlib.sha256(content).hexdigest() != record.sha256:
        reason = f"{png} is not the file that {path.name} describes; draw it again"
        return PageFigure(record, "", 0, 0, "", "", reason)
    if vector and len(vector) <= LARGEST_SVG:
        uri, size = _data_uri("svg+xml", vector), (record.width, record.height)
    else:
        small, size = _webp(content)
        uri = _data_uri("webp", small)

    def link(file: Path) -> str:
        return Path(os.path.relpath(file, page.parent)).as_posix()

    return PageFigure(record, uri, *size, link(png), link(svg) if vector else "", "")


def figures_section(records: Sequence[Path], page: Path) -> FiguresSection:
    """The figures of a report.

    Args:
        records: `results/<tier>/figures/<figure>.json`, with the pictures beside them.
        page: the HTML file, which links are relative to.

    Raises:
        ResultFileError: a record is damaged.
        FileNotFoundError: a record is not there.
    """
    with ThreadPoolExecutor() as pool:
        figures = list(pool.map(lambda path: _page_figure(path, page), records))
    return FiguresSection(tuple(sorted(figures, key=lambda each: not each.record.paper)))
