"""The section of a table: names of its cells, doubts about the paper's numbers, what is common."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Column, Row, Shown, TableResult
from ndr.specs.cell_name import SEPARATOR, cell_name, system_names
from reports.number_format import counted
from reports.page.assets import TABLES, Assets
from reports.paper.arithmetic import doubts
from reports.paper.printed_values import block_title

KINDS_OF_FILES = ("csv", "md", "tex", "json")
Place = tuple[int, int, int]
"""Block, row and column of a cell, counted from 0."""


def anchor(name: str) -> str:
    """A name as an HTML id.

    >>> anchor("table_05 <b>")
    'table_05-b-'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)


def tested_columns(block: Block) -> set[str]:
    """Keys of the columns that some row of a block fills."""
    return {cell.column for row in block.rows for cell in row.cells if cell.status != t.BLANK}


def _images(cell: Cell) -> tuple[int, int] | None:
    """Images of a measured cell, and of its test set; None for others and for averages."""
    if cell.n is None or cell.n_total is None or cell.status not in t.MEASURED:
        return None
    return cell.n, cell.n_total


def images_text(images: tuple[int, int]) -> str:
    """How many of how many images.

    >>> images_text((4, 4)), images_text((4, 20))
    ('4 images', '4 of 20 images')
    """
    n, total = images
    return counted(n, "image") if n == total else f"{n:,} of {counted(total, 'image')}"


@dataclass(frozen=True, slots=True)
class Footnote:
    """A doubt about a printed cell; PSNR and SSIM may share it."""

    where: str
    text: str


@dataclass(frozen=True)
class PageTable:
    """A table with what only its page needs."""

    table: TableResult
    files: Mapping[str, str] = field(default_factory=dict)
    """Addresses of the table as files, by their kind; empty where the page offers none."""

    @functools.cached_property
    def blocks(self) -> list[tuple[int, Block]]:
        """The blocks with their places, those that were tested on most columns first."""
        return sorted(enumerate(self.table.blocks), key=lambda each: -len(tested_columns(each[1])))

    @functools.cached_property
    def names(self) -> dict[Place, str]:
        """Names of the cells that have a panel: those of a run, where the paper's row has any."""
        found: dict[Place, str] = {}
        seen: Counter[str] = Counter()
        for b, block in enumerate(self.table.blocks):
            systems = system_names([row.run for row in block.rows])
            for r, (row, system) in enumerate(zip(block.rows, systems, strict=True)):
                for c, (column, cell) in enumerate(zip(self.table.columns, row.cells, strict=True)):
                    if system is not None and cell.status != t.BLANK:
                        name = cell_name(self.table.name, block.name, system, column.paper_column)
                        seen[name] += 1
                        # Two lines of one run, e.g. under two labels.
                        again = f"{SEPARATOR}{seen[name]}" if seen[name] > 1 else ""
                        found[b, r, c] = name + again
        return found

    def cells(self) -> Iterator[tuple[str, Block, Row, Column, Cell]]:
        """The cells that have a panel, with their names."""
        for (b, r, c), name in self.names.items():
            block = self.table.blocks[b]
            yield name, block, block.rows[r], self.table.columns[c], block.rows[r].cells[c]

    @functools.cached_property
    def _with_best(self) -> set[tuple[str, str, str]]:
        """Block, column and metric of the places that have a best."""
        return {
            (block.name, cell.column, shown.metric)
            for block in self.table.blocks
            for row in block.rows
            for cell in row.cells
            for shown in cell.shown
            if shown.from_best == t.BEST
        }

    def told_from_best(self, block: Block, cell: Cell, shown: Shown) -> bool:
        """Whether the images tell a number from the best of its block."""
        place = (block.name, cell.column, shown.metric)
        return cell.ranked and not shown.from_best and place in self._with_best

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

    @functools.cached_property
    def _usual(self) -> dict[str, tuple[int, int]]:
        """Images that most rows of a column were evaluated on, by the column's key."""
        counts: dict[str, Counter[tuple[int, int]]] = {}
        for block in self.table.blocks:
            for row in block.rows:
                for cell in row.cells:
                    if images := _images(cell):
                        counts.setdefault(cell.column, Counter())[images] += 1
        return {column: found.most_common(1)[0][0] for column, found in counts.items()}

    @property
    def images(self) -> str:
        """Images of each test set, where all columns have equally many; else empty."""
        found = set(self._usual.values())
        return f"{images_text(found.pop())} per test set" if len(found) == 1 else ""

    def column_images(self, column: Column) -> str:
        """Images of a column, where the columns of the table differ."""
        known = column.key in self._usual and not self.images
        return images_text(self._usual[column.key]) if known else ""

    def row_images(self, row: Row) -> str:
        """Images of a row that was evaluated on others than the rest, in every column."""
        found = [(cell.column, images) for cell in row.cells if (images := _images(cell))]
        own = {images for column, images in found if images != self._usual[column]}
        differs = found and all(images != self._usual[column] for column, images in found)
        return images_text(own.pop()) if differs and len(own) == 1 else ""

    def cell_images(self, row: Row, cell: Cell) -> str:
        """Images of a cell that was evaluated on others than its column, and its row not."""
        images = _images(cell)
        if images is None or images == self._usual[cell.column] or self.row_images(row):
            return ""
        return images_text(images)

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


def page_tables(tables: Sequence[TableResult], results: Path, assets: Assets) -> list[PageTable]:
    """The tables with copies of their files, which `python -m reports.summarise` wrote.

    Args:
        tables: in the order of the page.
        results: `results/<tier>`.
        assets: what lies beside the page.
    """
    views = []
    for table in tables:
        paths = {kind: results / "tables" / f"{table.name}.{kind}" for kind in KINDS_OF_FILES}
        files = {kind: assets.offered(TABLES, path) for kind, path in paths.items()}
        views.append(PageTable(table, {kind: file for kind, file in files.items() if file}))
    return views
