"""The overview of the tables: every method on every test set, as a part of the paper's gain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ndr.metrics.metric import MAIN
from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Column, Row, Shown, TableResult
from ndr.specs.cell_name import parts_of_run
from ndr.specs.run_spec import OFFICIAL
from reports.number_format import difference_text, metric_text, unit
from reports.page.sections.tables import PageTable
from reports.paper.printed_values import block_title

ENLARGES = "upscale_"
"""Begin of the change that says how a network of scale 1 enlarges: no other method."""
WORST, BEST = -0.5, 1.5
"""Ends of the colours; parts beyond look like these."""
STEPS = 10
"""Shades on each side of no gain."""


@dataclass(frozen=True, slots=True)
class OverviewCell:
    """One method on one test set."""

    name: str
    """Of the table's cell, which it opens."""
    text: str
    """The part of the paper's gain with two digits; the gain itself where the paper has none."""
    shade: str
    """Class of its colour; empty where it has none."""
    words: str
    """Everything, for the title."""


@dataclass(frozen=True, slots=True)
class OverviewColumn:
    """One test set, with the first table that has it."""

    column: Column
    table: TableResult


@dataclass(frozen=True, slots=True)
class Overview:
    """The heat map."""

    columns: tuple[OverviewColumn, ...]
    rows: tuple[tuple[str, tuple[OverviewCell | None, ...]], ...]
    """Label and cells of each method."""


def part_of_gain(shown: Shown) -> float | None:
    """0 where a number is the degraded input's, 1 where it is the paper's.

    None where one of the three numbers is missing, or where the paper's is not above the input.
    """
    given, value, paper = shown.degraded_input, shown.value, shown.paper
    if given is None or value is None or paper is None or paper <= given:
        return None
    return (value - given) / (paper - given)


def shade(part: float) -> str:
    """The class of a colour.

    >>> shade(0.0), shade(0.72), shade(9.0), shade(-0.2)
    ('none', 'up-5', 'up-10', 'down-4')
    """
    end = BEST if part > 0 else WORST
    step = round(STEPS * min(part / end, 1.0))
    return f"{'up' if part > 0 else 'down'}-{step}" if step else "none"


def _method(row: Row) -> tuple[str, bool] | None:
    """A row's method, and whether its weights are the authors'; None for others than methods."""
    if row.run is None or row.kind != t.METHOD:
        return None
    method, setting, changes = parts_of_run(row.run)
    if setting != OFFICIAL and not all(change.startswith(ENLARGES) for change in changes):
        return None
    return method, setting == OFFICIAL


def _shown(cell: Cell) -> Shown | None:
    if cell.status not in t.MEASURED:
        return None
    return next((shown for shown in cell.shown if shown.metric == MAIN), None)


def _cells(view: PageTable) -> Iterator[tuple[str, Block, Row, Column, Shown]]:
    """The measured cells of methods on test sets, the headline block first."""
    order = {block.name: place for place, (_, block) in enumerate(view.blocks)}
    for name, block, row, column, cell in sorted(view.cells(), key=lambda c: order[c[1].name]):
        shown = _shown(cell)
        if column.test_set is not None and shown is not None and _method(row) is not None:
            yield name, block, row, column, shown


def _overview_cell(
    name: str, shown: Shown, *, table: TableResult, block: Block, row: Row, column: Column
) -> OverviewCell:
    gain = None
    if shown.value is not None and shown.degraded_input is not None:
        gain = shown.value - shown.degraded_input
    part = part_of_gain(shown)
    words = [
        f"{row.label}, {column.label}: {metric_text(MAIN, shown.value, shown.infinite)}{unit(MAIN)}"
    ]
    if gain is not None:
        words.append(f"{difference_text(MAIN, gain)}{unit(MAIN)} over the degraded input")
    words.append(f"paper {shown.paper_text}" if shown.paper_text else "no number in the paper")
    words.append(f"{table.label}, {block_title(block.name)}")
    text = f"{part:.2f}" if part is not None else "\N{MIDDLE DOT}"
    text = text.replace("-", "\N{MINUS SIGN}").replace("\N{MINUS SIGN}0.00", "0.00")
    return OverviewCell(name, text, shade(part) if part is not None else "", "; ".join(words))


def overview_section(views: Sequence[PageTable]) -> Overview | None:
    """Collect the heat map; of several cells of a method on a test set the first table's counts.

    Within a table the block that was tested on most columns comes first.

    Returns:
        None where no method was measured on a test set with a ground truth.
    """
    columns: dict[str, OverviewColumn] = {}
    labels: dict[tuple[str, bool], str] = {}
    found: dict[tuple[tuple[str, bool], str], OverviewCell] = {}
    for view in views:
        for name, block, row, column, shown in _cells(view):
            method = _method(row)
            assert method is not None
            columns.setdefault(column.key, OverviewColumn(column, view.table))
            label = f"{row.label}, authors' weights" if method[1] else row.label
            labels.setdefault(method, label)
            if (method, column.key) not in found:
                cell = _overview_cell(
                    name, shown, table=view.table, block=block, row=row, column=column
                )
                found[method, column.key] = cell
    if not found:
        return None
    rows = tuple(
        (label, tuple(found.get((method, key)) for key in columns))
        for method, label in labels.items()
    )
    return Overview(tuple(columns.values()), rows)
