"""A table as CSV in long form: one line per number, at full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Column, Row, TableResult
from reports.number_format import csv_number

COLUMNS = (
    *("table", "tier", "block", "kind", "label", "paper_method", "run"),
    *("column", "test_set", "status", "reason", "metric", "protocol", "shown", "value"),
    *("n", "n_total", "seeds", "interval_low", "interval_high", "paper", "difference"),
    *("agreement", "degraded_input", "rank", "from_best"),
    *("balance", "training_spec_sha256", "evaluation_spec_sha256", "steps_done", "steps_planned"),
)
"""`shown` is `yes` for the numbers that the table prints; the columns from `seeds` to `from_best`
stand on those lines only. An infinite value is `inf`. `n` images were evaluated by each of `seeds`
trainings; the interval is described in docs/statistics.md. `balance` says how the training mixed
its tasks."""


def cell_lines(
    table: TableResult, block: Block, row: Row, column: Column, cell: Cell
) -> Iterator[dict[str, Any]]:
    """The lines of one cell: the shown protocol first, with the paper's number, then the others."""
    training, evaluation = row.training, row.evaluation
    common = {
        "table": table.name,
        "tier": table.tier,
        "block": block.name,
        "kind": row.kind,
        "label": row.label,
        "paper_method": row.paper_method,
        "run": row.run,
        "column": column.paper_column or column.test_set,
        "test_set": column.test_set,
        "status": cell.status,
        "reason": cell.reason,
        "n": cell.n,
        "n_total": cell.n_total,
        "balance": training.balance if training else "",
        "training_spec_sha256": training.spec_sha256 if training else "",
        "evaluation_spec_sha256": evaluation.spec_sha256 if evaluation else "",
        "steps_done": training.steps_done if training else "",
        "steps_planned": training.steps_planned if training else "",
    }
    shown_protocol = table.protocol_of(row)
    for shown in cell.shown:
        low, high = shown.interval or (None, None)
        yield {
            **common,
            "metric": shown.metric,
            "protocol": shown_protocol,
            "shown": "yes",
            "value": csv_number(shown.value, shown.infinite),
            "seeds": shown.seeds or "",
            "interval_low": csv_number(low),
            "interval_high": csv_number(high),
            "paper": shown.paper_text,
            "difference": csv_number(shown.difference),
            "agreement": shown.agreement,
            "degraded_input": csv_number(shown.degraded_input),
            "rank": shown.rank or "",
            "from_best": shown.from_best,
        }
    printed = {(shown.metric, shown_protocol) for shown in cell.shown}
    for number in cell.numbers:
        if (number.metric, number.protocol) not in printed:
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
