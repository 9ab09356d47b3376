"""Snakemake as a part of a command: it fails with it and ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import REPOSITORY
from workflows.snakemake_child import SnakemakeError, run_snakemake

WORKFLOW = """\
rule first:
    output: "{folder}/first"
    shell: "touch {folder}/begun; sleep 2; touch {{output}}"
rule second:
    input: "{folder}/first"
    output: "{folder}/second"
    shell: "touch {{output}}"
rule broken:
    output: "{folder}/broken"
    shell: "exit 3"
rule quick:
    output: "{folder}/quick"
    shell: "touch {{output}}"
"""
COMMAND = "import sys; from workflows.snakemake_child import run_snakemake as r; r(sys.argv[1:])"


@pytest.fixture
def workflow(tmp_path: Path) -> list[str]:
    """Arguments of Snakemake but for the target."""
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(folder=tmp_path))
    file, none = tmp_path / "Snakefile", "none"
    place = ["--snakefile", str(file), "--directory", str(tmp_path)]
    return [*place, "--workflow-profile", none, "--cores", "1"]


def test_a_failure_is_one_of_the_command(workflow: list[str], tmp_path: Path) -> None:
    run_snakemake([*workflow, str(tmp_path / "quick")], quiet=True)
    assert (tmp_path / "quick").is_file()
    with pytest.raises(SnakemakeError, match=r"^Snakemake failed with exit code 1, see above$"):
        run_snakemake([*workflow, str(tmp_path / "broken")], quiet=True)


def test_no_job_begins_once_the_command_is_ended(workflow: list[str], tmp_path: Path) -> None:
    words = [sys.executable, "-c", COMMAND, *workflow, str(tmp_path / "second")]
    command = psutil.Popen(words, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "begun").exists():
        assert command.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    below = command.children(recursive=True)
    assert below
    command.send_signal(signal.SIGTERM)
    _, printed = command.communicate(timeout=120)
    assert command.returncode != 0
    assert printed.endswith("SnakemakeError: Snakemake was ended; the same command goes on\n")
    assert not any(each.is_running() for each in below)
    assert (tmp_path / "first").is_file()
    assert not (tmp_path / "second").exists()
