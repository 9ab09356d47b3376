"""A share of the damaged files of `python -m tests.force.fuzz`, of another seed than its own."""

from __future__ import annotations

from tests.force.fuzz import fuzz
from tests.force.readers import READERS

FILES = 40
"""Of each reader."""


def test_no_damaged_file_ends_a_reader() -> None:
    outcomes = fuzz(list(READERS), FILES, seed=1)
    assert [finding for outcome in outcomes.values() for finding in outcome.findings] == []
    for name, outcome in outcomes.items():
        assert outcome.files == outcome.taken + outcome.refused == FILES
        assert outcome.refused > FILES // 10, f"{name}: hardly any of its files was damaged"
