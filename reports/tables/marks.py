"""Intervals and marks of a filled table: best, not distinguishable from it, agreement.

Within a column of a block the best mean is the best, and every other competitor is compared with
it on the same images. A competitor is told from the best where the bootstrap interval of the mean
paired difference excludes zero and the Wilcoxon signed rank test rejects, too, after Holm's
adjustment over all comparisons of the table. Otherwise it is `not distinguishable`. An average has
no values per image: there a randomisation test takes the place of Wilcoxon's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.per_image import SeriesKey
from ndr.records.table_result import CLOSE, INSIDE, OFF, Block, Cell, Row, Shown
from reports.analysis.bootstrap import Interval, Sample, weighted_interval
from reports.analysis.comparison import (
    average_p_value,
    distinguishable,
    holm,
    p_value,
    paired_differences,
)
from reports.tables.row_results import RowResults


def agreement(metric: str, paper: float | None, interval: tuple[float, float] | None) -> str:
    """Where the paper's number lies: `inside` the interval, `close` to it, or `off`.

    Empty where the paper has no number, or ours no interval.

    >>> [agreement("PSNR", paper, (30.0, 31.0)) for paper in (30.5, 31.1, 31.11)]
    ['inside', 'close', 'off']
    """
    if paper is None or interval is None:
        return ""
    low, high = interval
    # Rounded: 31.1 - 31.0 is a little above 0.1.
    distance = round(max(low - paper, paper - high), 9)
    if distance <= 0:
        return INSIDE
    return CLOSE if distance <= METRICS[metric].tolerance else OFF


def ranks(values: Sequence[float | None]) -> list[int]:
    """Rank 1 (best), 2 (second best) or 0 for each value; larger is better.

    Exactly equal values share a rank: two bests leave no second. A column in which fewer than
    two values compete has no best.

    Args:
        values: None where a row does not compete.

    >>> ranks([30.1, 31.2, None, 29.0])
    [2, 1, 0, 0]
    >>> ranks([31.2, 31.2, 30.0])
    [1, 1, 0]
    """
    competing = sorted((value for value in values if value is not None), reverse=True)
    if len(competing) < 2:
        return [0] * len(values)
    best, second = competing[:2]
    return [
        0 if value is None else 1 if value == best else 2 if value == second else 0
        for value in values
    ]


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A row with its numbers, and the values behind them."""

    row: Row
    results: RowResults
    protocol: str
    """Protocol of the numbers that the row shows."""
    weights: Mapping[str, float]
    """Weight in the average of each test set that the row fills."""

    def samples(self, column: str, metric: str) -> list[Sample]:
        """Values behind a cell, one sample per test set; empty where one of them is missing."""
        names = list(self.weights) if column == t.AVERAGE else [column]
        keys = [SeriesKey(name, self.protocol, metric) for name in names]
        found = [self.results.sample(key) for key in keys]
        known = [sample for sample in found if sample is not None]
        return known if len(known) == len(names) else []

    def interval(self, column: str, samples: Sequence[Sample]) -> Interval | None:
        """Interval of a cell's mean, or of its difference from another row's."""
        weights = list(self.weights.values()) if column == t.AVERAGE else [1.0]
        # The column names the draws: all rows, blocks and tables with it share its resamples.
        return weighted_interval(samples, weights, name=column) if samples else None


