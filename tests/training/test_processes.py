"""Two processes that train together, started by torchrun as a user would."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ndr.checkpoint import read_checkpoint
from ndr.data.mixture import Mixture
from ndr.training.processes import ProcessError, Processes
from tests.conftest import REPOSITORY
from tests.training import tiny_training
from tests.training.tiny_training import (
    arguments_of,
    resume_file,
    start_training,
    tiny_spec,
    tiny_state,
    write_sets,
)

PLAIN = {"width": 4, "dropout": 0.0, "norm": False}
"""Without draws and batch statistics, which a share of a batch cannot reproduce."""


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


def torchrun(arguments: list[str], processes: int = 2) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(REPOSITORY / "tests"), str(REPOSITORY)])
    return subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone",
            f"--nproc-per-node={processes}", tiny_training.__file__, *arguments,
        ],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def totals(folder: Path) -> list[float]:
    with (folder / "curve.csv").open(newline="") as file:
        return [float(row["total"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [False, True])
def test_two_processes_do_what_one_does_with_the_joint_batch(
    resumed: bool, sets: Path, tmp_path: Path
) -> None:
    spec = tiny_spec(steps=5, arguments=PLAIN, ema_decay=0.8 if resumed else None)
    folders = [tmp_path / "joint", tmp_path / "alone"]
    data_sha256 = Mixture(spec, sets).data_sha256
    if resumed:  # as if a training with other first weights had been stopped after two steps
        for folder in folders:
            state = tiny_state(spec)
            state.step = 2
            resume_file(folder / "resume", spec, data_sha256).save(state)
    joint = torchrun(arguments_of(spec, folders[0], sets, "--resume-every", "0"))
    assert joint.returncode == 0, joint.stderr
    assert joint.stderr.count("result in") == 1  # one of them writes
    alone = start_training(arguments_of(spec, folders[1], sets))
    alone.join(60)
    assert alone.exitcode == 0
    assert len(totals(folders[0])) == (3 if resumed else 5)
    assert totals(folders[0]) == pytest.approx(totals(folders[1]), rel=1e-6)
    weights = [read_checkpoint(folder / "checkpoint.safetensors")[0] for folder in folders]
    for key, value in weights[1].items():
        assert torch.allclose(weights[0][key], value, atol=1e-5), key
    provenance = json.loads((folders[0] / "provenance.json").read_text())
    assert provenance["processes"] == 2
    assert provenance["resumed_at"] == ([2] if resumed else [])
    assert not list((folders[0] / "resume").iterdir())


def test_shares_are_contiguous_and_complete() -> None:
    cpu = torch.device("cpu")
    assert [list(Processes(cpu, rank, 2).share(4)) for rank in range(2)] == [[0, 1], [2, 3]]
    assert list(Processes(cpu).share(4)) == [0, 1, 2, 3]
    with pytest.raises(ProcessError, match="a batch of 4 cannot be divided among 3 processes"):
        Processes(cpu, 0, 3).share(4)
