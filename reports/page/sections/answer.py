"""The first screen: what was measured, the result in a sentence, a chart, a picture per task."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.metric import MAIN
from ndr.records import table_result as t
from ndr.records.per_image import SeriesKey
from ndr.records.table_result import Block, Cell, Column, Row, Shown, TableResult
from ndr.specs.report_description import ReportDescription
from reports.analysis.evidence import MINIMUM_TRAININGS
from reports.analysis.run_results import read_run_results
from reports.number_format import counted, difference_text, metric_text, unit
from reports.page.assets import Assets, Picture
from reports.page.sections.pictures import KeptPictures, least_shown
from reports.page.sections.tables import PageTable
from reports.paper.printed_values import block_title
from reports.tables.gains import Gain, gain_over_input
from reports.tables.row_results import RowResults
from workflows.main_run import METHOD, TABLE

SOURCES = {
    "retrained": "networks trained for this report",
    "shipped": "networks that the suite has trained and ships",
    "official_weights": "the weights that the methods' authors publish",
}
"""Words for where the networks' weights come from, by the name in the configuration."""
WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
CLEARANCE = 0.06
"""Part of the chart's width that stays free beside the outermost mark."""


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One system of the chart; places are in per cent of its width."""

    label: str
    ours: bool
    """Whether it is the paper's method."""
    cell: str
    """Name of the cell that it opens; empty where it was not run."""
    gain: Gain | None
    paper: float | None
    """The paper's number less the degraded input measured here."""
    reason: str = ""
    """Why there is no gain."""
    trainings: int = 0
    """How many the gain is of; from `MINIMUM_TRAININGS` on its interval is over them too."""

    def ends(self) -> list[float]:
        """Everything that the chart has to have room for."""
        found = [] if self.paper is None else [self.paper]
        if self.gain is not None:
            found.append(self.gain.value)
            if self.gain.interval is not None:
                found += [self.gain.interval.low, self.gain.interval.high]
        return found


@dataclass(frozen=True, slots=True)
class Chart:
    """The gains of one block over its degraded input."""

    title: str
    rows: tuple[ChartRow, ...]
    low: float
    high: float
    ticks: tuple[float, ...]

    @property
    def interval_over(self) -> str:
        """What the intervals are over: some are wider because a system was trained more often."""
        drawn = [row for row in self.rows if row.gain is not None and row.gain.interval is not None]
        often = [row.label for row in drawn if row.trainings >= MINIMUM_TRAININGS]
        if not often:
            return "over images"
        if len(often) == len(drawn):
            return "over images and trainings"
        return f"over images, of {_names(often)} over trainings too"

    def place(self, value: float) -> float:
        """Where a gain lies, in per cent of the width."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, slots=True)
class Restored:
    """One test image of a task: what was given, what became of it, and the truth."""

    column: Column
    image: str
    pictures: tuple[tuple[str, Picture], ...]
    """Name and picture."""
    psnr: tuple[float | None, float | None]
    """Of the degraded input and of the output."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything on the first screen but the verdicts."""

    sentence: str
    table: TableResult | None
    chart: Chart | None
    restored: tuple[Restored, ...]
    source: str
    """Where the weights come from, in words."""
    images: str
    """How many test images a number is of."""


def headline(views: Iterable[PageTable]) -> tuple[PageTable, int, Block] | None:
    """The block that the paper is about: of Table V, the one tested on most columns."""
    view = next((view for view in views if view.table.name == TABLE), None)
    if view is None or not view.table.blocks:
        return None
    place, block = view.blocks[0]
    return view, place, block


def _average(table: TableResult, row: Row) -> tuple[int, Cell]:
    """Place and cell of a row's average; of its first tested column where a table has none."""
    tested = [place for place, cell in enumerate(row.cells) if cell.status != t.BLANK]
    place = len(row.cells) - 1 if table.average or not tested else tested[0]
    return place, row.cells[place]


def _main_shown(cell: Cell) -> Shown | None:
    return next((shown for shown in cell.shown if shown.metric == MAIN), None)


class _Gains:
    """Gains of the rows of a table over its degraded input, from the values per image."""

    def __init__(self, table: TableResult, results: Path) -> None:
        self._table, self._results = table, results
        self._input = self._runs((table.degraded_input_run,))

    def _runs(self, names: Sequence[str]) -> RowResults:
        return RowResults(tuple(read_run_results(self._results, name) for name in names))

    def of(self, row: Row, place: int) -> Gain | None:
        """Over all tested columns where the place is that of the average."""
        assert row.run is not None
        table = self._table
        average = table.average and place == len(row.cells) - 1
        chosen = [
            (column.test_set, weight)
            for index, (column, cell, weight) in enumerate(
                zip(table.columns, row.cells, self._weights(), strict=True)
            )
            if column.test_set and cell.status != t.BLANK and (average or index == place)
        ]
        protocol = table.protocol_of(row)
        return gain_over_input(
            self._runs((row.run, *(seed.run for seed in row.other_seeds))),
            self._input,
            [SeriesKey(test_set, protocol, MAIN) for test_set, _ in chosen],
            [weight for _, weight in chosen],
            name=row.cells[place].column,
        )

    def _weights(self) -> list[float]:
        weights = list(self._table.average_weights)
        missing = len(self._table.columns) - len(weights)
        return [*weights, *[1.0] * missing]


