"""Trainings of several processes through Snakemake: two on the CPU, as two cards would do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ndr.checkpoint import read_checkpoint
from ndr.records.provenance import TrainingProvenance
from ndr.specs.typed_file import SpecError, read_yaml
from tests.project_copy import copy_project, run_in, succeeded
from workflows.configuration import CONFIG, suite_config
from workflows.suite import Suite

RUN = "nafnet__noise_rain_haze__seed_0"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "2"]


def suite(**changes: object) -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke", **changes}))


@pytest.mark.slow
def test_two_processes_train_a_run_together(tmp_path: Path) -> None:
    folders = {}
    for processes in (1, 2):
        project = copy_project(tmp_path / str(processes))
        config = ["tier=smoke", "device=cpu", f"gpus_per_run={processes}"]
        checkpoint = f"results/smoke/runs/{RUN}/checkpoint.safetensors"
        command = [*SNAKEMAKE, checkpoint, "--config", *config]
        succeeded(project, run_in(project, command))
        folders[processes] = project / "results" / "smoke" / "runs" / RUN
    joint, alone = (TrainingProvenance.read(folders[n] / "provenance.json") for n in (2, 1))
    assert (joint.processes, alone.processes) == (2, 1)
    # The joint batch is the recipe's: the same run, within rounding.
    assert joint.spec_sha256 == alone.spec_sha256
    states = [read_checkpoint(folders[n] / "checkpoint.safetensors")[0] for n in (1, 2)]
    for key, value in states[0].items():
        assert torch.allclose(value, states[1][key], atol=1e-4), key


def test_cards_that_this_machine_lacks_are_asked_for() -> None:
    """As on the login node of a cluster."""
    jobs = suite(gpus_per_run=2).jobs
    assert (jobs.gpus, jobs.training_gpus) == (1, 2)
    cards = ["python", "-m", "workflows.cards", "--cards", "2", "python"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert jobs.training_command == cards + launcher
    assert jobs.command == ["python", "-m", "workflows.cards", "--cards", "1", "python"]
    on_cpu = suite(device="cpu", gpus_per_run=2).jobs
    assert (on_cpu.gpus, on_cpu.training_gpus) == (0, 0)
    assert on_cpu.training_command == ["python", *launcher]
    assert suite(device="cpu").jobs.training_command == ["python"]


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(SpecError, match=r"gpus_per_run: expected a divisor of the batch of 2 .*3"):
        suite(gpus_per_run=3)


def test_what_jobs_ask_for_grows_with_tier_and_attempt() -> None:
    smoke, paper = suite().jobs, suite(tier="paper", device="cuda").jobs
    run = "ndr_restore__noise_rain_haze__seed_0"
    assert smoke.training_minutes(run) < paper.training_minutes(run)
    assert paper.training_minutes("dncnn__denoise__seed_0") < paper.training_minutes(run)
    assert smoke.training_minutes(run, attempt=2) == 2 * smoke.training_minutes(run)
    assert suite(gpus_per_run=2).jobs.training_memory() == 2 * smoke.memory()
    assert smoke.memory(attempt=2) == 2 * smoke.memory()
    # Two cards need about half the time.
    several = suite(tier="paper", gpus_per_run=2).jobs
    assert several.training_minutes(run) < paper.training_minutes(run)
