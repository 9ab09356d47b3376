"""A share of the damaged files of `python -m tests.force.fuzz`, of another seed than its own."""

from __future__ import annotations

from tests.force.fuzz import fuzz
from tests.force.readers import READERS

FILES = 40
"""Of each reader."""
SLOW = {"pages": 10}
"""Readers that take long, with the files of theirs."""


def test_no_damaged_file_ends_a_reader() -> None:
    outcomes = fuzz([name for name in READERS if name not in SLOW], FILES, seed=1)
    for name, files in SLOW.items():
        outcomes |= fuzz([name], files, seed=1)
    assert [finding for outcome in outcomes.values() for finding in outcome.findings] == []
    for name, outcome in outcomes.items():
        assert outcome.files == outcome.taken + outcome.refused == SLOW.get(name, FILES)
        if READERS[name].errors:
            assert outcome.refused > FILES // 10, f"{name}: hardly any of its files was damaged"
