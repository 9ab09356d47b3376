"""One test image per test set: input, the methods' outputs and the truth, as inlined thumbnails."""

from __future__ import annotations

import base64
import functools
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reports import table_result as t
from reports.evaluation_rows import Evaluation, ResultFileError, SeriesKey, read_evaluation
from reports.number_format import metric_text
from reports.provenance_files import evaluation_folder
from reports.quality import report_entry
from reports.report_description import ReportDescription
from reports.table_result import Block, Column, QualityEntry, TableResult
from reports.table_view import block_title

LONG_SIDE = 400
"""Pixels of a thumbnail's longer side; smaller pictures keep their pixels."""
WEBP_QUALITY = 82
DEGRADED_INPUT, TRUTH = "Degraded input", "Ground truth"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture inside the page."""

    data_uri: str
    width: int
    height: int
    reduced: bool
    """Smaller than the picture: fine grain looks weaker than it is."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture with its caption."""

    label: str
    detail: str
    run: str
    psnr: float | None
    psnr_text: str
    alt: str
    thumbnail: Thumbnail


@dataclass(frozen=True, slots=True)
class PictureRow:
    """All pictures of one test image."""

    test_set: str
    label: str
    image: str
    main: tuple[Panel, ...]
    """Input, the methods of the widest training mix, truth."""
    others: tuple[Panel, ...]
    """Other training mixes and ablations."""

    @property
    def reduced(self) -> bool:
        """Whether pictures lost pixels on their way into the page."""
        return any(panel.thumbnail.reduced for panel in self.main + self.others)


@dataclass(frozen=True, slots=True)
class _Candidate:
    run: str
    label: str
    detail: str
    main: bool


def thumbnail(path: Path) -> Thumbnail:
    """Read a picture and make a WebP of it, at most `LONG_SIDE` pixels long.

    Raises:
        OSError: the file is damaged or no picture.
    """
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    reduced = max(picture.size) > LONG_SIDE
    if reduced:
        picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=WEBP_QUALITY, method=2)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/webp;base64,{encoded}", *picture.size, reduced)


def _columns(tables: Iterable[TableResult]) -> list[Column]:
    columns = {c.test_set: c for table in tables for c in table.columns if c.test_set}
    return list(columns.values())


def _widest(table: TableResult, test_set: str) -> Block | None:
    """The block that was tested on most columns, this one included."""

    def width(block: Block) -> int:
        tested = {c.column for row in block.rows for c in row.cells if c.status != t.BLANK}
        return len(tested) if test_set in tested else 0

    widths = [width(block) for block in table.blocks]
    if not widths or max(widths) == 0:
        return None
    return table.blocks[widths.index(max(widths))]


def _candidates(tables: Sequence[TableResult], test_set: str) -> list[_Candidate]:
    """Runs that have the test set, the widest block of the first table with it in front."""
    first = next(table for table in tables if any(c.test_set == test_set for c in table.columns))
    widest = _widest(first, test_set)
    found: dict[str, _Candidate] = {}
    for table in tables:
        for block in sorted(table.blocks, key=lambda block: block is not widest):
            for row in block.rows:
                measured = any(c.column == test_set and c.status in t.MEASURED for c in row.cells)
                if row.run and measured and row.kind == t.METHOD:
                    detail = f"{table.label}, {block_title(block.name)}"
                    candidate = _Candidate(row.run, row.label, detail, block is widest)
                    found.setdefault(row.run, candidate)
    return list(found.values())


def _picture(results: Path, run: str, test_set: str, image: str) -> Path:
    return evaluation_folder(results, run) / "pictures" / test_set / f"{image}.png"


def _with_pictures(results: Path, runs: Sequence[str], test_set: str) -> str | None:
    """The first of the runs that left pictures of a test set."""
    folders = (evaluation_folder(results, run) / "pictures" / test_set for run in runs)
    found = (run for run, folder in zip(runs, folders, strict=True) if folder.is_dir())
    return next(found, None)


def _shown_image(results: Path, run: str, test_set: str) -> str | None:
    """Name of the first picture that the control of the degraded inputs left."""
    folder = evaluation_folder(results, run) / "pictures" / test_set
    return min((path.stem for path in folder.glob("*.png")), default=None)


class PictureReader:
    """Makes the picture rows of a report; problems are collected in `quality`."""

    def __init__(
        self, results: Path, description: ReportDescription, tables: Sequence[TableResult]
    ) -> None:
        self.results = results
        self.description = description
        self.tables = tables
        self.quality: list[QualityEntry] = []
        self._evaluations: dict[str, Evaluation | None] = {}

    def rows(self) -> list[PictureRow]:
        """One row per test set of the tables, in their order."""
        with ThreadPoolExecutor() as pool:
            return [row for c in _columns(self.tables) if (row := self._row(c, pool)) is not None]

    def _row(self, column: Column, pool: ThreadPoolExecutor) -> PictureRow | None:
        test_set = column.test_set
        assert test_set is not None
        given = _with_pictures(self.results, self.description.input_runs, test_set)
        image = None if given is None else _shown_image(self.results, given, test_set)
        if given is None or image is None:
            self._note(f"{column.label}: the degraded input left no picture.")
            return None
        truth = _with_pictures(self.results, self.description.truth_runs, test_set)
        first = [_Candidate(given, DEGRADED_INPUT, "", True)]
        last = [] if truth is None else [_Candidate(truth, TRUTH, "", True)]
        if truth is None:
            runs = ", ".join(self.description.truth_runs)
            self._note(f"{column.label}, {TRUTH} ({runs}): no picture of {image}.")
        methods = _candidates(self.tables, test_set)
        order = [*first, *(c for c in methods if c.main), *last]
        others = [c for c in methods if not c.main]
        panel = functools.partial(self._panel, column=column, image=image)
        panels = list(pool.map(panel, order + others))
        main, rest = panels[: len(order)], panels[len(order) :]
        return PictureRow(test_set, column.label, image, tuple(_kept(main)), tuple(_kept(rest)))

    def _panel(self, candidate: _Candidate, column: Column, image: str) -> Panel | None:
        test_set = column.test_set
        assert test_set is not None
        path = _picture(self.results, candidate.run, test_set, image)
        try:
            small = thumbnail(path)
        except FileNotFoundError:
            who = f"{candidate.label} ({candidate.run})"
            self._note(f"{column.label}, {who}: no picture of {image}.")
            return None
        except OSError as error:
            self._note(f"{path} cannot be read ({error}); delete its folder and run again.")
            return None
        protocol = self.tables[0].protocol
        psnr = self._psnr(candidate.run, SeriesKey(test_set, protocol, "PSNR"), image)
        text = "" if psnr is None else f"{metric_text('PSNR', psnr, math.isinf(psnr))} dB"
        alt = f"{image}, {column.label.lower()}: {candidate.label}"
        return Panel(candidate.label, candidate.detail, candidate.run, psnr, text, alt, small)

    def _psnr(self, run: str, key: SeriesKey, image: str) -> float | None:
        if run not in self._evaluations:
            path = evaluation_folder(self.results, run) / "per_image.csv"
            try:
                self._evaluations[run] = read_evaluation(path, run)
            except (FileNotFoundError, ResultFileError):
                self._evaluations[run] = None  # the tables list this under quality
        evaluation = self._evaluations[run]
        values = evaluation.sound(key) if evaluation else None
        return None if values is None else values.get(image)

    def _note(self, message: str) -> None:
        self.quality.append(report_entry(t.NOTE, "pictures", message))


def _kept(panels: Iterable[Panel | None]) -> Iterator[Panel]:
    return (panel for panel in panels if panel is not None)
