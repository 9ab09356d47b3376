"""The command `python -m ndr.train`, in this process and, where signals matter, in another."""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ndr.checkpoint import load_run_checkpoint, read_checkpoint
from ndr.data.mixture import Mixture
from ndr.method import parameter_count
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.provenance import TrainingProvenance
from ndr.registry import create, method_arguments
from ndr.specs.run_spec import RunSpec
from ndr.train import main
from ndr.training.optimisation import initialised_method
from ndr.training.resume_state import ResumeFile
from tests.training.tiny_training import (
    FINGERPRINT,
    arguments_of,
    resume_file,
    start_training,
    tiny_spec,
    write_sets,
)

DNCNN = {"depth": 3, "channels": 4}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


def spec_of_dncnn(**changes: object) -> RunSpec:
    arguments = method_arguments("dncnn", "smoke", DNCNN)
    return tiny_spec(method="dncnn", arguments=arguments, changes=DNCNN, **changes)


def test_results_of_a_run(sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = spec_of_dncnn()
    with caplog.at_level(logging.INFO):
        assert main(arguments_of(spec, tmp_path, sets)) == 0
    assert caplog.messages[-1].endswith(f"result in {tmp_path / 'checkpoint.safetensors'}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.safetensors", "curve.csv", "provenance.json", "representation.safetensors",
    ]  # fmt: skip
    method = create("dncnn", "smoke", **DNCNN)
    state, header = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert header == CheckpointHeader(
        run="dncnn__noise_rain__channels_4__depth_3__seed_0",
        spec_sha256=spec.sha256(),
        source_fingerprint=FINGERPRINT,
        data_sha256=Mixture(spec, sets).data_sha256,
        spec=RunSpec.from_json(spec.canonical_json()),
        steps_done=6,
        parameters=parameter_count(method),
    )
    assert state.keys() == method.state_dict().keys()
    load_run_checkpoint(method, tmp_path / "checkpoint.safetensors", spec.sha256())
    provenance = TrainingProvenance.read(tmp_path / "provenance.json")
    assert provenance.steps_done == provenance.steps_planned == 6
    assert provenance.resumed_at == ()
    assert provenance.seconds_per_step > 0
    assert provenance.run == header.run
    assert provenance.data_sha256 == header.data_sha256
    with (tmp_path / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[-1]["restore"]) == provenance.final_losses["restore"]
    assert load_file(tmp_path / "representation.safetensors")["steps"].tolist() == []


def test_two_runs_of_a_spec_are_equal_and_of_two_seeds_are_not(sets: Path, tmp_path: Path) -> None:
    files = []
    for name, seed, workers in (("a", 0, "0"), ("b", 0, "2"), ("c", 1, "0")):
        arguments = arguments_of(spec_of_dncnn(seed=seed), tmp_path / name, sets)
        assert main([*arguments, "--workers", workers]) == 0
        files.append((tmp_path / name / "checkpoint.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


def test_the_checkpoint_holds_the_average_that_the_recipe_asks_for(
    sets: Path, tmp_path: Path
) -> None:
    weights = {}
    for decay in (None, 0.75):
        spec, folder = spec_of_dncnn(steps=1, ema_decay=decay), tmp_path / str(decay)
        assert main(arguments_of(spec, folder, sets)) == 0
        method = create("dncnn", "smoke", **DNCNN)
        header = load_run_checkpoint(method, folder / "checkpoint.safetensors", spec.sha256())
        assert header.spec.recipe.ema_decay == decay
        weights[decay] = method.state_dict()
    initial = initialised_method(spec).state_dict()
    for name, trained in weights[None].items():
        if trained.is_floating_point():
            expected = 0.75 * initial[name] + 0.25 * trained
            assert torch.allclose(weights[0.75][name], expected, atol=1e-6)


def broken(spec: RunSpec, **values: object) -> str:
    return json.dumps(json.loads(spec.canonical_json()) | values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tier": "quik"}, "unknown tier 'quik': did you mean 'quick'?"),
        ({"method": "promptri"}, "unknown method 'promptri': did you mean 'promptir'?"),
        ({"method": "bicubic"}, "not trained"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"cpu_thread": 1}, "did you mean 'cpu_threads'"),
        ({"arguments": {"depht": 3}}, "did you mean 'depth'?"),
        ({"arguments": {"depth": 3}}, "are missing"),
        ({"setting": {"name": "x", "tasks": []}}, "has no task"),
    ],
)
def test_a_wrong_spec_is_one_line_and_exit_code_2(
    change: dict, message: str, sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = arguments_of(spec_of_dncnn(), tmp_path, sets)
    arguments[1] = broken(spec_of_dncnn(), **change)
    assert main(arguments) == 2
    assert message in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]
    assert list(tmp_path.iterdir()) == []


def test_other_wrong_input_is_one_line_and_exit_code_2(
    sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = arguments_of(spec_of_dncnn(), tmp_path, sets)
    assert main(["--spec-json", "{", *arguments[2:]]) == 2
    assert "cannot read a RunSpec" in caplog.messages[-1]
    assert main(arguments_of(spec_of_dncnn(), tmp_path, tmp_path / "nowhere")) == 2
    assert str(tmp_path / "nowhere") in caplog.messages[-1]
    if not torch.cuda.is_available():
        assert main([*arguments, "--device", "cuda"]) == 2
        assert "use --device cpu" in caplog.messages[-1]
    for wrong in (["--workers", "-1"], ["--resume-every", "-1"], ["--device", "tpu"]):
        with pytest.raises(SystemExit) as caught:
            main([*arguments, *wrong])
        assert caught.value.code == 2


def test_a_changed_image_is_named(
    sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(sets, tmp_path / "sets")
    image = tmp_path / "sets" / "pairs" / "degraded" / "image0.png"
    image.write_bytes(image.read_bytes()[:-20])
    assert main(arguments_of(spec_of_dncnn(), tmp_path, tmp_path / "sets")) == 2
    assert str(image) in caplog.messages[-1]


def test_full_disk_at_the_end_names_the_file_and_keeps_the_training(
    sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = spec_of_dncnn()
    arguments = arguments_of(spec, tmp_path / "run", sets)
    arguments[arguments.index("--resume") + 1] = str(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        assert main(arguments) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path / "run") in caplog.messages[-1]
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]
    # Another disk may have had room for the state: then only the results are written again.
    (tmp_path / "blocked").write_text("a file where the folder should be")
    arguments = arguments_of(spec, tmp_path / "blocked", sets)
    arguments[arguments.index("--resume") + 1] = str(tmp_path)
    assert main(arguments) == 1
    kept = resume_file(tmp_path, spec, Mixture(spec, sets).data_sha256)
    assert kept.read()["step"] == 6
    arguments = arguments_of(spec, tmp_path / "run", sets)
    arguments[arguments.index("--resume") + 1] = str(tmp_path)
    assert main(arguments) == 0
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["resumed_at"] == [6]
    assert not kept.path.exists()


def test_a_breakdown_is_told_with_exit_code_1(sets: Path, tmp_path: Path) -> None:
    spec = tiny_spec(method="breaks_down")
    process = start_training(arguments_of(spec, tmp_path, sets, "--resume-every", "0"))
    process.join(60)
    assert process.exitcode == 1
    kept = resume_file(tmp_path / "resume", spec, Mixture(spec, sets).data_sha256)
    assert kept.read()["step"] == 3
    assert not (tmp_path / "checkpoint.safetensors").exists()


def step_of(state: ResumeFile) -> int:
    """Steps done in the saved state; 0 before the first."""
    content = state.read()
    return 0 if content is None else content["step"]


def wait_for(condition: Callable[[], bool], process: multiprocessing.Process) -> None:
    """Wait until a condition holds; a process that ends before fails the test."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.is_alive(), f"ended with {process.exitcode} too early"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("workers", "steps"), [("0", 300), ("1", 100)])
def test_a_signal_saves_the_state_and_the_same_command_goes_on(
    number: signal.Signals, workers: str, steps: int, sets: Path, tmp_path: Path
) -> None:
    spec = tiny_spec(steps=steps)
    arguments = arguments_of(spec, tmp_path, sets, "--workers", workers)
    state = resume_file(tmp_path / "resume", spec, Mixture(spec, sets).data_sha256)
    first = start_training([*arguments, "--resume-every", "0"])
    wait_for(state.path.exists, first)
    os.kill(first.pid, number)
    first.join(60)
    assert first.exitcode == 128 + number
    stopped_at = state.read()["step"]
    assert 0 < stopped_at < steps
    assert not (tmp_path / "checkpoint.safetensors").exists()
    second = start_training(arguments)
    second.join(60)
    assert second.exitcode == 0
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["resumed_at"] == [stopped_at]
    whole = start_training(arguments_of(spec, tmp_path / "whole", sets))
    whole.join(60)
    assert same_results(tmp_path, tmp_path / "whole")
    assert not list((tmp_path / "resume").iterdir())


def same_results(left: Path, right: Path) -> bool:
    """Whether two trainings left the same files, but for the time they took."""
    curves = []
    for folder in (left, right):
        with (folder / "curve.csv").open(newline="") as file:
            curves.append([row | {"seconds": ""} for row in csv.DictReader(file)])
    return curves[0] == curves[1] and all(
        (left / name).read_bytes() == (right / name).read_bytes()
        for name in ("checkpoint.safetensors", "representation.safetensors")
    )


@pytest.mark.slow
def test_ten_kills_at_random_moments_end_in_the_same_checkpoint(sets: Path, tmp_path: Path) -> None:
    spec = tiny_spec(steps=300)
    whole = start_training(arguments_of(spec, tmp_path / "whole", sets))
    whole.join(60)
    assert whole.exitcode == 0
    arguments = arguments_of(spec, tmp_path, sets, "--resume-every", "0")
    state = resume_file(tmp_path / "resume", spec, Mixture(spec, sets).data_sha256)
    draws, steps = random.Random(4), [0]
    for _ in range(10):
        process = start_training(arguments)
        # Some come while the process starts, most in the midst of a step or of a save.
        target = steps[-1] + draws.randrange(20)
        wait_for(lambda target=target: step_of(state) >= target, process)
        time.sleep(draws.uniform(0.0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        steps.append(step_of(state))
    assert steps == sorted(steps)
    assert len(set(steps)) > 5
    assert steps[-1] < 300
    last = start_training(arguments)
    last.join(60)
    assert last.exitcode == 0
    assert same_results(tmp_path, tmp_path / "whole")


def test_a_changed_spec_does_not_go_on_from_the_old_state(sets: Path, tmp_path: Path) -> None:
    spec = tiny_spec(steps=4)
    assert (
        resume_file(tmp_path, spec).path
        != resume_file(tmp_path, dataclasses.replace(spec, suite_seed=1)).path
    )
