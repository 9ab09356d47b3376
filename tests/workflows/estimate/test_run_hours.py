"""Hours of trainings: measured ones, scaled ones, and those reckoned from operations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ndr.atomic_file import write_text
from ndr.nearest_name import UnknownNameError
from ndr.records.provenance import Hardware, TrainingProvenance
from ndr.specs.run_spec import Recipe, RunSpec, SettingSpec, TaskSpec
from ndr.specs.typed_file import SpecError
from tests.reports import fabricated_results as made
from workflows.estimate.hours import (
    GPU_CHECK,
    Card,
    RunTimes,
    StepCosts,
    checked_card,
    cost_key,
    finished_runs,
    read_assumptions,
)

CARD = Card(label="a card", teraflops=7, basis="a test")
SETTING = SettingSpec("denoise", (TaskSpec("noise", ("set",), ("0",)),))


def spec(method: str = "ndr_restore", steps: int = 1_000_000, **changes: object) -> RunSpec:
    recipe = Recipe(steps=steps, batch=4, patch=128, learning_rate=1e-4)
    return RunSpec("paper", method, dict(changes), dict(changes), SETTING, recipe, 0, 9)


def trained(seconds_per_step: float, device: str) -> TrainingProvenance:
    machine = Hardware(processor="EPYC", cores=2, system="Linux", gpus=("H100",))
    facts = {"seconds_per_step": seconds_per_step, "device": device, "hardware": machine}
    return made.training_record("a_run", **facts)


@pytest.fixture
def costs(tmp_path: Path) -> StepCosts:
    table = {
        cost_key(spec()): {"forward_gflop": 104.8, "parameters": 28_410_000},
        cost_key(spec(N=8)): {"forward_gflop": 52.4, "parameters": 20_000_000},
    }
    (tmp_path / "costs.json").write_text(json.dumps(table))
    return StepCosts(tmp_path / "costs.json", seconds=0)


def test_counted_hours_are_those_of_the_protocol(costs: StepCosts) -> None:
    time = RunTimes({}, {}, costs, CARD, 3).of(spec())
    # iterations * batch * GFLOP * 3 / (1000 * TFLOP/s * 3600): 50 hours on such a card.
    assert time.hours == pytest.approx(1e6 * 4 * 104.8 * 3 / (1000 * 7 * 3600))
    assert round(time.hours) == 50
    assert time.basis == "GPU-hours, counted for a card"
    assert time.parameters == 28_410_000


def test_measured_hours_come_before_counted_ones(costs: StepCosts) -> None:
    specs = {"main": spec(), "small": spec(N=8)}
    finished = {"main": trained(0.36, "cuda")}
    times = RunTimes(specs, finished, costs, CARD, 3)
    assert times.of(spec(steps=10_000)).hours == pytest.approx(1.0)
    assert times.of(spec(N=8, steps=10_000)).hours == pytest.approx(0.5)  # half the operations
    assert times.of(spec()).basis == "GPU-hours, measured on H100"
    # Another method was not measured, and cannot be counted in no time.
    assert times.of(spec("restormer")).hours is None


def test_a_processor_is_no_gpu(costs: StepCosts) -> None:
    specs = {"main": spec(), "small": spec(N=8)}
    finished = {
        "main": trained(10.0, "cpu"),
        "small": trained(0.1, "cuda"),
    }
    assert RunTimes(specs, finished, costs, CARD, 3).of(spec()).basis.endswith("H100")
    del finished["small"]
    basis = RunTimes(specs, finished, costs, CARD, 3).of(spec()).basis
    assert basis == "hours without GPU, measured on EPYC"


def test_finished_runs_are_read_and_damaged_records_are_not_counted(tmp_path: Path) -> None:
    for run, device in (("on_gpu", "cuda:0"), ("on_cpu", "cpu")):
        trained(0.5, device).write(tmp_path / "runs" / run / "provenance.json")
    for run, content in (("cut_off", "{"), ("old", json.dumps({"device": "cpu"}))):
        write_text(tmp_path / "runs" / run / "provenance.json", content)
    found = finished_runs(tmp_path)
    assert {run: (record.on_gpu, record.place) for run, record in found.items()} == {
        "on_gpu": (True, "H100"),
        "on_cpu": (False, "EPYC"),
    }
    assert finished_runs(tmp_path / "nowhere") == {}


def test_committed_assumptions() -> None:
    assumptions = read_assumptions()
    assert assumptions.card_named(None) == assumptions.cards["a100"]
    assert assumptions.card_named("v100").teraflops == 3.35
    with pytest.raises(UnknownNameError, match="'a100'"):
        assumptions.card_named("a10")


@pytest.mark.parametrize(
    "content", ["{", "[1]", "[" * 100_000, '{"teraflops": 1}', '{"card": "a", "teraflops": "b"}']
)
def test_a_damaged_check_of_the_card_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / GPU_CHECK).write_text(content)
    with pytest.raises(SpecError, match=r"gpu_check\.json is damaged .*make gpu-check") as caught:
        checked_card(tmp_path)
    assert "\n" not in str(caught.value)
