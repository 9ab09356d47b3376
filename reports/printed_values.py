"""The paper's printed numbers and the doubts about some of them (`reports/paper_values/`)."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.nearest_name import check_names, unknown_name

FOLDER = Path(__file__).resolve().parent / "paper_values"
HEADER = ["table", "block", "method", "column", "metric", "value"]


@dataclass(frozen=True, slots=True)
class PrintedValue:
    """One number of the paper, with its digits as printed."""

    text: str

    @property
    def value(self) -> float | None:
        """The number; None where the paper prints a dash."""
        number = float(self.text)
        return None if math.isnan(number) else number


NOT_PRINTED = PrintedValue("NaN")
Key = tuple[str, str, str, str]
"""Block, method, column, metric."""


@functools.cache
def read_printed_values(file: str) -> Mapping[Key, PrintedValue]:
    """All numbers of one file of `reports/paper_values/` by block, method, column and metric.

    Raises:
        UnknownNameError: no such file.
        ValueError: another header, or a key that stands there twice.
    """
    check_names("file of the paper's values", [file], {path.name for path in FOLDER.glob("*.csv")})
    values: dict[Key, PrintedValue] = {}
    with (FOLDER / file).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != HEADER:
            raise ValueError(f"{file}: expected the columns {HEADER}, found {reader.fieldnames}")
        for line in reader:
            key = (line["block"], line["method"], line["column"], line["metric"])
            if key in values:
                raise ValueError(f"{file}: {key} stands there twice")
            values[key] = PrintedValue(line["value"])
    return values


def printed_value(file: str | None, key: Key) -> PrintedValue:
    """One printed number; a block, method or column that the file lacks is an error.

    Args:
        file: file in `reports/paper_values/`; None: the table is not in the paper.
        key: block, method, column, metric.

    Raises:
        UnknownNameError: the plan names what the paper's table does not have.
    """
    if file is None:
        return NOT_PRINTED
    values = read_printed_values(file)
    if key in values:
        return values[key]
    for position, kind in enumerate(("block", "method", "column", "metric")):
        known = {other[position] for other in values if other[:position] == key[:position]}
        if key[position] not in known:
            raise unknown_name(f"{kind} of {file}", key[position], known)
    raise AssertionError("a key whose every part is known is in the file")


def text_fact(setting: str, method: str, column: str, metric: str) -> PrintedValue:
    """A number that stands only in the paper's running text (`text_facts.csv`)."""
    return printed_value("text_facts.csv", (setting, method, column, metric))
