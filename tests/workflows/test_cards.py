"""Cards of a machine: one job each, free again however a job ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from workflows.cards import CardError, cards_here, claim

JOB = """\
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / f"{os.getpid()}.taken").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
while not (folder / "end").exists():
    time.sleep(0.02)
"""


def start(folder: Path, cards: int = 1, **environment: str) -> subprocess.Popen[bytes]:
    """A job on a machine with four stand-in cards."""
    own = {"CUDA_VISIBLE_DEVICES": "0,1,2,3", "TMPDIR": str(folder), **environment}
    words = ["-m", "workflows.cards", "--cards", str(cards), sys.executable, "-c", JOB, str(folder)]
    return subprocess.Popen([sys.executable, *words], cwd=REPOSITORY, env={**os.environ, **own})


def taken(folder: Path, count: int) -> list[str]:
    """What `count` jobs have got; waits for them."""
    while len(found := sorted(folder.glob("*.taken"))) < count:
        time.sleep(0.02)
    time.sleep(0.1)
    return [path.read_text() for path in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def finish(folder: Path, *jobs: subprocess.Popen[bytes]) -> None:
    (folder / "end").touch()
    for job in jobs:
        assert job.wait() == 0


def test_four_jobs_take_four_cards(folder: Path) -> None:
    jobs = [start(folder) for _ in range(4)]
    assert sorted(taken(folder, 4)) == ["0", "1", "2", "3"]
    finish(folder, *jobs)


def test_a_fifth_waits_for_the_first_that_ends_even_by_a_kill(folder: Path) -> None:
    jobs = [start(folder) for _ in range(4)]
    taken(folder, 4)
    cards = {int(path.stem): path.read_text() for path in folder.glob("*.taken")}
    late = start(folder)
    time.sleep(1)
    assert len(list(folder.glob("*.taken"))) == 4, "it waits"
    killed = jobs.pop()
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    taken(folder, 5)
    assert (folder / f"{late.pid}.taken").read_text() == cards[killed.pid]
    finish(folder, *jobs, late)


def test_several_cards_are_taken_together(folder: Path) -> None:
    jobs = [start(folder, 3), start(folder, 3)]
    taken(folder, 1)
    time.sleep(1)
    assert len(taken(folder, 1)) == 1, "half of them would block both for ever"
    (folder / "end").touch()
    for job in jobs:
        assert job.wait() == 0
    assert sorted(taken(folder, 2)) == ["0,1,2", "0,1,2"]


def test_a_scheduler_hands_out_its_cards_itself(folder: Path) -> None:
    """In a SLURM job every card may be called 0."""
    jobs = [start(folder, CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID=str(i)) for i in range(2)]
    assert taken(folder, 2) == ["0", "0"]
    finish(folder, *jobs)


def test_more_cards_than_there_are(folder: Path) -> None:
    with pytest.raises(CardError, match=r"3 cards are asked for, this machine has 2 \(0, 1\)"):
        claim(3, ["0", "1"], folder)


def test_cards_are_found(folder: Path) -> None:
    for name in ("nvidia0", "nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (folder / name).touch()
    assert cards_here({}, folder) == ["0", "2", "10"]
    assert cards_here({"CUDA_VISIBLE_DEVICES": "2, GPU-8f"}, folder) == ["2", "GPU-8f"]
    assert cards_here({"CUDA_VISIBLE_DEVICES": ""}, folder) == []
