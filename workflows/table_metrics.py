"""A table's measured means as a small nested mapping: what `dvc metrics` shows and compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table_metrics(result: Mapping[str, Any]) -> dict[str, Any]:
    """Means of one table by block, row, test set and metric.

    Args:
        result: content of `results/<tier>/tables/<table>.json`.

    Returns:
        Values under the table's protocol, rounded to what is printed anywhere; rows and cells
        without a value are left out.
    """
    blocks: dict[str, Any] = {}
    for block in result["blocks"]:
        for row in block["rows"]:
            cells = {
                cell["column"]: values
                for cell in row["cells"]
                if (values := _values(cell, result["protocol"]))
            }
            if cells:
                blocks.setdefault(block["name"], {})[row["label"]] = cells
    return blocks


def _values(cell: Mapping[str, Any], protocol: str) -> dict[str, float]:
    return {
        number["metric"]: round(number["value"], 4)
        for number in cell["numbers"]
        if number["protocol"] == protocol and number["value"] is not None
    }
