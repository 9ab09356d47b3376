"""The workflow files for forks: what they run, and that they need no secret."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

ROOT = REPOSITORY
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
READER = ["make tables", "make test"]
"""The README's commands, in its order."""
COMMANDS = {
    "container.yml": ["docker build --tag suite ."],
    "pages.yml": ["make tables", 'make publish DIR=public ADDRESS="$ADDRESS"'],
    "regression.yml": ["make check-regression"],
    "tests.yml": READER,
}


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
    commands = [step.get("run") for step in job["steps"]]
    assert [name for name in commands if name in COMMANDS[path.name]] == COMMANDS[path.name]


def test_the_oldest_and_the_newest_python_are_tested() -> None:
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    matrix = yaml.safe_load(text)["jobs"]["tests"]["strategy"]["matrix"]["python"]
    known = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert matrix == [known[0], known[-1]]


def test_local_integration_does_what_a_reader_does() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line.startswith(("make ", "again=$(make "))]
    again = 'again=$(make tables 2>&1) || { echo "$again"; exit 1; }'
    checks = ["make check-regression", "make check-regression TIER=quick", "make kills"]
    assert commands == [*READER, again, *checks]


@pytest.mark.parametrize(("second", "code"), [("Nothing to be done", 0), ("1 job", 1)])
def test_local_integration_fails_where_the_second_report_has_work(
    tmp_path: Path, second: str, code: int
) -> None:
    """The script itself, with programs of the names that it calls."""
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "run", script)
    for program in ("chromium", "slurmctld"):
        write_program(tmp_path / "bin" / program, "true")
    write_program(
        tmp_path / "bin" / "make",
        f'echo "$1" >> "{tmp_path}/calls"\n'
        f'[ "$(grep -c tables "{tmp_path}/calls")" = 1 ] || echo "{second}"',
    )
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run([script], env={**os.environ, "PATH": path}, check=False)
    assert result.returncode == code
    calls = (tmp_path / "calls").read_text().split()
    assert calls == [
        "tables",
        "test",
        "tables",
        *(["check-regression", "check-regression", "kills"] if code == 0 else []),
    ]


def test_local_integration_installs_what_single_tests_need(tmp_path: Path) -> None:
    """As root of Debian: a browser and SLURM, each for itself, and it goes on without one."""
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "run", script)
    programs = tmp_path / "bin"
    calls = tmp_path / "calls"
    write_program(programs / "id", "echo 0")
    write_program(programs / "make", "echo Nothing to be done")
    write_program(programs / "apt-get", f'echo "$*" >> "{calls}"\n[ "$1" = update ] || exit 1')
    for name in ("dirname", "sh"):
        (programs / name).symlink_to(shutil.which(name) or name)
    result = subprocess.run(
        [script], env={"PATH": str(programs)}, check=True, capture_output=True, text=True
    )
    installed = [line.split()[-1] for line in calls.read_text().splitlines() if "install" in line]
    slurm = [] if Path("/usr/sbin/slurmctld").exists() else ["slurm-wlm", "munge"]
    assert installed == ["chromium", *slurm]
    for package in installed:
        assert f"{package} could not be installed: the test that needs it" in result.stdout


def write_program(path: Path, line: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_the_comparison_reaches_the_summary() -> None:
    (path,) = [path for path in FILES if path.name == "regression.yml"]
    text = path.read_text(encoding="utf-8")
    assert 'cat regression.md >> "$GITHUB_STEP_SUMMARY"' in text
    assert "if: always()" in text


def test_issue_templates_ask_for_what_the_suite_prints() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.iterdir()
    }
    assert forms.keys() == {"bug", "config", "new_method", "number_differs"}
    for name, form in forms.items():
        if name == "config":
            continue
        assert form["name"]
        assert form["description"]
        ids = [part["id"] for part in form["body"]]
        assert len(ids) == len(set(ids)) >= 4
        assert all(part["attributes"]["label"] for part in form["body"])
