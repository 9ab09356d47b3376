"""One test image per test set: input, the methods' outputs and the truth, as inlined thumbnails."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reports.evaluation_rows import SeriesKey
from reports.number_format import metric_text
from reports.page.kept_pictures import KeptPictures
from reports.page.picture_store import PictureStore, Thumbnail
from reports.page.table_view import block_title
from reports.quality import report_entry
from reports.tables import result as t
from reports.tables.result import Block, Column, QualityEntry, TableResult

LONG_SIDE, SMALL_SIDE = 256, 128
"""Pixels of a thumbnail's longer side, in front of the fold and behind it."""
DEGRADED_INPUT, TRUTH = "Degraded input", "Ground truth"


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
    full: str
    """Address of the full crop."""


@dataclass(frozen=True, slots=True)
class PictureRow:
    """All pictures of one test image."""

    test_set: str
    label: str
    image: str
    stand_in: str
    """What is shown in place of the paper's set; two sets of a tier can have one label."""
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


class PictureReader:
    """Makes the picture rows of a report; problems are collected in `quality`."""

    def __init__(
        self, kept: KeptPictures, store: PictureStore, tables: Sequence[TableResult]
    ) -> None:
        self.kept = kept
        self.store = store
        self.tables = tables
        self.quality: list[QualityEntry] = []

    def rows(self) -> list[PictureRow]:
        """One row per test set of the tables, in their order."""
        with ThreadPoolExecutor() as pool:
            return [row for c in _columns(self.tables) if (row := self._row(c, pool)) is not None]

    def _row(self, column: Column, pool: ThreadPoolExecutor) -> PictureRow | None:
        test_set = column.test_set
        assert test_set is not None
        given = self.kept.input_run(test_set)
        image = next(iter(self.kept.images(given, test_set)), None) if given else None
        if given is None or image is None:
            self._note(f"{column.label}: the degraded input left no picture.")
            return None
        truth = self.kept.truth_run(test_set)
        first = [_Candidate(given, DEGRADED_INPUT, "", True)]
        last = [] if truth is None else [_Candidate(truth, TRUTH, "", True)]
        if truth is None:
            self._note(f"{column.label}, {TRUTH}: no control left a picture of {image}.")
        methods = _candidates(self.tables, test_set)
        order = [*first, *(c for c in methods if c.main), *last]
        others = [c for c in methods if not c.main]
        panel = functools.partial(self._panel, column=column, image=image)
        panels = list(pool.map(panel, order + others))
        main, rest = panels[: len(order)], panels[len(order) :]
        return PictureRow(
            test_set=test_set,
            label=column.label,
            image=image,
            stand_in=column.stand_in,
            main=tuple(_kept(main)),
            others=tuple(_kept(rest)),
        )

    def _panel(self, candidate: _Candidate, column: Column, image: str) -> Panel | None:
        test_set = column.test_set
        assert test_set is not None
        path = self.kept.path(candidate.run, test_set, image)
        side = LONG_SIDE if candidate.main else SMALL_SIDE
        try:
            small, full = self.store.add(path, side)
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
        return Panel(candidate.label, candidate.detail, candidate.run, psnr, text, alt, small, full)

    def _psnr(self, run: str, key: SeriesKey, image: str) -> float | None:
        evaluation = self.kept.evaluation(run)
        values = evaluation.sound(key) if evaluation else None
        return None if values is None else values.get(image)

    def _note(self, message: str) -> None:
        self.quality.append(report_entry(t.NOTE, "pictures", message))


def _kept(panels: Iterable[Panel | None]) -> Iterator[Panel]:
    return (panel for panel in panels if panel is not None)
