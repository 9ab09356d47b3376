"""Where a number comes from: `python -m reports.explain table_05 ndr_restore rain100l`.

Prints the cell's value, its run, spec, test set, checkpoint, code, versions and hardware, and the
commands that make it again. Names are forgiving: `V`, `NDR-Restore` and `Rain100L` will do. It
works before anything has run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ndr.nearest_name import UnknownNameError
from ndr.records.record import ResultFileError
from ndr.specs.typed_file import SpecError, read_yaml
from reports.explanation.cell_choice import (
    AmbiguousCellError,
    DryRunError,
    choose_cell,
    planned_jobs,
)
from reports.explanation.cell_explanation import Explanation, as_text
from reports.paper.printed_values import with_symbols
from workflows import ROOT
from workflows.configuration import CONFIG, suite_config
from workflows.suite import Suite
from workflows.targets import PlannedCell, planned_cells


def heading(cell: PlannedCell) -> str:
    """The cell in words."""
    parts = (cell.table.label, cell.row.block, cell.row.label, with_symbols(cell.column.label))
    return f"{', '.join(parts)} (tier {cell.table.tier}): {cell.name}"


def explain(arguments: argparse.Namespace, root: Path = ROOT) -> str:
    """The explanation of the cell that the arguments name."""
    from snakemake.cli import parse_config

    overrides = list(arguments.config)
    if arguments.tier is not None:
        overrides.insert(0, f"tier={arguments.tier}")
    content = {**read_yaml(CONFIG / "config.yaml"), **parse_config(overrides)}
    suite = Suite(suite_config(content))
    choice = choose_cell(
        planned_cells(suite.plan),
        arguments.table,
        arguments.method,
        arguments.test_set,
        arguments.setting,
    )
    targets = [f"{suite.results}/evaluations/{run}/per_image.csv" for run in choice.cell.row.runs]
    jobs = planned_jobs(root, targets, overrides)
    explanation = Explanation(suite, choice, jobs, root, overrides)
    return as_text(heading(choice.cell), explanation.sections())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit code 2: no cell, or several, answer to the names."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.explain",
        description="Print where a number of a table comes from and how to make it again.",
    )
    parser.add_argument("table", help="table_05, V or 5")
    parser.add_argument("method", help="a method, a row's label, or its changes")
    parser.add_argument("test_set", help="a column: the paper's name or the tier's")
    parser.add_argument("--tier", help="as in config/config.yaml where it is left out")
    parser.add_argument("--setting", help="the training mix, where a table has several")
    parser.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="as snakemake's"
    )
    try:
        print(explain(parser.parse_args(argv)))
    except (
        UnknownNameError,
        AmbiguousCellError,
        SpecError,
        ResultFileError,
        DryRunError,
    ) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
