"""Has a metric got worse? `python -m reports.check_regression` compares results with a reference.

    python -m reports.check_regression --new results/smoke --reference reports/reference/smoke

Exit codes: 0 nothing got worse, 1 a regression, 2 cannot compare. docs/regression.md explains them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ndr.atomic_file import write_text
from reports.regression.change_table import as_markdown, as_text
from reports.regression.comparison import Comparison, compare
from reports.regression.measured_values import (
    ReferenceError,
    evaluated_runs,
    measured_values,
    read_reference,
)

FINE, REGRESSION, CANNOT_COMPARE = 0, 1, 2
OUTCOMES = {
    FINE: "nothing got worse",
    REGRESSION: "regression",
    CANNOT_COMPARE: "cannot compare everything",
}


def compare_folders(new: Path, reference: Path) -> Comparison:
    """Compare the results of a tier with its committed reference.

    Args:
        new: `results/<tier>`.
        reference: `reports/reference/<tier>`.

    Raises:
        ReferenceError: one of them is missing or damaged as a whole.
    """
    stored = read_reference(reference)
    return compare(stored, measured_values(new, stored.runs), evaluated_runs(new))


def exit_code(comparison: Comparison, partial: bool) -> int:
    """0 fine, 1 regression, 2 cannot compare; a regression outweighs what cannot be compared."""
    if comparison.regressed:
        return REGRESSION
    return CANNOT_COMPARE if comparison.incomplete(partial) else FINE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.check_regression",
        description="Compare the metrics of a tier's results with committed reference values.",
        epilog="Exit codes: 0 nothing got worse, 1 a regression, 2 cannot compare.",
    )
    parser.add_argument("--new", type=Path, required=True, help="results/<tier>")
    parser.add_argument("--reference", type=Path, required=True, help="reports/reference/<tier>")
    parser.add_argument("--out", type=Path, help="write the comparison as Markdown too")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="cells that were not run are no reason for exit code 2, as long as one was",
    )
    options = parser.parse_args(argv)
    try:
        comparison = compare_folders(options.new, options.reference)
    except ReferenceError as error:
        print(error, file=sys.stderr)
        if options.out:
            write_text(options.out, f"### Metrics: cannot compare\n\n{error}\n")
        return CANNOT_COMPARE
    code = exit_code(comparison, options.partial)
    print(as_text(comparison))
    print(f"{OUTCOMES[code]} (exit code {code})")
    if options.out:
        write_text(options.out, as_markdown(comparison, OUTCOMES[code]))
    return code


if __name__ == "__main__":
    sys.exit(main())
