"""Systems of a table that are compared with each other: on which images, among how many pairs.

What tables mark and what claims decide about two systems comes from here, so that one page cannot
say two things of one pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.per_image import SeriesKey
from ndr.records.table_result import Cell, Row, Shown
from reports.analysis.bootstrap import Sample
from reports.analysis.evidence import (
    MINIMUM_TRAININGS,
    Comparisons,
    Evidence,
    Spread,
    evidence,
    pairs,
    pooled_spread,
    training_means,
)
from reports.tables.row_results import RowResults


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A row with its numbers, and the values behind them."""

    row: Row
    results: RowResults
    protocol: str
    """Protocol of the numbers that the row shows."""
    weights: Mapping[str, float]
    """Weight in the average of each test set that the row fills."""

    def weights_of(self, column: str) -> list[float]:
        """Weight of each test set behind a column."""
        return list(self.weights.values()) if column == t.AVERAGE else [1.0]

    def samples(self, column: str, metric: str) -> list[Sample]:
        """Values behind a cell, one sample per test set; empty where one of them is missing."""
        names = list(self.weights) if column == t.AVERAGE else [column]
        keys = [SeriesKey(name, self.protocol, metric) for name in names]
        found = [self.results.sample(key) for key in keys]
        known = [sample for sample in found if sample is not None]
        return known if len(known) == len(names) else []

    def evidence(self, column: str, metric: str) -> Evidence | None:
        """What is known of a cell's mean; None where values are missing."""
        samples = self.samples(column, metric)
        # The column names the draws: all rows, blocks and tables with it share its resamples.
        weights = self.weights_of(column)
        return evidence([(1.0, samples)], weights, name=column) if samples else None


def rank_value(shown: Shown) -> float | None:
    """The number that ranks compare, larger is better; None where there is none.

    An infinite mean, of a set with an image that equals its truth, is no better than others.
    """
    return None if shown.value is None else METRICS[shown.metric].goodness(shown.value)


class Rivals:
    """The rows of a table's blocks, and which of them compete in which column."""

    def __init__(self, blocks: Mapping[str, Sequence[FilledRow]]) -> None:
        self.blocks = blocks
        self.columns = max((len(rows[0].row.cells) for rows in blocks.values()), default=0)
        self._competing = {
            (name, column): competes
            for name in blocks
            for column, competes in enumerate(self._by_column(name))
        }
        counts = [
            sum(rank_value(cell.shown[metric]) is not None for _, cell in cells)
            for cells in map(self._cells, self._competing)
            for metric in range(len(cells[0][1].shown) if cells else 0)
        ]
        self._pairs = max(1, sum(map(pairs, counts)))
        self._spreads: dict[tuple[str, int, str], Spread | None] = {}

    def _by_column(self, name: str) -> Iterator[list[bool]]:
        """Which rows of a block compete: only those that were evaluated on the same images.

        A row that lacks images in one column does not compete in the average either.
        """
        rows = self.blocks[name]
        comparable = [True] * len(rows)
        for column in range(len(rows[0].row.cells)):
            cells = [filled.row.cells[column] for filled in rows]
            same = comparable
            if cells[0].column != t.AVERAGE:
                images = [filled.results.images(cells[0].column) for filled in rows]
                everything = set().union(*images)
                same = [not own or own == everything for own in images]
                comparable = [a and b for a, b in zip(comparable, same, strict=True)]
            yield [
                filled.row.kind == t.METHOD and cell.status in t.MEASURED and on_all
                for filled, cell, on_all in zip(rows, cells, same, strict=True)
            ]

    def _cells(self, place: tuple[str, int]) -> list[tuple[FilledRow, Cell]]:
        """The competing rows of a block's column, with their cells."""
        name, column = place
        return [
            (filled, filled.row.cells[column])
            for filled, competes in zip(self.blocks[name], self._competing[place], strict=True)
            if competes
        ]

    def competes(self, name: str, row: int, column: int) -> bool:
        """Whether a row takes part in best and second best of a column."""
        return self._competing[name, column][row]

    def comparisons(self, name: str) -> Comparisons:
        """Among how many comparisons a pair of a block stands."""
        trained = [
            len(filled.results.runs) >= MINIMUM_TRAININGS
            and any(self.competes(name, row, column) for column in range(len(filled.row.cells)))
            for row, filled in enumerate(self.blocks[name])
        ]
        return Comparisons(self._pairs, max(1, pairs(sum(trained))))

    def spread(self, name: str, column: int, metric: str) -> Spread | None:
        """How much trainings differ in a column, pooled over the block's competing systems."""
        place = (name, column, metric)
        if place not in self._spreads:
            cells = self._cells((name, column))
            means = [
                training_means(samples, filled.weights_of(cell.column))
                for filled, cell in cells
                if len(filled.results.runs) >= MINIMUM_TRAININGS
                and (samples := filled.samples(cell.column, metric))
            ]
            self._spreads[place] = pooled_spread(means)
        return self._spreads[place]

    def difference(
        self, name: str, first: int, second: int, column: int, metric: str
    ) -> Evidence | None:
        """What is known of one row minus another; None where they cannot be paired."""
        one, other = self.blocks[name][first], self.blocks[name][second]
        key = one.row.cells[column].column
        samples = one.samples(key, metric), other.samples(key, metric)
        if key == t.AVERAGE and one.weights != other.weights:
            return None
        matched = zip(*samples, strict=False)
        if not all(samples) or any(a.clusters != b.clusters for a, b in matched):
            return None
        return evidence(
            [(1.0, samples[0]), (-1.0, samples[1])],
            one.weights_of(key),
            name=key,
            spread=self.spread(name, column, metric),
        )
