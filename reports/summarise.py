"""Summarise one table: `python -m reports.summarise --table-json ... --results results/quick ...`.

Reads the per-image values of the table's runs, averages them over images, sets them beside the
paper's numbers and writes the table as JSON (`ndr.records.table_result`), CSV, Markdown and LaTeX.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ndr.atomic_file import write_text
from ndr.records.table_result import TableResult
from ndr.specs.table_plan import TablePlan
from ndr.specs.typed_file import SpecError
from reports.analysis.quality import table_entries
from reports.tables.assembly import assemble_table
from reports.tables.csv_export import table_csv
from reports.tables.markdown_export import table_markdown
from reports.tables.tex_export import table_tex


def summarise(plan: TablePlan, results: Path) -> TableResult:
    """The table with its numbers and its quality entries.

    Args:
        plan: rows, columns and runs.
        results: `results/<tier>`.

    Raises:
        UnknownNameError: the plan names what the paper's table does not have.
        ResultFileError: a provenance file is damaged.
    """
    table = assemble_table(plan, results)
    return dataclasses.replace(table, quality=table_entries(table))


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m reports.summarise", description=__doc__)
    parser.add_argument("--table-json", required=True, help="the TablePlan as JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    for suffix in ("json", "csv", "md", "tex"):
        parser.add_argument(f"--out-{suffix}", required=True, type=Path)
    arguments = parser.parse_args(argv)
    try:
        table = summarise(TablePlan.from_json(arguments.table_json), arguments.results)
        write_text(arguments.out_csv, table_csv(table))
        write_text(arguments.out_md, table_markdown(table))
        write_text(arguments.out_tex, table_tex(table))
        table.write(arguments.out_json)
    except (SpecError, ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
