"""`python -m baselines` lists every method."""

from __future__ import annotations

import sys

import pytest

from baselines.__main__ import aligned, main
from ndr.registry import method_names


def test_lists_all_methods(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["baselines"])
    main()
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("name ")
    assert [row.split()[0] for row in rows] == method_names()
    restormer = next(row for row in rows if row.startswith("restormer"))
    assert restormer.count("26,126,644") == 2
    assert "Academic Public License" in restormer


def test_columns_are_aligned() -> None:
    assert aligned([("a", "b"), ("long", "c")]) == "a     b\nlong  c"


def test_refuses_arguments(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["baselines", "--nonsense"])
    with pytest.raises(SystemExit):
        main()
