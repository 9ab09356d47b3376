"""Published numbers that the user gives beside rows (docs/add_published_numbers.md)."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.metric import check_metrics
from ndr.nearest_name import check_names, unknown_name
from ndr.specs.table_plan import PlannedRow, QuotedNumber
from ndr.specs.typed_file import SpecError
from workflows.configuration import Table, TableRow

HEADER = ("table", "setting", "method", "column", "metric", "value", "source")
Key = tuple[str, str, str]
"""Table, setting, and the row's method or label."""


@dataclass(frozen=True, slots=True)
class QuotedNumbers:
    """The numbers of all files."""

    numbers: Mapping[Key, Collection[tuple[str, QuotedNumber]]]
    """With the column of the table that each stands in."""

    def beside(
        self, planned: PlannedRow, row: TableRow, table: str, test_sets: Mapping[str, str]
    ) -> PlannedRow:
        """A row with the numbers that were given for it.

        Args:
            planned: the row.
            row: what it was planned from.
            table: e.g. `table_05`.
            test_sets: test set of each of the table's columns.
        """
        found = [
            dataclasses.replace(number, test_set=test_sets[column])
            for name in dict.fromkeys((row.method, planned.label))
            for column, number in self.numbers.get((table, row.setting, name), ())
        ]
        return dataclasses.replace(planned, quoted=tuple(found)) if found else planned


def read_quoted_numbers(files: Iterable[str], tables: Mapping[str, Table]) -> QuotedNumbers:
    """Read the files and look for a row of each line.

    Args:
        files: CSV files with the columns `HEADER`.
        tables: of the tier, by name.

    Raises:
        FileNotFoundError: no such file.
        SpecError: other columns, no number, a line twice, or a row that shows this paper's numbers.
        UnknownNameError: a table, row, column or metric that is not there, with the nearest names.
    """
    numbers: dict[Key, dict[tuple[str, str], QuotedNumber]] = {}
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"quoted_numbers: no file {file}")
        with Path(file).open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != HEADER:
                raise SpecError(
                    f"{file}: expected the columns {','.join(HEADER)}, found "
                    f"{','.join(reader.fieldnames or ())}"
                )
            for line in reader:
                where = f"{file}, line {reader.line_num}"
                if None in line or None in line.values():
                    raise SpecError(f"{where}: expected {len(HEADER)} values")
                _check(where, line, tables)
                key = (line["table"], line["setting"], line["method"])
                cell = (line["column"], line["metric"])
                if cell in numbers.setdefault(key, {}):
                    raise SpecError(f"{where}: {', '.join((*key, *cell))} stands there twice")
                numbers[key][cell] = QuotedNumber("", line["metric"], line["value"], line["source"])
    return QuotedNumbers(
        {
            key: [(column, number) for (column, _), number in cells.items()]
            for key, cells in numbers.items()
        }
    )


def quotation_notes(rows: Iterable[PlannedRow]) -> list[str]:
    """A note of a table for each source that its rows quote."""
    notes = (
        f"{row.label}: the printed numbers beside this row are quoted from {number.source}."
        for row in rows
        for number in row.quoted
    )
    return list(dict.fromkeys(notes))


def _check(where: str, line: Mapping[str, str], tables: Mapping[str, Table]) -> None:
    """Raise where a line names no cell of a table, or has no number."""
    check_names(f"table in {where}", [line["table"]], tables)
    table = tables[line["table"]]
    check_names(f"column of {line['table']} in {where}", [line["column"]], table.columns)
    check_metrics(f"metric in {where}", [line["metric"]])
    check_names(f"metric of {line['table']} in {where}", [line["metric"]], table.metrics)
    named = [row for row in table.rows if line["method"] in (row.method, row.label)]
    if not named:
        known = {name for row in table.rows for name in (row.method, row.label) if name}
        raise unknown_name(f"method of {line['table']} in {where}", line["method"], known)
    rows = [row for row in named if row.setting == line["setting"]]
    if not rows:
        settings = {row.setting for row in named}
        kind = f"setting of {line['method']} in {line['table']}, {where}"
        raise unknown_name(kind, line["setting"], settings)
    if len(rows) > 1:
        labels = ", ".join(str(row.label) for row in rows)
        raise SpecError(f"{where}: {line['method']} has several rows; name its label: {labels}")
    if rows[0].paper_method not in ("", "none"):
        raise SpecError(
            f"{where}: this row shows the numbers that this paper prints of "
            f"{rows[0].paper_method}; give yours to a row with an empty paper_method"
        )
    if not line["source"].strip():
        raise SpecError(f"{where}: expected a source, as 'Authors, venue year, Table 2'")
    try:
        sound = math.isfinite(float(line["value"]))
    except ValueError:
        sound = False
    if not sound:
        raise SpecError(f"{where}: expected a number as it is printed, found {line['value']!r}")
