"""Jobs that are forks of one process: each is a process of its own all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workflows.progress import alive
from workflows.warm_start import ADDRESS, THREADS, run_job, shell_prefix

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")

ROOT = Path(__file__).parents[2]
RUN = """
import os, signal, sys
from workflows.progress import alive
from workflows.warm_start import start_server
assert start_server()
print(os.environ["NDR_WARM_START"], flush=True)
signal.pause()
"""
"""What Snakemake is to the server, in a process that can be killed."""
SLOW_IMPORT = """
import pathlib
with pathlib.Path("imported.txt").open("a") as file:
    file.write("x")
count = 0
"""
JOB = """
import os, pathlib, signal, sys, time
import reports.heavy


def ended(*_):
    pathlib.Path("ended.txt").touch()
    sys.exit(7)


def main(what, *rest):
    reports.heavy.count += 1
    if what == "say":
        print(*rest, os.environ.get("WHO"), reports.heavy.count, os.environ["OMP_NUM_THREADS"])
        print("to the other end", file=sys.stderr)
    elif what == "read":
        print(sys.stdin.read().upper())
    elif what == "exit":
        sys.exit(int(rest[0]) if rest[0].isdigit() else rest[0])
    elif what == "fail":
        raise ValueError(rest[0])
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what in ("wait", "stay"):
        signal.signal(signal.SIGTERM, ended if what == "wait" else signal.SIG_IGN)
        pathlib.Path("began.txt").write_text(str(os.getpid()))
        time.sleep(60)
        pathlib.Path("finished.txt").touch()


if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    for name, text in (("__init__", ""), ("heavy", SLOW_IMPORT), ("job", JOB)):
        (tmp_path / "reports" / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    own = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(ROOT)}
    return own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def run(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    environment[ADDRESS] = process.stdout.readline().strip()
    until(lambda: Path(environment[ADDRESS]).exists())
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not Path(environment[ADDRESS]).parent.exists())


Job = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def job(folder: Path, environment: dict[str, str]) -> Job:
    def start(command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", shell_prefix() + command],
            cwd=folder,
            env=environment | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("waited for 30 seconds")


def child_of(process: subprocess.Popen[str]) -> int:
    """What waits for the job, in the shell that was started."""
    command = ["ps", "-o", "pid=", "--ppid", str(process.pid)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def begun(folder: Path, job: Job, what: str = "wait") -> tuple[subprocess.Popen[str], int, int]:
    """A shell whose job has begun: the shell, the process that waits for the job, and the job."""
    # The shell stays: it would become its last command.
    shell = job(f"python -m reports.job {what}; exit $?")
    began = folder / "began.txt"
    until(lambda: began.exists() and began.read_text() != "")
    return shell, child_of(shell), int(began.read_text())


def imports(folder: Path) -> int:
    return len((folder / "imported.txt").read_text())


@pytest.mark.usefixtures("run")
def test_jobs_are_processes_of_their_own_that_share_their_imports(folder: Path, job: Job) -> None:
    jobs = [job(f"python -m reports.job say 'a b' {k}", WHO=f"job {k}") for k in range(3)]
    told = [each.communicate() for each in jobs]
    # The count is what the job made of it: no job sees what another one did.
    assert [out for out, _ in told] == [f"a b {k} job {k} 1 1\n" for k in range(3)]
    assert {err for _, err in told} == {"to the other end\n"}
    assert imports(folder) == 1


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("command", "status", "error"),
    [
        ("exit 0", 0, ""),
        ("exit 3", 3, ""),
        ("exit words", 1, "words"),
        ("fail because", 1, "ValueError: because"),
        ("die", 137, ""),
    ],
)
def test_a_job_ends_as_it_would_alone(job: Job, command: str, status: int, error: str) -> None:
    process = job(f"python -m reports.job {command}")
    _, told = process.communicate()
    assert process.returncode == status
    assert error in told


@pytest.mark.usefixtures("run")
def test_input_and_the_rest_of_the_shell_are_the_jobs_own(job: Job) -> None:
    out, _ = job("python -m reports.job read | tr -d E").communicate("here")
    assert out == "HR\n"
    out, _ = job(
        "python -m reports.job exit 137 || { [ $? -eq 137 ] && echo killed; }"
    ).communicate()
    assert out == "killed\n"
    out, _ = job("python -c 'print(1 + 1)'").communicate()
    assert out == "2\n"


@pytest.mark.usefixtures("run")
def test_a_job_with_other_threads_starts_as_ever(folder: Path, job: Job) -> None:
    out, _ = job("python -m reports.job say", OMP_NUM_THREADS="2", WHO="two").communicate()
    assert out == "two 1 2\n"
    assert imports(folder) == 1
    job("python -m reports.job say", OMP_NUM_THREADS="2").communicate()
    assert imports(folder) == 2


def test_without_a_server_jobs_start_as_ever(environment: dict[str, str], job: Job) -> None:
    for address in ("", "/nowhere/socket"):
        environment[ADDRESS] = address
        process = job("python -m reports.job say as ever", WHO="alone")
        assert process.communicate()[0] == "as ever alone 1 1\n"
        assert process.returncode == 0


@pytest.mark.usefixtures("run")
def test_a_signal_reaches_the_job(folder: Path, job: Job) -> None:
    shell, waiting, _ = begun(folder, job)
    os.kill(waiting, signal.SIGTERM)
    shell.communicate()
    assert shell.returncode == 7
    assert (folder / "ended.txt").exists()


@pytest.mark.usefixtures("run")
def test_a_job_is_killed_with_whoever_waits_for_it(folder: Path, job: Job) -> None:
    shell, waiting, pid = begun(folder, job)
    os.kill(waiting, signal.SIGKILL)
    shell.communicate()
    until(lambda: not alive(pid))
    assert not (folder / "ended.txt").exists()


def test_jobs_end_with_a_run_that_is_killed(
    folder: Path, job: Job, run: subprocess.Popen[str]
) -> None:
    shell, _, _ = begun(folder, job)
    run.kill()
    shell.communicate()
    # They were asked to: a training saves its state.
    assert (folder / "ended.txt").exists()
    assert not (folder / "finished.txt").exists()


def test_jobs_are_killed_with_a_run_whose_shells_are_killed_too(
    folder: Path, job: Job, run: subprocess.Popen[str]
) -> None:
    shell, waiting, pid = begun(folder, job, "stay")
    run.kill()
    os.kill(waiting, signal.SIGKILL)
    shell.communicate()
    # At once: who starts the run again must not meet it.
    until(lambda: not alive(pid))
    assert not (folder / "finished.txt").exists()


def test_what_is_no_job_of_the_suite_becomes_the_process_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[list[str]] = []

    def become(_: str, command: list[str]) -> None:
        started.append(command)
        raise SystemExit(0)

    monkeypatch.setenv(ADDRESS, "/nowhere/socket")
    monkeypatch.setattr(os, "execvp", become)
    for arguments in (["-m", "pytest"], ["script.py"], ["-c", "pass"], ["-m"], []):
        with pytest.raises(SystemExit):
            run_job(arguments)
    assert started[0] == ["python", "-m", "pytest"]
    assert len(started) == 5