@dataclass(frozen=True, slots=True)
class _Place:
    """One number of a block."""

    block: int
    row: int
    column: int
    metric: int


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A competitor against the best."""

    place: _Place
    interval: Interval | None
    p_value: float


def marked_blocks(blocks: Mapping[str, Sequence[FilledRow]]) -> tuple[Block, ...]:
    """The blocks with intervals, ranks, and what is not distinguishable from the best."""
    return _Marks(blocks).blocks()


class _Marks:
    """A table's cells while their marks are written."""

    def __init__(self, blocks: Mapping[str, Sequence[FilledRow]]) -> None:
        self.names = list(blocks)
        self.rows = [list(rows) for rows in blocks.values()]
        self.cells = [[list(filled.row.cells) for filled in rows] for rows in self.rows]
        # A row that lacks images in one column does not compete in the average either.
        self.comparable = [[True] * len(rows) for rows in self.rows]

    def blocks(self) -> tuple[Block, ...]:
        """Mark column by column, so that a column's resamples are drawn once for all rows."""
        comparisons: list[_Comparison] = []
        for column in range(len(self.cells[0][0]) if self.cells else 0):
            for block in range(len(self.rows)):
                self._rank(block, column)
                self._add_intervals(block, column)
                comparisons += self._compare(block, column)
        self._mark(comparisons)
        return tuple(
            Block(
                name,
                tuple(
                    dataclasses.replace(filled.row, cells=tuple(cells))
                    for filled, cells in zip(rows, own, strict=True)
                ),
            )
            for name, rows, own in zip(self.names, self.rows, self.cells, strict=True)
        )

    def _change(self, place: _Place, **facts: object) -> None:
        """Replace fields of one number."""
        cell = self.cells[place.block][place.row][place.column]
        shown = list(cell.shown)
        shown[place.metric] = dataclasses.replace(shown[place.metric], **facts)
        self.cells[place.block][place.row][place.column] = dataclasses.replace(
            cell, shown=tuple(shown)
        )

    def _shown(self, place: _Place) -> Shown:
        return self.cells[place.block][place.row][place.column].shown[place.metric]

    def _column(self, block: int, column: int) -> list[Cell]:
        return [own[column] for own in self.cells[block]]

    def _rank(self, block: int, column: int) -> None:
        """Best and second best; only rows evaluated on the same images compete."""
        rows, cells = self.rows[block], self._column(block, column)
        if cells[0].column != t.AVERAGE:
            same = _evaluated_on_all(rows, cells[0].column)
            joint = [a and b for a, b in zip(self.comparable[block], same, strict=True)]
            self.comparable[block] = joint
        else:
            same = self.comparable[block]
        competes = [
            filled.row.kind == t.METHOD and cell.status in t.MEASURED and on_all
            for filled, cell, on_all in zip(rows, cells, same, strict=True)
        ]
        for row, (cell, ranked) in enumerate(zip(cells, competes, strict=True)):
            self.cells[block][row][column] = dataclasses.replace(cell, ranked=ranked)
        for metric in range(len(cells[0].shown)):
            values = [
                _rank_value(cell.shown[metric]) if ranked else None
                for cell, ranked in zip(cells, competes, strict=True)
            ]
            for row, rank in enumerate(ranks(values)):
                self._change(_Place(block, row, column, metric), rank=rank)

    def _add_intervals(self, block: int, column: int) -> None:
        for row, (filled, cell) in enumerate(
            zip(self.rows[block], self._column(block, column), strict=True)
        ):
            if cell.status not in t.MEASURED:
                continue
            for metric, shown in enumerate(cell.shown):
                if shown.value is None and not shown.infinite:
                    continue
                found = filled.interval(cell.column, filled.samples(cell.column, shown.metric))
                ends = None if found is None else (found.low, found.high)
                self._change(
                    _Place(block, row, column, metric),
                    interval=ends,
                    agreement=agreement(shown.metric, shown.paper, ends),
                    seeds=len(filled.results.runs),
                )

    def _compare(self, block: int, column: int) -> list[_Comparison]:
        """Every competitor against the best of the column; equal bests need no comparison."""
        cells = self._column(block, column)
        comparisons = []
        for metric in range(len(cells[0].shown)):
            best = next((i for i, cell in enumerate(cells) if cell.shown[metric].rank == 1), None)
            for row, cell in enumerate(cells):
                number = cell.shown[metric]
                has_value = number.infinite or number.value is not None
                if best is not None and cell.ranked and has_value and number.rank != 1:
                    place = _Place(block, row, column, metric)
                    comparisons.append(self._comparison(place, best))
        return comparisons

    def _comparison(self, place: _Place, best: int) -> _Comparison:
        column = self.cells[place.block][place.row][place.column].column
        metric = self._shown(place).metric
        ours, theirs = (self.rows[place.block][row] for row in (place.row, best))
        own, best_own = ours.samples(column, metric), theirs.samples(column, metric)
        pairs = list(zip(own, best_own, strict=False))
        fits = (column != t.AVERAGE or ours.weights == theirs.weights) and all(
            one.clusters == other.clusters for one, other in pairs
        )
        if not pairs or not fits:
            return _Comparison(place, None, 1.0)
        differences = [paired_differences(one, other) for one, other in pairs]
        interval = ours.interval(column, differences)
        if column == t.AVERAGE:
            test = average_p_value(differences, list(ours.weights.values()), name=column)
        else:
            test = p_value(differences[0])
        return _Comparison(place, interval, test)

    def _mark(self, comparisons: Sequence[_Comparison]) -> None:
        adjusted = holm([one.p_value for one in comparisons])
        for one, p in zip(comparisons, adjusted, strict=True):
            if not distinguishable(one.interval, p):
                self._change(one.place, from_best=t.NOT_DISTINGUISHABLE)
        for block, rows in enumerate(self.cells):
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    for metric, shown in enumerate(cell.shown):
                        if shown.rank == 1:
                            self._change(_Place(block, row, column, metric), from_best=t.BEST)


def _rank_value(shown: Shown) -> float | None:
    """The number that ranks compare: larger is better."""
    value = math.inf if shown.infinite else shown.value
    return None if value is None else METRICS[shown.metric].goodness(value)


def _evaluated_on_all(rows: Sequence[FilledRow], test_set: str) -> list[bool]:
    """Whether each row has every image of the test set that any row of the block has."""
    images = [filled.results.images(test_set) for filled in rows]
    everything = set().union(*images)
    return [not own or own == everything for own in images]
