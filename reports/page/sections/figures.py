"""The section of figures: pictures and plots beside the page, and their files to take along."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ndr.image_decoding import DecodingError, check_png, opened
from ndr.records import table_result as t
from ndr.records.figure_record import DRAWN, FigureRecord
from ndr.records.record import ResultFileError
from ndr.records.table_result import QualityEntry
from reports.analysis.quality import report_entry
from reports.figures.style import DPI
from reports.page.assets import FIGURES, Assets, Picture, jpeg

WIDTH = 1400
"""Pixels of a picture on the page; the offered file has all."""
JPEG_QUALITY = 84


@dataclass(frozen=True, slots=True)
class PageFigure:
    """One figure as the page shows it."""

    record: FigureRecord
    reason: str = ""
    """Why it is not shown; empty where it is."""
    picture: Picture = field(default_factory=lambda: Picture("", 0, 0))
    dark: str = ""
    """Address of the rendering for dark ground, as large as `picture`."""
    inches: float = 0.0
    """Width at which its words have their size."""
    png: str = ""
    """Address of the file to take along; empty where the page offers none."""
    svg: str = ""


def _reduced(png: bytes) -> Image.Image:
    """A picture at most `WIDTH` pixels wide."""
    check_png(png)
    with opened(png, ("PNG",)) as image:
        picture = image.convert("RGB")
    if picture.width <= WIDTH:
        return picture
    height = max(1, round(picture.height * WIDTH / picture.width))
    return picture.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _page_figure(path: Path, assets: Assets) -> PageFigure:
    record = FigureRecord.read(path)
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    dark = path.with_name(f"{path.stem}_dark{'.svg' if record.svg else '.png'}")
    if record.status != DRAWN:
        return PageFigure(record, record.reason)
    try:
        content = png.read_bytes()
        dark_content = dark.read_bytes()
        vector = svg.read_bytes() if record.svg else b""
    except OSError as error:
        return PageFigure(record, f"{error}; draw it again")
    for file, read, recorded in (
        (png, content, record.sha256),
        (dark, dark_content, record.dark_sha256),
    ):
        if hashlib.sha256(read).hexdigest() != recorded:
            reason = f"{file} is not the file that {path.name} describes; draw it again"
            return PageFigure(record, reason)
    if vector:
        address = assets.shown(FIGURES, svg.name, vector)
        picture = Picture(address, record.width, record.height)
        on_dark = assets.shown(FIGURES, dark.name, dark_content)
    else:
        picture = _shown(path.stem, content, assets)
        on_dark = _shown(dark.stem, dark_content, assets).address
    offered = [assets.offered(FIGURES, file) for file in (png, svg)]
    links = offered[0], offered[1] if vector else ""
    return PageFigure(record, "", picture, on_dark, record.width / DPI, *links)


def _shown(name: str, png: bytes, assets: Assets) -> Picture:
    """A picture as the page shows it."""
    small = _reduced(png)
    content = jpeg(small, JPEG_QUALITY)
    return Picture(assets.shown(FIGURES, f"{name}.jpg", content), *small.size)


def shared_readings(figures: Sequence[PageFigure]) -> dict[str, list[str]]:
    """How to read figures, where several are read alike, with their labels."""
    found: dict[str, list[str]] = {}
    for figure in figures:
        if figure.record.reading and not figure.reason:
            found.setdefault(figure.record.reading, []).append(figure.record.label)
    return {reading: labels for reading, labels in found.items() if len(labels) > 1}


def figures_section(
    records: Sequence[Path], assets: Assets
) -> tuple[list[PageFigure], list[QualityEntry]]:
    """The figures of a report, the paper's first, and which could not be read.

    Args:
        records: `results/<tier>/figures/<figure>.json`, with the pictures beside them.
        assets: what lies beside the page.
    """

    def read(path: Path) -> PageFigure | QualityEntry:
        try:
            return _page_figure(path, assets)
        except (ResultFileError, DecodingError, OSError) as error:
            return report_entry(t.ERROR, "invalid", str(error))

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(read, records))
    figures = [each for each in found if isinstance(each, PageFigure)]
    problems = [each for each in found if isinstance(each, QualityEntry)]
    return sorted(figures, key=lambda each: not each.record.paper), problems
