"""All pairs of systems of a finished report: what tables mark and claims decide of each."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.table_result import Block, Column, Row, TableResult
from reports.claims.measurement import Measurement
from reports.claims.parts import TABLES, Part, Term
from reports.claims.specs import TrainedSystem
from reports.claims.verdicts import NOT_REPRODUCED, NOT_RUN, REPRODUCED, UNDECIDED
from reports.paper.printed_values import read_printed_values

Words = tuple[str, str]
"""Of a pair: what a claim that the first is ahead gets, and one that the second is."""
OPPOSITE = {REPRODUCED: NOT_REPRODUCED, NOT_REPRODUCED: REPRODUCED, UNDECIDED: UNDECIDED}


@dataclass(frozen=True)
class JudgedPair:
    """Two systems of a block in one column and metric."""

    place: str
    marks: tuple[str, str] | None
    """`from_best` of both, where both compete."""
    words: Words

    @property
    def contradiction(self) -> str:
        """What the page would say twice; empty where it does not."""
        ahead, behind = self.words
        if NOT_RUN in self.words:
            return ""
        if OPPOSITE[ahead] != behind:
            return f"{self.place}: {ahead} one way, {behind} the other"
        if self.marks is None or t.BEST not in self.marks:
            return ""
        best_first = self.marks[0] == t.BEST
        other = self.marks[1] if best_first else self.marks[0]
        expected = {
            t.BEST: UNDECIDED,
            t.NOT_DISTINGUISHABLE: UNDECIDED,
            "": REPRODUCED if best_first else NOT_REPRODUCED,
        }[other]
        return "" if expected == ahead else f"{self.place}: marks {self.marks}, claim {ahead}"


def judged_pairs(tables: Sequence[TableResult], results: Path) -> Iterator[JudgedPair]:
    """Every pair of systems of the paper's tables in every column and metric."""
    measurement = Measurement(tables, results)
    for table in tables:
        if table.name not in TABLES or table.paper_values is None:
            continue
        # A claim is the paper's: it has none on a metric that the suite adds to a table.
        metrics = {key[3] for key in read_printed_values(table.paper_values)}
        for block in table.blocks:
            yield from _of_block(measurement, table, block, metrics)


def _of_block(
    measurement: Measurement, table: TableResult, block: Block, metrics: Container[str]
) -> Iterator[JudgedPair]:
    rows: dict[str, Row] = {}
    for row in block.rows:
        # Of two rows of a system claims take the first: trained here, before authors' weights.
        if row.kind == t.METHOD and row.run and row.paper_method:
            rows.setdefault(row.paper_method, row)
    for (place, column), (one, other) in itertools.product(
        enumerate(table.columns), itertools.combinations(rows.values(), 2)
    ):
        cells = one.cells[place], other.cells[place]
        if any(cell.status not in t.MEASURED for cell in cells):
            continue
        for number, metric in enumerate(table.metrics):
            if metric not in metrics:
                continue
            shown = tuple(cell.shown[number] for cell in cells)
            if any(each.value is None and not each.infinite for each in shown):
                continue
            compete = all(cell.ranked for cell in cells)
            yield JudgedPair(
                f"{table.name}, {block.name}, {column.label}, {metric}: {one.label}, {other.label}",
                (shown[0].from_best, shown[1].from_best) if compete else None,
                (
                    _verdict(measurement, (table, block), (one, other), (column, metric)),
                    _verdict(measurement, (table, block), (other, one), (column, metric)),
                ),
            )


def _verdict(
    measurement: Measurement,
    where: tuple[TableResult, Block],
    pair: tuple[Row, Row],
    what: tuple[Column, str],
) -> str:
    """What a claim gets that the first of a pair is ahead."""
    (table, block), (column, metric) = where, what
    systems = [TrainedSystem(table.name, block.name, row.paper_method) for row in pair]
    part = Part((Term(1, systems[0]), Term(-1, systems[1])), column.paper_column, metric)
    return measurement.part(part, [part]).verdict
