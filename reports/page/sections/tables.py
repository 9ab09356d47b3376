"""The section of a table: doubts about the paper's numbers, and how much is filled."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Column, Row, TableResult
from reports.paper.arithmetic import doubts
from reports.paper.printed_values import block_title


def anchor(name: str) -> str:
    """A name as an HTML id.

    >>> anchor("table_05 <b>")
    'table_05-b-'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)


@dataclass(frozen=True, slots=True)
class Footnote:
    """A doubt about a printed cell; PSNR and SSIM may share it."""

    where: str
    text: str


@dataclass(frozen=True)
class PageTable:
    """A table with what only its page needs."""

    table: TableResult

    def footnote(self, block: Block, row: Row, column: Column, metric: str) -> Footnote | None:
        """The doubt about a printed number, if there is one."""
        known = doubts(self.table.paper_values) if self.table.paper_values else {}
        text = known.get((block.name, row.paper_method, column.paper_column, metric))
        where = f"{row.label} ({block_title(block.name)}), {column.label}"
        return None if text is None else Footnote(where, text)

    @functools.cached_property
    def footnotes(self) -> dict[Footnote, int]:
        """All doubts about the table with their numbers, in the order of its cells."""
        found = (
            self.footnote(block, row, column, metric)
            for block in self.table.blocks
            for row in block.rows
            for column in self.table.columns
            for metric in self.table.metrics
        )
        return {note: number for number, note in enumerate(dict.fromkeys(filter(None, found)), 1)}

    def _planned(self) -> list[Cell]:
        """Cells that the paper's table has, averages and the degraded input not counted."""
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
        """Number of cells that the paper's table has."""
        return len(self._planned())

    @property
    def filled(self) -> int:
        """Number of these with a number of ours."""
        return sum(cell.status in t.MEASURED for cell in self._planned())
