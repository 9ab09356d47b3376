"""Lint and tests look at the files that git tracks, whatever the suite has made beside them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.workflows.storage.stored_checkout import git, write
from workflows.lint import (
    EXPLAINED,
    OUTSIDE,
    PRODUCT,
    TYPED,
    NoCheckoutError,
    check,
    commands,
    new_files,
    open_warnings,
    tracked_files,
)

MISSPELT = "recie" + "ve"
SOURCES = {
    "ndr/__init__.py": '"""A package."""\n',
    "ndr/one.py": '"""One."""\n\n\ndef one() -> int:\n    """One."""\n    return 1\n',
    "tests/test_one.py": "def test_one() -> None:\n    assert 1\n",
    "Snakefile": 'rule all:\n    log:\n        "log",\n',
    "README.md": "# A project\n",
}
PRODUCTS = {
    "reports/all_tables.html": f"<p>{MISSPELT}</p>\n",
    "reports/assets/script.py": "def f(x): return undefined_name\n",
    "reports/assets/test_made.py": "def test_made():\n    assert False\n",
    "results/quick/runs/a/test_it.py": "import os\nx:int = 'x'\ndef test(): assert 0\n",
    "results/quick/Snakefile": "rule a:\n  input:'b'\n",
    "data/sets/noise/readme.txt": f"{MISSPELT}\n",
    "ndr/__pycache__/made.py": f"{MISSPELT}\n",
    "regression.md": f"| {MISSPELT} |\n",
}
"""Each would fail a tool that looked at it."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small project that is clean, with the suite's settings of the tools."""
    for name, content in SOURCES.items():
        write(tmp_path, name, content)
    for name in ("pyproject.toml", ".gitignore", "conftest.py", "workflows/__init__.py"):
        write(tmp_path, name, (REPOSITORY / name).read_bytes())
    write(tmp_path, "workflows/lint.py", (REPOSITORY / "workflows/lint.py").read_bytes())
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    return tmp_path


def test_products_change_no_answer(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert check(checkout) == 0, capfd.readouterr()
    before = capfd.readouterr()
    for name, content in PRODUCTS.items():
        write(checkout, name, content)
    assert check(checkout) == 0, capfd.readouterr()
    assert capfd.readouterr() == before


def test_each_tool_looks_at_tracked_files(
    checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(checkout, "ndr/two.py", '"""Two."""\n\nimport os\n\nTWO: int = "two"\nTHREE = [1,2]\n')
    write(checkout, "two.smk", "rule two:\n    log: 'two'\n")
    write(checkout, ".github/two.md", f"What we {MISSPELT}.\n")
    write(checkout, "Snakefile", 'rule all:\n    shell:\n        "true"\n')
    git(checkout, "add", ".")
    assert check(checkout) == 1
    tools = "ruff check, ruff format --check, snakefmt --check, codespell_lib --check-hidden, mypy"
    assert f"not clean: {tools}, snakemake --lint\n" in capfd.readouterr().err


def test_files_that_are_not_added_yet_are_named(
    checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(checkout, "ndr/new.py", "import os\n")
    assert check(checkout) == 0
    assert "1 files that git does not track, first ndr/new.py" in capfd.readouterr().out
    assert new_files(checkout) == ["ndr/new.py"]


def test_a_deleted_file_is_not_asked_for(checkout: Path) -> None:
    (checkout / "ndr/one.py").unlink()
    assert "ndr/one.py" not in tracked_files(checkout)


def test_the_tools_settings_name_the_same_packages() -> None:
    tools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tools["mypy"]["packages"] == list(TYPED)
    assert tools["coverage"]["run"]["source_pkgs"] == list(PRODUCT)


def test_formatting_leaves_products_alone() -> None:
    for command in commands(tracked_files(REPOSITORY), mend=True):
        assert "--check" not in command
        assert len(command) > 2
        assert not {part for part in command if part.startswith(("results/", "data/"))}


def test_outside_of_a_clone_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoCheckoutError, match="expected a clone of the repository"):
        tracked_files(tmp_path)


@pytest.mark.parametrize(
    "start", [["-m", "pytest"], ["-c", "import pytest; pytest.console_main()"]]
)
def test_pytest_collects_new_tests_and_no_products(checkout: Path, start: list[str]) -> None:
    for name, content in PRODUCTS.items():
        write(checkout, name, content)
    write(checkout, "tests/test_two.py", "def test_two() -> None:\n    assert 2\n")
    command = [sys.executable, *start, "-q", "-p", "no:cov", "tests", "ndr", "reports", "results"]
    result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert "2 passed" in result.stdout, result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize(
    "path",
    [
        *("results/quick/tables/a.json", "data/sets/a/manifest.csv", "logs/quick/a.log"),
        *("benchmarks/quick/a.jsonl", "resume/a", ".snakemake/metadata/a", "environments/a/b"),
        *("reports/all_tables.html", "reports/assets/a.png", "regression.md", ".venv/bin/python"),
        *(".cache/mypy/a", ".cache/coverage/a", "report.zip", ".dvc/cache/a"),
    ],
)
def test_git_ignores_what_the_suite_makes(path: str) -> None:
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0


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
    assert open_warnings(text.format("render_report")) == [
        f"rule render_report (line 3, fetch.smk): {OUTSIDE}"
    ]
