"""Renew a committed reference: `python -m reports.update_reference` shows what changes first.

python -m reports.update_reference --new results/smoke --reference reports/reference/smoke
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ndr.specs.typed_file import SpecError
from reports.regression.change_table import as_text
from reports.regression.comparison import compare
from reports.regression.measured_values import (
    ReferenceError,
    RunValues,
    measured_values,
    read_reference,
    write_reference,
)
from workflows.targets import reference_runs


def wanted_values(new: Path, reference: Path) -> RunValues:
    """The results of all runs in `runs.yaml`.

    Raises:
        ReferenceError: a run is missing, or its results contradict themselves: nothing may be
            forgotten in a reference.
    """
    runs = reference_runs(reference)
    if not runs:
        raise ReferenceError(f"{reference / 'runs.yaml'} names no run: expected a list of them")
    measured = measured_values(new, runs)
    missing = [run for run in runs if run not in measured.runs]
    problems = [f"{name}: {reason}" for name, reason in measured.unusable.items()]
    problems += [f"{run}: not run" for run in missing if run not in measured.unusable]
    if problems:
        raise ReferenceError("the reference stays as it is:\n" + "\n".join(problems))
    return measured


def changes_text(measured: RunValues, reference: Path) -> str:
    """What the new values change in the reference."""
    try:
        stored = read_reference(reference)
    except ReferenceError as error:
        if (reference / "reference.json").exists():
            return f"The old reference cannot be read and is replaced: {error}"
        return f"A new reference of {len(measured.runs)} runs."
    dropped = sorted(stored.runs.keys() - measured.runs.keys())
    text = as_text(compare(stored, measured, list(measured.runs)))
    return f"{text}\nDropped: {', '.join(dropped)}." if dropped else text


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        print("Nothing was written: add --yes to write it.", file=sys.stderr)
        return False
    return input("Write these values? [y/N] ").strip().lower() in {"y", "yes"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0: written or unchanged, 1: not confirmed, 2: results are missing."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.update_reference",
        description="Show what a renewed reference changes, then write it.",
        epilog="Exit codes: 0 written, 1 not confirmed, 2 the results are not complete.",
    )
    parser.add_argument("--new", type=Path, required=True, help="results/<tier>")
    parser.add_argument("--reference", type=Path, required=True, help="reports/reference/<tier>")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    options = parser.parse_args(argv)
    try:
        measured = wanted_values(options.new, options.reference)
    except (ReferenceError, SpecError) as error:
        print(error, file=sys.stderr)
        return 2
    print(changes_text(measured, options.reference))
    if not options.yes and not _confirmed():
        return 1
    write_reference(options.reference, measured)
    print(f"Wrote {options.reference}; commit it with the change that it belongs to.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
