"""Intervals and marks of a filled table: best, not distinguishable from it, agreement.

Within a column of a block the best mean is the best, and every other competitor is compared with
it on the same images. A competitor is told from the best where the bootstrap interval of the mean
paired difference excludes zero and the Wilcoxon signed rank test rejects, too, after Holm's
adjustment over all comparisons of the table. Otherwise it is `not distinguishable`. An average has
no values per image: there a randomisation test takes the place of Wilcoxon's.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


def _comparison(
    ours: FilledRow, best: FilledRow, column: str, metric: str
) -> tuple[Interval | None, float]:
    """Interval and p value of a competitor's difference from the best."""
    pairs = list(zip(ours.samples(column, metric), best.samples(column, metric), strict=False))
    fits = (column != t.AVERAGE or ours.weights == best.weights) and all(
        one.clusters == other.clusters for one, other in pairs
    )
    if not pairs or not fits:
        return None, 1.0
    differences = [paired_differences(one, other) for one, other in pairs]
    interval = ours.interval(column, differences)
    if column == t.AVERAGE:
        return interval, average_p_value(differences, list(ours.weights.values()), name=column)
    return interval, p_value(differences[0])


Place = tuple[str, int, int, int]
"""One number: block, row, column and metric."""


class _Marks:
    """The marks of a table's numbers while they are worked out."""

    def __init__(self, blocks: Mapping[str, Sequence[FilledRow]]) -> None:
        self.blocks = blocks
        self.ranked: set[tuple[str, int, int]] = set()
        self.facts: dict[Place, dict[str, Any]] = defaultdict(dict)
        self.comparisons: dict[Place, tuple[Interval | None, float]] = {}
        # A row that lacks images in one column does not compete in the average either.
        self.comparable = {name: [True] * len(rows) for name, rows in blocks.items()}

    def add_column(self, name: str, column: int) -> None:
        """Rank, interval and comparison with the best of every number of a block's column."""
        rows = self.blocks[name]
        cells = [filled.row.cells[column] for filled in rows]
        competes = self._competing(name, column, cells)
        for metric in range(len(cells[0].shown)):
            values = [
                _rank_value(cell.shown[metric]) if ranked else None
                for cell, ranked in zip(cells, competes, strict=True)
            ]
            placed = ranks(values)
            # Equal bests need no comparison.
            best = rows[placed.index(1)] if 1 in placed else None
            for row, (filled, cell) in enumerate(zip(rows, cells, strict=True)):
                place, shown = (name, row, column, metric), cell.shown[metric]
                self.facts[place]["rank"] = placed[row]
                if placed[row] == 1:
                    self.facts[place]["from_best"] = t.BEST
                elif best is not None and values[row] is not None:
                    found = _comparison(filled, best, cell.column, shown.metric)
                    self.comparisons[place] = found
                if cell.status in t.MEASURED and _rank_value(shown) is not None:
                    self.facts[place] |= _standing(filled, cell.column, shown)

    def _competing(self, name: str, column: int, cells: Sequence[Cell]) -> list[bool]:
        """Which rows compete: only those that were evaluated on the same images."""
        rows, same = self.blocks[name], self.comparable[name]
        if cells[0].column != t.AVERAGE:
            images = [filled.results.images(cells[0].column) for filled in rows]
            everything = set().union(*images)
            joint = [not own or own == everything for own in images]
            self.comparable[name] = [a and b for a, b in zip(same, joint, strict=True)]
            same = joint
        competes = [
            filled.row.kind == t.METHOD and cell.status in t.MEASURED and on_all
            for filled, cell, on_all in zip(rows, cells, same, strict=True)
        ]
        self.ranked |= {(name, row, column) for row, ranked in enumerate(competes) if ranked}
        return competes

    def mark_the_alike(self) -> None:
        """Find what is not distinguishable from the best, over all comparisons of the table."""
        adjusted = holm([p for _, p in self.comparisons.values()])
        for (place, (interval, _)), p in zip(self.comparisons.items(), adjusted, strict=True):
            if not distinguishable(interval, p):
                self.facts[place]["from_best"] = t.NOT_DISTINGUISHABLE

    def row(self, name: str, row: int) -> Row:
        """A row with its marks."""
        unmarked = self.blocks[name][row].row
        cells = [
            dataclasses.replace(
                cell,
                ranked=(name, row, column) in self.ranked,
                shown=tuple(
                    dataclasses.replace(shown, **self.facts[name, row, column, metric])
                    for metric, shown in enumerate(cell.shown)
                ),
            )
            for column, cell in enumerate(unmarked.cells)
        ]
        return dataclasses.replace(unmarked, cells=tuple(cells))


def _standing(filled: FilledRow, column: str, shown: Shown) -> dict[str, Any]:
    """Interval of a number, where the paper's lies, and how many trainings are behind it."""
    found = filled.interval(column, filled.samples(column, shown.metric))
    ends = None if found is None else (found.low, found.high)
    return {
        "interval": ends,
        "agreement": agreement(shown.metric, shown.paper, ends),
        "seeds": len(filled.results.runs),
    }


def marked_blocks(blocks: Mapping[str, Sequence[FilledRow]]) -> tuple[Block, ...]:
    """The blocks with intervals, ranks, and what is not distinguishable from the best."""
    marks = _Marks(blocks)
    # Column by column, so that a column's resamples are drawn once for all rows.
    for column in range(max((len(rows[0].row.cells) for rows in blocks.values()), default=0)):
        for name in blocks:
            marks.add_column(name, column)
    marks.mark_the_alike()
    return tuple(
        Block(name, tuple(marks.row(name, row) for row in range(len(rows))))
        for name, rows in blocks.items()
    )


def _rank_value(shown: Shown) -> float | None:
    """The number that ranks compare, larger is better; None where there is none.

    An infinite mean, of a set with an image that equals its truth, is no better than others.
    """
    return None if shown.value is None else METRICS[shown.metric].goodness(shown.value)
