"""The section of pictures: one test image per test set, as every system restored it."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.metric import MAIN
from ndr.records import table_result as t
from ndr.records.per_image import Evaluation, ResultFileError, SeriesKey, read_evaluation
from ndr.records.provenance import evaluation_folder
from ndr.records.table_result import Block, Column, QualityEntry, TableResult
from ndr.specs.report_description import ReportDescription
from reports.analysis.quality import report_entry
from reports.page.assets import Assets, Picture
from reports.page.sections.tables import tested_columns
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


DEGRADED_INPUT, TRUTH = "Degraded input", "Ground truth"


@dataclass(frozen=True, slots=True)
class Source:
    """A run whose picture of an image is shown."""

    run: str
    label: str
    detail: str = ""
    """Table and training mix."""
    main: bool = True
    """Whether it stands in front of the fold: input, methods of the widest training mix, truth."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    source: Source
    psnr: float | None
    picture: Picture


@dataclass(frozen=True, slots=True)
class PictureRow:
    """All pictures of one test image."""

    column: Column
    image: str
    panels: tuple[Panel, ...]


def _widest(table: TableResult, test_set: str) -> Block | None:
    """The block that was tested on most columns, this one included."""

    def width(block: Block) -> int:
        tested = tested_columns(block)
        return len(tested) if test_set in tested else 0

    widest = max(table.blocks, key=width, default=None)
    return widest if widest and width(widest) else None


def _methods(tables: Sequence[TableResult], test_set: str) -> list[Source]:
    """Runs that have the test set, the widest block of the first table with it in front."""
    first = next(table for table in tables if any(c.test_set == test_set for c in table.columns))
    widest = _widest(first, test_set)
    found: dict[str, Source] = {}
    for table in tables:
        for block in sorted(table.blocks, key=lambda block: block is not widest):
            for row in block.rows:
                measured = any(c.column == test_set and c.status in t.MEASURED for c in row.cells)
                if row.run and measured and row.kind == t.METHOD:
                    detail = f"{table.label}, {block_title(block.name)}"
                    found.setdefault(row.run, Source(row.run, row.label, detail, block is widest))
    return list(found.values())


def least_shown(images: Sequence[str], shown: Sequence[str]) -> str:
    """The image that earlier rows show least often, the first of several.

    Test sets are made from the same photographs: so each row shows another one, and none is chosen
    by what a system makes of it.

    >>> least_shown(["a", "b"], ["a"]), least_shown(["a", "b"], ["b", "a"])
    ('b', 'a')
    """
    return min(images, key=shown.count)


def _note(message: str) -> QualityEntry:
    return report_entry(t.NOTE, "pictures", message)


def _panel(
    source: Source,
    *,
    kept: KeptPictures,
    assets: Assets,
    column: Column,
    key: SeriesKey,
    image: str,
) -> Panel | QualityEntry:
    """The picture of a run, or why there is none."""
    path = kept.path(source.run, key.test_set, image)
    try:
        picture = assets.picture(path)
    except FileNotFoundError:
        return _note(f"{column.label}, {source.label} ({source.run}): no picture of {image}.")
    except OSError as error:
        return _note(f"{path} cannot be read ({error}); delete its folder and run again.")
    evaluation = kept.evaluation(source.run)
    values = evaluation.sound(key) if evaluation else None
    return Panel(source, values.get(image) if values else None, picture)


def picture_rows(
    kept: KeptPictures, assets: Assets, tables: Sequence[TableResult]
) -> tuple[list[PictureRow], list[QualityEntry]]:
    """One row per test set of the tables, in their order, and which pictures are missing."""
    rows: list[PictureRow] = []
    quality: list[QualityEntry] = []
    columns = {c.test_set: c for table in tables for c in table.columns if c.test_set}
    with ThreadPoolExecutor() as pool:
        for test_set, column in columns.items():
            given, truth = kept.input_run(test_set), kept.truth_run(test_set)
            images = kept.images(given, test_set) if given else []
            if given is None or not images:
                quality.append(_note(f"{column.label}: the degraded input left no picture."))
                continue
            image = least_shown(images, [row.image for row in rows])
            methods = _methods(tables, test_set)
            sources = [Source(given, DEGRADED_INPUT), *(m for m in methods if m.main)]
            if truth is None:
                message = f"{column.label}, {TRUTH}: no control left a picture of {image}."
                quality.append(_note(message))
            else:
                sources.append(Source(truth, TRUTH))
            sources += [method for method in methods if not method.main]
            panel = functools.partial(
                _panel,
                kept=kept,
                assets=assets,
                column=column,
                key=SeriesKey(test_set, tables[0].protocol, MAIN),
                image=image,
            )
            # In the order of the sources, whichever is read first: equal results, equal page.
            found = list(pool.map(panel, sources))
            quality += [each for each in found if isinstance(each, QualityEntry)]
            panels = tuple(each for each in found if isinstance(each, Panel))
            rows.append(PictureRow(column, image, panels))
    return rows, quality
