"""The last lines of a run of the workflow: what was asked for, and where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.record import ResultFileError
from ndr.records.table_result import Block, Column, Row, Shown, TableResult
from reports.explanation.cell_explanation import cell_numbers
from reports.number_format import MISSING, metric_text
from reports.paper.printed_values import block_title, with_symbols
from workflows.suite import Suite
from workflows.targets import PlannedCell, ablation_targets, planned_cells

REPORT = "reports/all_tables.html"
MARKS = {t.BEST: "*", t.NOT_DISTINGUISHABLE: "~"}
KEY = "* best of its block; ~ not distinguishable from it; - not better than the degraded input"


def _number(shown: Shown, row: Row, measured: bool) -> str:
    if not measured:
        return f"{MISSING} "
    below = shown.below_input and row.kind == t.METHOD
    mark = "-" if below else MARKS.get(shown.from_best, " ")
    return metric_text(shown.metric, shown.value, shown.infinite) + mark


def _row_texts(row: Row) -> list[str]:
    return [
        "" if cell.status == t.BLANK else _number(shown, row, cell.status in t.MEASURED)
        for cell in row.cells
        for shown in cell.shown
    ]


def _head(column: Column, width: int) -> str:
    label = with_symbols(column.label)
    return label if len(label) <= width else f"{label[: width - 1]}\N{HORIZONTAL ELLIPSIS}"


def table_lines(table: TableResult) -> Iterator[str]:
    """A table for a terminal: one line per row, numbers under each other."""
    rows = [row for block in table.blocks for row in block.rows]
    names = max((len(with_symbols(row.label)) for row in rows), default=0) + 4
    texts = {id(row): _row_texts(row) for row in rows}
    count = len(table.columns) * len(table.metrics)
    heads = [metric for _ in table.columns for metric in table.metrics]
    widths = [
        max([len(heads[place]) + 1, *(len(texts[id(row)][place]) for row in rows)])
        for place in range(count)
    ]
    per = len(table.metrics)
    groups = [sum(widths[start : start + per]) + per - 1 for start in range(0, count, per)]
    units = ", ".join(f"{m} in {METRICS[m].unit}" for m in table.metrics if METRICS[m].unit)
    title = f"{table.label}: {table.title} (tier {table.tier}" + (f"; {units})" if units else ")")
    yield with_symbols(title)
    pairs = zip(table.columns, groups, strict=True)
    yield " " * names + "  ".join(_head(column, width).center(width) for column, width in pairs)
    yield " " * names + _joined(heads, widths, per, "{} ")
    for block in table.blocks:
        if len(table.blocks) > 1:
            yield block_title(block.name)
        yield from _block_lines(block, texts, names, widths, per)
    yield KEY


def _joined(texts: list[str], widths: list[int], per: int, form: str = "{}") -> str:
    cells = [form.format(text).rjust(width) for text, width in zip(texts, widths, strict=True)]
    groups = [" ".join(cells[start : start + per]) for start in range(0, len(cells), per)]
    return "  ".join(groups).rstrip()


def _block_lines(
    block: Block, texts: dict[int, list[str]], names: int, widths: list[int], per: int
) -> Iterator[str]:
    for row in block.rows:
        label = f"  {with_symbols(row.label)}".ljust(names)
        yield label + _joined(texts[id(row)], widths, per)


def _cell_lines(cells: Iterable[PlannedCell], results: Path) -> Iterator[str]:
    for cell in cells:
        column = with_symbols(cell.column.label)
        yield f"{cell.table.label}, {block_title(cell.row.block)}, {cell.row.label}, {column}:"
        yield from (f"  {line}" for line in cell_numbers(cell, results))


def _target_lines(suite: Suite, target: str) -> Iterator[str]:
    results = suite.results
    if target in suite.plan.all_tables:
        path = Path(results) / "tables" / f"{target}.json"
        yield from table_lines(TableResult.read(path))
        yield f"{path.with_suffix('.md')}, also as csv, tex and json"
        return
    if target in suite.figures:
        also = " and svg" if suite.figures[target].has_svg else ""
        yield f"{suite.figures[target].label}: {results}/figures/{target}.png{also}"
        return
    cells = [cell for cell in planned_cells(suite.plan) if target in (cell.name, cell.short_name)]
    if cells:
        yield from _cell_lines(cells, Path(results))
        return
    runs = ablation_targets(suite.plan).get(target, [target])
    for run in runs:
        if run in suite.plan.evaluations:
            yield f"{run}: {results}/evaluations/{run}/per_image.csv"
        elif Path(run).exists():
            yield run


def closing_lines(suite: Suite, targets: Iterable[str]) -> Iterator[str]:
    """What was asked for: a table's rows, a cell's number with its interval, or where a file lies.

    Args:
        suite: the plan.
        targets: as they were asked for; none: the report.
    """
    asked = sorted(map(str, targets)) or ["all"]
    for target in asked:
        if target in ("all", REPORT):
            yield f"The report of tier {suite.tier}: {REPORT}"
            continue
        try:
            yield from _target_lines(suite, target)
        except (OSError, ResultFileError) as error:
            yield f"{target}: {error}"
