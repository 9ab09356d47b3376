"""One run at a time in a folder, and none that waits for one that was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import ExecMode

from tests.conftest import REPOSITORY
from tests.project_copy import copy_project, run_in
from workflows.one_run import BusyError, UnwritableError, alone, run_alone

HOLDER = """\
import pathlib, sys, time
from workflows.one_run import alone
with alone(pathlib.Path(sys.argv[1])):
    print("holds it", flush=True)
    time.sleep(3600)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """A process that runs in the folder."""
    words = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds it\n"
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".snakemake"


def left_by_a_killed_run(folder: Path) -> list[Path]:
    """Snakemake's lock, and files that were being written."""
    left = [
        folder / "locks" / "0.output.lock",
        folder.parent / "results" / "smoke" / ".table.a1b2c3d4.partial.json",
        folder.parent / "data" / "sets" / "a" / ".0801.a_b2c3d4.partial.png",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    return left


def test_a_second_run_is_told_which_one_works_here(folder: Path) -> None:
    process = hold(folder)
    left = left_by_a_killed_run(folder)
    told = rf"another run works in this folder: process {process.pid}"
    with pytest.raises(BusyError, match=told), alone(folder):
        pass
    assert all(path.exists() for path in left), "they may be the other's"
    process.kill()
    process.wait()


def test_what_a_killed_run_leaves_is_taken_away(folder: Path) -> None:
    process = hold(folder)
    left = left_by_a_killed_run(folder)
    kept = folder.parent / "results" / "smoke" / "table.json"
    download = folder.parent / "data" / "downloads" / "a.zip.1234567890abcdef.partial"
    for path in (kept, download):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with alone(folder):
        assert not any(path.exists() for path in left)
    assert kept.exists()
    assert download.exists(), "a download goes on where it was"


def test_the_folder_is_free_after_a_run(folder: Path) -> None:
    for _ in range(2):
        with alone(folder):
            pass


def test_a_file_system_without_locks_leaves_it_to_snakemake(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = left_by_a_killed_run(folder)
    with alone(folder):
        assert all(path.exists() for path in left)
    assert "run.lock cannot be locked (Operation not supported)" in caplog.text


def test_a_read_only_checkout_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, **options: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    told = r"cannot be written \(Read-only file system\)"
    with pytest.raises(UnwritableError, match=told), alone(folder):
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("dryrun", [True, False])
def test_a_disk_that_takes_no_notes_of_snakemakes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dryrun: bool, number: int
) -> None:
    """A dry run writes too: the folder of its notes."""

    def execute() -> None:
        raise OSError(number, os.strerror(number), ".snakemake")

    monkeypatch.chdir(tmp_path)
    workflow = SimpleNamespace(
        output_settings=SimpleNamespace(dryrun=dryrun),
        execution_settings=SimpleNamespace(lock=True),
        exec_mode=ExecMode.DEFAULT,
        execute=execute,
    )
    run_alone(workflow)
    if number == errno.EIO:  # nothing that another folder would mend
        with pytest.raises(OSError, match="Input/output error"):
            workflow.execute()
        return
    with pytest.raises(WorkflowError, match=re.escape(f"{tmp_path} cannot be written")):
        workflow.execute()


@pytest.mark.slow
def test_snakemake_in_a_folder_where_another_runs(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    process = hold(project / ".snakemake")
    target = "results/smoke/parameter_counts.json"
    run = [sys.executable, "-m", "snakemake", "--cores", "1", target, "--config", "tier=smoke"]
    looking = run_in(project, [*run, "-n"])
    second = run_in(project, run)
    process.kill()
    process.wait()
    assert looking.returncode == 0, looking.stderr
    assert second.returncode == 1
    said = second.stdout + second.stderr
    assert f"another run works in this folder: process {process.pid}" in said
    assert "Traceback" not in said
    assert "--unlock" not in said
