"""The workflow files for forks: what they run, and that they need no secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

ROOT = REPOSITORY
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
COMMANDS = {"regression.yml": "make check-regression", "tests.yml": "make test"}


def test_there_is_one_file_per_purpose() -> None:
    assert {path.name for path in FILES} == COMMANDS.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_and_secrets_absent(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    (job,) = content["jobs"].values()
    for step in job["steps"]:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/none@v1"))
    assert COMMANDS[path.name] in [step.get("run") for step in job["steps"]]


def test_local_integration_runs_the_same() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(COMMANDS.values()) <= set(lines)


def test_the_comparison_reaches_the_summary() -> None:
    (path,) = [path for path in FILES if path.name == "regression.yml"]
    text = path.read_text(encoding="utf-8")
    assert 'cat regression.md >> "$GITHUB_STEP_SUMMARY"' in text
    assert "if: always()" in text
