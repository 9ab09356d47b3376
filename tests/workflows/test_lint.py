"""The lint keeps every warning that is not explained."""

from __future__ import annotations

from workflows.lint import EXPLAINED, open_warnings


def test_only_explained_warnings_are_dropped() -> None:
    explained = next(iter(EXPLAINED))
    output = (
        "Lints for rule train_run (line 3, train.smk):\n"
        f"    * {explained}:\n      words\n"
        "    * No log directive defined:\n      words\n"
    )
    assert open_warnings(output) == ["rule train_run (line 3, train.smk): No log directive defined"]
