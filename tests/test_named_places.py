"""Modules and files that pages, comments and docstrings name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from workflows.lint import tracked_files

ROOT = REPOSITORY
TEXT = {".md", ".yaml", ".yml", ".py", ".smk", ".j2", ".toml", ""}
NAME = re.compile(
    r"(?<![\w./-])(?:ndr|reports|workflows|baselines|bench|tests)(?:[./]\w+)+", re.ASCII
)
NOT_HERE = {
    "ndr.methods",  # a group of entry points
    *("baselines/all_in_one/shallow_residual.py", "reports/paper_values/tableNN.csv"),  # examples
    *("reports/all_tables.html", "reports/assets"),  # products
}


def exists(name: str) -> bool:
    """Whether a path, or a module with perhaps one of its names, is there."""
    if "/" in name:
        path = ROOT / name
        return path.exists() or any(path.parent.glob(f"{path.name.partition('.')[0]}.*"))
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:depth])
        module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if module.is_file():
            rest = parts[depth : depth + 1]
            return not rest or re.search(rf"\b{rest[0]}\b", module.read_text("utf-8")) is not None
    return False


def test_names_are_told_apart() -> None:
    assert exists("ndr.registry.method_class")
    assert exists("ndr/registry.py")
    assert exists("workflows.estimate")
    assert not exists("ndr.registry.no_such_name")
    assert not exists("reports/statistics")


FOLDERS = {name.split("/")[0] for name in tracked_files(ROOT)} - {"tests"}


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_what_is_named_exists(folder: str) -> None:
    missing = []
    for name in tracked_files(ROOT):
        if name.split("/")[0] != folder or Path(name).suffix not in TEXT:
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        found = set(NAME.findall(text))
        missing += [
            f"{name}: {each}" for each in found if each not in NOT_HERE and not exists(each)
        ]
    assert missing == []