def _chart_rows(view: PageTable, place: int, block: Block, results: Path) -> Iterator[ChartRow]:
    gains = _Gains(view.table, results)
    inputs = (row for row in block.rows if row.kind == t.DEGRADED_INPUT)
    known = [_main_shown(_average(view.table, row)[1]) for row in inputs]
    given = known[0].value if known and known[0] else None
    for index, row in enumerate(block.rows):
        if row.kind != t.METHOD:
            continue
        column, cell = _average(view.table, row)
        shown = _main_shown(cell)
        if shown is None:
            continue
        # With other noise than the input's (authors' weights) there is nothing to compare with.
        compared = shown.degraded_input is not None
        measured = row.run is not None and cell.status in t.MEASURED and compared
        yield ChartRow(
            label=row.label,
            ours=(row.run or "").startswith(f"{METHOD}__"),
            cell=view.names.get((place, index, column), ""),
            gain=gains.of(row, column) if measured else None,
            paper=None if shown.paper is None or given is None else shown.paper - given,
            # In the place of a bar there is room for the first words; the table has them all.
            reason="" if measured else (row.reason or cell.reason or cell.status).split(";")[0],
            trainings=1 + len(row.other_seeds) if measured else 0,
        )


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """About five round numbers between two ends.

    >>> _ticks(-0.6, 9.1)
    (0.0, 2.0, 4.0, 6.0, 8.0)
    """
    raw = (high - low) / 5
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(m * scale for m in (1, 2, 5, 10) if m * scale >= raw * 0.999)
    return tuple(round(n * step, 10) for n in range(math.ceil(low / step), int(high // step) + 1))


def _chart(view: PageTable, place: int, block: Block, results: Path) -> Chart | None:
    rows = tuple(_chart_rows(view, place, block, results))
    ends = [0.0, *(end for row in rows for end in row.ends())]
    if len(ends) == 1:
        return None
    room = CLEARANCE * ((max(ends) - min(ends)) or 1.0)
    low, high = min(ends) - room, max(ends) + room
    return Chart(block_title(block.name), rows, low, high, _ticks(low, high))


def _gain_text(gain: Gain) -> str:
    text = f"{difference_text(MAIN, gain.value)}{unit(MAIN)}"
    if gain.interval is None:
        return text
    ends = " to ".join(difference_text(MAIN, e) for e in (gain.interval.low, gain.interval.high))
    return f"{text} (95 % interval {ends})"


def _names(labels: Sequence[str]) -> str:
    """Names as a list in words.

    >>> _names(["a", "b", "c"])
    'a, b and c'
    """
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _standing(view: PageTable, block: Block, ours: Row) -> str:
    """Where a row stands among those of its block, as the end of a sentence."""
    shown = {}
    for row in block.rows:
        cell = _average(view.table, row)[1]
        if cell.ranked and (found := _main_shown(cell)):
            shown[row.label] = found
    own = shown.get(ours.label)
    if own is None or len(shown) < 2:
        return ""
    count = WORDS.get(len(shown), str(len(shown)))
    systems = f"the {count} systems"
    if min(each.seeds for each in shown.values()) < MINIMUM_TRAININGS:
        systems += " as trained here"
    alike = [
        label
        for label, each in shown.items()
        if each is not own and each.from_best in (t.BEST, t.NOT_DISTINGUISHABLE)
    ]
    if own.from_best == t.BEST:
        if not alike:
            return f", more than any other of {systems}"
        return f", the most of {systems}, though the images do not tell it from {_names(alike)}"
    best = next(label for label, each in shown.items() if each.from_best == t.BEST)
    if own.from_best == t.NOT_DISTINGUISHABLE:
        return f"; {best} gains the most of {systems}, but the images do not tell the two apart"
    behind = abs((shown[best].value or 0.0) - (own.value or 0.0))
    return f", {metric_text(MAIN, behind)}{unit(MAIN)} less than {best}, the best of {systems}"


def _sentence(view: PageTable, block: Block, chart: Chart | None) -> str:
    """The result in plain words; of the paper's method on the headline block."""
    ours = next((row for row in block.rows if (row.run or "").startswith(f"{METHOD}__")), None)
    drawn = next((row for row in chart.rows if row.ours), None) if chart else None
    tasks = _names(block.name.split("+"))
    if ours is None or drawn is None or drawn.gain is None:
        why = drawn.reason if drawn else "it is left out of this report"
        return f"NDR-Restore has no result on {tasks} here: {why}."
    restores = drawn.gain.value > 0
    if restores:
        text = f"Trained on {tasks}, {ours.label} gains {_gain_text(drawn.gain)} over its input"
    else:
        text = (
            f"Trained on {tasks}, {ours.label} leaves pictures no better than they came: "
            f"{_gain_text(drawn.gain)}"
        )
    text += _standing(view, block, ours) if restores else ""
    if drawn.paper is not None:
        above = f"{metric_text(MAIN, drawn.paper)}{unit(MAIN)}"
        text += f". The paper's number lies {above} above the input"
    return f"{text}."


def _tasks(table: TableResult, row: Row) -> list[Column]:
    """One of the paper's columns per task, the middle one of several noise levels."""
    groups: dict[str, list[Column]] = {}
    for column, cell in zip(table.columns, row.cells, strict=True):
        if column.test_set and column.paper_column and cell.status != t.BLANK:
            task = re.sub(r"_sigma\d+$", "", column.paper_column)
            groups.setdefault(task, []).append(column)
    return [columns[(len(columns) - 1) // 2] for columns in groups.values()]


def _restored(
    kept: KeptPictures, assets: Assets, table: TableResult, row: Row
) -> Iterator[Restored]:
    """One image per task that the row was tested on, of those whose pictures were kept."""
    chosen: list[str] = []
    for column in _tasks(table, row):
        assert column.test_set is not None
        assert row.run is not None
        roles = {
            "Degraded input": kept.input_run(column.test_set),
            row.label: row.run,
            "Ground truth": kept.truth_run(column.test_set),
        }
        common = set.intersection(
            *(set(kept.images(run, column.test_set)) if run else set() for run in roles.values())
        )
        key = SeriesKey(column.test_set, table.protocol_of(row), MAIN)
        values = {run: _values(kept, run, key) for run in roles.values() if run}
        # From the middle outwards: neither the best image nor the worst stands for a task.
        by_value = sorted(common, key=lambda image: (values[row.run or ""].get(image, 0.0), image))
        if not by_value:
            continue
        middle = (len(by_value) - 1) // 2
        outwards = sorted(range(len(by_value)), key=lambda place: abs(place - middle))
        image = least_shown([by_value[place] for place in outwards], chosen)
        try:
            pictures = tuple(
                (name, assets.picture(kept.path(run, column.test_set, image)))
                for name, run in roles.items()
                if run
            )
        except OSError:
            continue  # the section of pictures lists it under quality
        chosen.append(image)
        given = roles["Degraded input"] or ""
        psnr = values[given].get(image), values[row.run].get(image)
        yield Restored(column, image, pictures, psnr)


def _values(kept: KeptPictures, run: str, key: SeriesKey) -> Mapping[str, float]:
    evaluation = kept.evaluation(run)
    return (evaluation.sound(key) if evaluation else None) or {}


def _images(block: Block) -> str:
    """Images per test set of a block, from the fewest to the most."""
    counts = sorted(
        {cell.n for row in block.rows for cell in row.cells if cell.n and cell.status in t.MEASURED}
    )
    if not counts:
        return ""
    if len(counts) == 1:
        return f"{counted(counts[0], 'image')} per test set"
    return f"{counts[0]} to {counts[-1]} images per test set"


def answer_section(
    description: ReportDescription,
    views: Sequence[PageTable],
    results: Path,
    kept: KeptPictures,
    assets: Assets,
) -> Answer:
    """Work out the first screen.

    Args:
        description: says where the weights come from.
        views: tables of the page.
        results: `results/<tier>`.
        kept: pictures and values of the tier.
        assets: what lies beside the page.

    Raises:
        ResultFileError: a provenance file is damaged.
    """
    source = "; ".join(SOURCES[name] for name in description.weights)
    found = headline(views)
    if found is None:
        said = "This report does not hold Table V, which the paper is about."
        return Answer(said, None, None, (), source, "")
    view, place, block = found
    chart = _chart(view, place, block, results)
    ours = next((row for row in block.rows if (row.run or "").startswith(f"{METHOD}__")), None)
    return Answer(
        sentence=_sentence(view, block, chart),
        table=view.table,
        chart=chart,
        restored=tuple(_restored(kept, assets, view.table, ours)) if ours else (),
        source=source,
        images=_images(block),
    )
