"""The lint keeps every warning that is not explained."""

from __future__ import annotations

from workflows.lint import EXPLAINED, OUTSIDE, open_warnings


def test_only_explained_warnings_are_dropped() -> None:
    explained = next(iter(EXPLAINED))
    output = (
        "Lints for rule train_run (line 3, train.smk):\n"
        f"    * {explained}:\n      words\n"
        "    * No log directive defined:\n      words\n"
    )
    assert open_warnings(output) == ["rule train_run (line 3, train.smk): No log directive defined"]


def test_a_warning_of_one_rule_is_explained_there_only() -> None:
    text = f"Lints for rule {{}} (line 3, fetch.smk):\n    * {OUTSIDE}:\n      words\n"
    assert open_warnings(text.format("fetch_set")) == []
    assert open_warnings(text.format("train_run")) == [
        f"rule train_run (line 3, fetch.smk): {OUTSIDE}"
    ]
