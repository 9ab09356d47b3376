"""A table as CSV in long form: one line per number, at full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Column, Row, TableResult
from reports.number_format import csv_number

COLUMNS = (
    "table",
    "tier",
    "block",
    "kind",
    "label",
    "paper_method",
    "run",
    "column",
    "test_set",
    "status",
    "reason",
    "metric",
    "protocol",
    "shown",
    "value",
    "n",
    "n_total",
    "seeds",
    "interval_low",
    "interval_high",
    "paper",
    "difference",
    "agreement",
    "degraded_input",
    "rank",
    "from_best",
    "training_spec_sha256",
    "evaluation_spec_sha256",
    "steps_done",
    "steps_planned",
)
"""`shown` is `yes` for the protocol that the row shows; the columns from `seeds` to `from_best`
stand on those lines only. An infinite value is `inf`. `n` images were evaluated by each of `seeds`
trainings; the interval is described in docs/statistics.md."""


def _common(table: TableResult, block: Block, row: Row, column: Column, cell: Cell) -> dict:
    return {
        "table": table.name,
        "tier": table.tier,
        "block": block.name,
        "kind": row.kind,
        "label": row.label,
        "paper_method": row.paper_method,
        "run": row.run or "",
        "column": column.paper_column,
        "test_set": column.test_set or "",
        "status": cell.status,
        "reason": cell.reason,
        "n": "" if cell.n is None else cell.n,
        "n_total": "" if cell.n_total is None else cell.n_total,
        "training_spec_sha256": row.training.spec_sha256 if row.training else "",
        "evaluation_spec_sha256": row.evaluation.spec_sha256 if row.evaluation else "",
        "steps_done": row.training.steps_done if row.training else "",
        "steps_planned": row.training.steps_planned if row.training else "",
    }


def cell_lines(
    table: TableResult, block: Block, row: Row, column: Column, cell: Cell
) -> Iterator[dict]:
    """The lines of one cell: the shown protocol first, with the paper's number, then the others."""
    common = _common(table, block, row, column, cell)
    shown_protocol = table.protocol_of(row)
    for shown in cell.shown:
        yield {
            **common,
            "metric": shown.metric,
            "protocol": shown_protocol,
            "shown": "yes",
            "value": csv_number(shown.value, shown.infinite),
            "seeds": shown.seeds or "",
            "interval_low": csv_number(shown.interval[0]) if shown.interval else "",
            "interval_high": csv_number(shown.interval[1]) if shown.interval else "",
            "paper": shown.paper_text,
            "difference": csv_number(shown.difference),
            "agreement": shown.agreement,
            "degraded_input": csv_number(shown.degraded_input),
            "rank": shown.rank or "",
            "from_best": shown.from_best,
        }
    for number in cell.numbers:
        if number.protocol != shown_protocol:
            yield {
                **common,
                "metric": number.metric,
                "protocol": number.protocol,
                "shown": "no",
                "value": csv_number(number.value, number.infinite),
            }


def table_csv(table: TableResult) -> str:
    """The table as CSV text; cells that the paper leaves blank have no lines."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for block in table.blocks:
        for row in block.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell.status != t.BLANK:
                    writer.writerows(cell_lines(table, block, row, column, cell))
    return text.getvalue()
