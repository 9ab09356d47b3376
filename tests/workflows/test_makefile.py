"""What is given to make is handed on as it is: no shell and no make reads it a second time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FAKE = """#!/bin/sh
printf '%s\\0' "$@" >> "$RECORD"
"""


@pytest.mark.parametrize(
    "target",
    [
        *("snapshot", "restore", "trained-weights", "update-reference", "check-regression"),
        *("tables", "reference-runs", "publish", "published", "bench"),
    ],
)
@pytest.mark.parametrize(
    "text", ['a"; touch x; "', "a`touch x`", "a$(shell touch x)", "a$$(touch x)", "it's $HOME b"]
)
def test_values_reach_the_command_unread(target: str, text: str, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/installed"):
        (tmp_path / name).touch()
    for name in ("python", "snakemake"):
        (tmp_path / ".venv" / "bin" / name).write_text(FAKE)
        (tmp_path / ".venv" / "bin" / name).chmod(0o755)
    record = tmp_path / "record"
    own = {
        "tables": ("CORES",),
        "update-reference": ("TIER",),
        "check-regression": ("TIER",),
        "reference-runs": ("CORES", "TIER"),
        "published": ("CORES", "MIRROR"),
        "bench": ("AGAINST",),
        "publish": ("DIR", "ADDRESS"),
        "trained-weights": ("CORES", "MIRROR"),
    }
    names = own.get(target, ("TIER", "REMOTE"))
    subprocess.run(
        ["make", target, *(f"{name}={text}" for name in names)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "RECORD": str(record)},
        check=True,
        capture_output=True,
    )
    arguments = record.read_text().split("\0")
    assert sum(text in argument for argument in arguments) >= len(names), json.dumps(arguments)
    assert not (tmp_path / "x").exists()


def test_another_folder_than_the_suite_is_refused(tmp_path: Path) -> None:
    command = ["-m", "snakemake", "-n", "--snakefile", str(REPOSITORY / "Snakefile")]
    result = subprocess.run(
        [sys.executable, *command, "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "--directory is not supported" in result.stdout + result.stderr


def test_an_environment_that_is_linked_is_not_emptied(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").touch()
    (tmp_path / ".venv").symlink_to("other")
    command = ["make", f"PYTHON={sys.executable}", ".venv/installed"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert ".venv is a link, and what it points to would be emptied" in found.stderr
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["kept"]
