"""A table as the page shows it: anchors, footnotes, counts and readable labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Column, Row, Shown, TableResult
from reports.paper.arithmetic import doubts
from reports.paper.printed_values import block_title


def anchor(name: str) -> str:
    """A name as an HTML id.

    >>> anchor("table_05 <b>")
    'table_05-b-'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A footnote to a printed number of the paper."""

    number: int
    where: str
    text: str


@dataclass(slots=True)
class TableView:
    """A table with what only its page needs."""

    table: TableResult
    doubts: list[Doubt] = field(default_factory=list)
    _numbers: dict[tuple[str, str, str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = doubts(self.table.paper_values) if self.table.paper_values else {}
        for block in self.table.blocks:
            for row in block.rows:
                for column in self.table.columns:
                    self._add_doubts(known, block, row, column)

    def _add_doubts(self, known, block: Block, row: Row, column: Column) -> None:
        """One footnote per text: PSNR and SSIM of a cell share it."""
        for metric in self.table.metrics:
            key = (block.name, row.paper_method, column.paper_column, metric)
            if key not in known:
                continue
            where = f"{row.label} ({block_title(block.name)}), {column.label}"
            same = [d for d in self.doubts if d.text == known[key] and d.where == where]
            if not same:
                same = [Doubt(len(self.doubts) + 1, where, known[key])]
                self.doubts += same
            self._numbers[key] = same[0].number

    @property
    def anchor(self) -> str:
        """Id of the table's section."""
        return anchor(self.table.name)

    def doubt(self, block: Block, row: Row, column: Column, shown: Shown) -> int | None:
        """Number of the footnote of a printed number, if it has one."""
        key = (block.name, row.paper_method, column.paper_column, shown.metric)
        return self._numbers.get(key)

    def _cells(self) -> list[Cell]:
        return [
            cell
            for block in self.table.blocks
            for row in block.rows
            if row.kind != t.DEGRADED_INPUT
            for cell in row.cells
            if cell.status != t.BLANK and cell.column != t.AVERAGE
        ]

    @property
    def planned(self) -> int:
        """Cells that the paper's table has, averages and the degraded input not counted."""
        return len(self._cells())

    @property
    def filled(self) -> int:
        """Cells of these with a number of ours."""
        return sum(cell.status in t.MEASURED for cell in self._cells())

    @property
    def has_paper(self) -> bool:
        """Whether the paper has numbers for this table."""
        return self.table.paper_values is not None

    def protocols_of(self, cell: Cell) -> list[str]:
        """Protocols of a cell's numbers, the shown one first."""
        names = dict.fromkeys([self.table.protocol, *(n.protocol for n in cell.numbers)])
        return list(names)

    def number_of(self, cell: Cell, protocol: str, metric: str) -> t.Number | None:
        """One number of a cell."""
        for number in cell.numbers:
            if (number.protocol, number.metric) == (protocol, metric):
                return number
        return None
