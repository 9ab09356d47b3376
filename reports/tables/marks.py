"""Intervals and marks of a filled table: best, not distinguishable from it, and the paper's number.

Within a column of a block the best mean is the best, and every other competitor is compared with it
on the same images, by the rule of `reports.analysis.evidence`. A competitor that is not told from
the best is `not distinguishable`.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.table_result import CLOSE, OFF, Block, Row, Shown
from reports.analysis.evidence import Evidence
from reports.tables.rivals import FilledRow, Rivals, rank_value


def agreement(metric: str, distance: float, found: Evidence | None = None) -> str:
    """Whether the paper's number is `close` to ours, or `off`.

    The paper tested on these very images, so another draw of images is no reason for another
    number: the tolerance is that of the metric. It is widened by what one more training would
    differ from the mean of ours (95 % prediction interval), where three or more show that.

    Args:
        metric: name.
        distance: ours minus the paper's.
        found: what is known of our mean; None: of one training.

    >>> [agreement("PSNR", distance) for distance in (0.1, -0.11)]
    ['close', 'off']
    """
    tolerance = METRICS[metric].tolerance
    if found is not None and found.errors:
        tolerance += found.errors[0].half_width * math.sqrt(found.trainings + 1)
    # Rounded: 31.1 - 31.0 is a little above 0.1.
    return CLOSE if round(abs(distance), 9) <= tolerance else OFF


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


Place = tuple[str, int, int, int]
"""One number: block, row, column and metric."""


class _Marks:
    """The marks of a table's numbers while they are worked out."""

    def __init__(self, rivals: Rivals, comparable: bool) -> None:
        self.rivals = rivals
        self.comparable_with_paper = comparable
        self.comparisons = {name: rivals.comparisons(name) for name in rivals.blocks}
        self.facts: dict[Place, dict[str, Any]] = defaultdict(dict)

    def add_column(self, name: str, column: int) -> None:
        """Rank, interval and comparison with the best of every number of a block's column."""
        rows = self.rivals.blocks[name]
        cells = [filled.row.cells[column] for filled in rows]
        for metric in range(len(cells[0].shown)):
            values = [
                rank_value(cell.shown[metric]) if self.rivals.competes(name, row, column) else None
                for row, cell in enumerate(cells)
            ]
            placed = ranks(values)
            # Equal bests need no comparison.
            best = placed.index(1) if 1 in placed else None
            for row, (filled, cell) in enumerate(zip(rows, cells, strict=True)):
                place, shown = (name, row, column, metric), cell.shown[metric]
                self.facts[place]["rank"] = placed[row]
                if placed[row] == 1:
                    self.facts[place]["from_best"] = t.BEST
                elif best is not None and values[row] is not None:
                    alike = not self._told(name, row, best, column, shown.metric)
                    self.facts[place]["from_best"] = t.NOT_DISTINGUISHABLE if alike else ""
                if cell.status in t.MEASURED and rank_value(shown) is not None:
                    self.facts[place] |= self._standing(filled, cell.column, shown)

    def _told(self, name: str, row: int, best: int, column: int, metric: str) -> bool:
        """Whether a competitor is told from the best."""
        found = self.rivals.difference(name, row, best, column, metric)
        smallest = METRICS[metric].smallest_effect
        return found is not None and bool(found.told(0.0, smallest, self.comparisons[name]))

    def _standing(self, filled: FilledRow, column: str, shown: Shown) -> dict[str, Any]:
        """Interval of a number, where the paper's lies, and how many trainings are behind it."""
        found = filled.evidence(column, shown.metric)
        word = ""
        if self.comparable_with_paper and shown.difference is not None:
            word = agreement(shown.metric, shown.difference, found)
        interval = found and found.interval
        return {
            "interval": (interval.low, interval.high) if interval else None,
            "agreement": word,
            "seeds": len(filled.results.runs),
        }

    def row(self, name: str, row: int) -> Row:
        """A row with its marks."""
        unmarked = self.rivals.blocks[name][row].row
        cells = [
            dataclasses.replace(
                cell,
                ranked=self.rivals.competes(name, row, column),
                shown=tuple(
                    dataclasses.replace(shown, **self.facts[name, row, column, metric])
                    for metric, shown in enumerate(cell.shown)
                ),
            )
            for column, cell in enumerate(unmarked.cells)
        ]
        return dataclasses.replace(unmarked, cells=tuple(cells))


def marked_blocks(
    blocks: Mapping[str, Sequence[FilledRow]], *, comparable_with_paper: bool = True
) -> tuple[Block, ...]:
    """The blocks with intervals, ranks, and what is not distinguishable from the best.

    Args:
        blocks: the filled rows of each.
        comparable_with_paper: whether a word is said on the paper's numbers.
    """
    marks = _Marks(Rivals(blocks), comparable_with_paper)
    # Column by column, so that a column's resamples are drawn once for all rows.
    for column in range(marks.rivals.columns):
        for name in blocks:
            marks.add_column(name, column)
    return tuple(
        Block(name, tuple(marks.row(name, row) for row in range(len(rows))))
        for name, rows in blocks.items()
    )
