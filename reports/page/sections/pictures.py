"""One test image per test set: input, the methods' outputs and the truth, as inlined thumbnails."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.per_image import Evaluation, ResultFileError, SeriesKey, read_evaluation
from ndr.records.provenance import evaluation_folder
from ndr.records.table_result import Block, Column, QualityEntry, TableResult
from ndr.specs.report_description import ReportDescription
from reports.analysis.quality import report_entry
from reports.number_format import metric_text
from reports.page.picture_store import PictureStore, Thumbnail
from reports.paper.printed_values import block_title

WORST, MEDIAN, BEST = "worst", "median", "best"


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """One image that stands for a run on a test set."""

    word: str
    """`worst`, `median`, `best`; empty where there is nothing to choose from."""
    image: str
    value: float | None


def chosen_images(
    values: Mapping[str, float] | None, kept: Collection[str], lower_is_better: bool = False
) -> tuple[ChosenImage, ...]:
    """Worst, median and best of the images whose pictures were kept.

    Of an even number, the median is the worse of the two in the middle. Without values the first
    three images stand there without a word.

    >>> [c.image for c in chosen_images({"a": 3.0, "b": 1.0, "c": 2.0, "d": 0.0}, "abc")]
    ['b', 'c', 'a']
    >>> chosen_images({"a": 3.0}, ["a"])
    (ChosenImage(word='', image='a', value=3.0),)
    """
    known = {image: values[image] for image in sorted(kept) if values and image in values}
    if len(known) < len(kept):
        return tuple(ChosenImage("", image, known.get(image)) for image in sorted(kept)[:3])
    order = sorted(known, key=lambda image: known[image], reverse=lower_is_better)
    if len(order) < 2:
        return tuple(ChosenImage("", image, known[image]) for image in order)
    places = [(WORST, 0), (MEDIAN, (len(order) - 1) // 2), (BEST, len(order) - 1)]
    if len(order) == 2:
        del places[1]
    return tuple(ChosenImage(word, order[at], known[order[at]]) for word, at in places)


class KeptPictures:
    """The pictures and per-image values below `results/<tier>/evaluations`."""

    def __init__(self, results: Path, description: ReportDescription) -> None:
        self._results = results
        self._description = description
        self._evaluations: dict[str, Evaluation | None] = {}

    def path(self, run: str, test_set: str, image: str) -> Path:
        """Where an evaluation leaves the picture of an image."""
        return evaluation_folder(self._results, run) / "pictures" / test_set / f"{image}.png"

    def images(self, run: str, test_set: str) -> list[str]:
        """Names of the images whose pictures a run left, sorted."""
        folder = evaluation_folder(self._results, run) / "pictures" / test_set
        return sorted(path.stem for path in folder.glob("*.png"))

    def input_run(self, test_set: str) -> str | None:
        """The control that left the degraded inputs of a test set."""
        return self._first(self._description.input_runs, test_set)

    def truth_run(self, test_set: str) -> str | None:
        """The control that left the ground truths of a test set."""
        return self._first(self._description.truth_runs, test_set)

    def _first(self, runs: Sequence[str], test_set: str) -> str | None:
        folders = (evaluation_folder(self._results, run) / "pictures" / test_set for run in runs)
        found = (run for run, folder in zip(runs, folders, strict=True) if folder.is_dir())
        return next(found, None)

    def evaluation(self, run: str) -> Evaluation | None:
        """A run's per-image values; None where they are missing or cannot be used."""
        if run not in self._evaluations:
            path = evaluation_folder(self._results, run) / "per_image.csv"
            try:
                self._evaluations[run] = read_evaluation(path, run)
            except (FileNotFoundError, ResultFileError):
                self._evaluations[run] = None  # the tables list this under quality
        return self._evaluations[run]


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
