"""`make trained-weights`: train, check on validation images, pack, commit; then tables take it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ndr.model_cards import OVERVIEW
from ndr.records.provenance import EvaluationProvenance
from ndr.shipped_weights import INDEX, ShippedWeights
from tests.project_copy import PROGRAM, copy_project, run_in, succeeded
from workflows.job_lines import WorkflowProgress
from workflows.planned_trainings import planned_trainings
from workflows.trainer import Trainer

pytestmark = pytest.mark.slow
RUN = "ffdnet__denoise__seed_0"
COMMAND = (sys.executable, "-m", "workflows.trained_weights", "--commit")


def project(folder: Path, steps: int) -> Path:
    """A copy whose tier `smoke` is what is trained and shipped, with one network to train."""
    copy_project(folder, (*PROGRAM, ".gitignore"))
    tier = folder / "config" / "tiers" / "smoke.yaml"
    content = yaml.safe_load(tier.read_text(encoding="utf-8"))
    content["recipe"] |= {"steps": steps, "learning_rate": 2e-3}
    content["validation_sets"] = {"noise": "photographs_test"}
    tier.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    group = {"tables": ["table_01"], "methods": ["ffdnet"], "seeds": [0]}
    trainings = yaml.safe_dump({"tier": "smoke", "order": [group]})
    (folder / "config" / "trainings.yaml").write_text(trainings, encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "A Tester")
    git(folder, "config", "user.email", "tester@example.org")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def git(folder: Path, *arguments: str) -> list[str]:
    """Lines that git prints."""
    printed = subprocess.run(
        ("git", *arguments), cwd=folder, check=True, capture_output=True, text=True
    )
    return printed.stdout.splitlines()


def test_a_trained_run_is_packed_committed_and_taken(tmp_path: Path) -> None:
    folder = project(tmp_path, steps=60)
    printed = succeeded(folder, run_in(folder, COMMAND))
    assert f"[1/1] {RUN}: " in printed
    progress = WorkflowProgress.read(folder / "logs" / "smoke" / "progress.json")
    assert (progress.done, progress.total, progress.running) == (1, 1, ())
    assert progress.finished is not None
    assert git(folder, "log", "--format=%s") == [f"Ship the trained network {RUN}", "Begin"]
    shipped = ShippedWeights.of(folder / "weights")
    (entry,) = shipped.files.values()
    assert (entry.run, shipped.problem(entry)) == (RUN, "")
    overview = (folder / "weights" / OVERVIEW).read_text(encoding="utf-8")
    assert f"]({RUN}.md) | 0 |" in overview
    assert not git(folder, "status", "--porcelain", "--", "weights")
    assert "0 runs to train" in succeeded(folder, run_in(folder, COMMAND))
    # What another machine has trained is taken from its folder, and committed alike.
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder / "weights", elsewhere)
    git(folder, "commit", "--quiet", "--all", "--message", "Forget")
    printed = succeeded(folder, run_in(folder, (*COMMAND, "--take-from", str(elsewhere))))
    assert f"{RUN}: taken from {elsewhere}, gains in dB: noise_15 " in printed
    assert "0 runs to train" in printed
    assert not git(folder, "status", "--porcelain", "--", "weights")
    for name in (entry.file, OVERVIEW, INDEX, f"{RUN}.md"):
        assert (folder / "weights" / name).read_bytes() == (elsewhere / name).read_bytes()
    # What is committed already is no error.
    (folder / "weights" / INDEX).unlink()
    commits = git(folder, "log", "--format=%H")
    succeeded(folder, run_in(folder, (*COMMAND, "--take-from", str(elsewhere), "--limit", "0")))
    assert git(folder, "log", "--format=%H") == commits
    refused = run_in(folder, (*COMMAND, "--limit", "-1"))
    assert refused.returncode == 2
    assert "expected a number of at least 0, found '-1'" in refused.stderr
    refused = run_in(folder, (*COMMAND, "--take-from", str(tmp_path / "nowhere")))
    assert refused.returncode == 2
    assert "expected shipped weights with their index.json in" in refused.stderr
    # Ended between training and packing, it is packed without another training.
    packed = (folder / "weights" / entry.file).read_bytes()
    shutil.rmtree(folder / "weights")
    log = folder / "logs" / "smoke" / "train" / f"{RUN}.log"
    before = log.read_bytes()
    assert f"[1/1] {RUN}: " in succeeded(folder, run_in(folder, COMMAND[:-1]))
    assert log.read_bytes() == before
    assert (folder / "weights" / entry.file).read_bytes() == packed
    for path in (folder / "results" / "smoke" / "runs" / RUN).iterdir():
        path.unlink()
    target = f"results/smoke/evaluations/{RUN}/per_image.csv"
    succeeded(
        folder,
        run_in(
            folder,
            ("snakemake", "--cores", "1", target, "--config", "tier=smoke", "sources=shipped"),
        ),
    )
    provenance = folder / "results" / "smoke" / "evaluations" / RUN / "provenance.json"
    assert EvaluationProvenance.read(provenance).source == "shipped"


def test_a_stopped_training_goes_on(tmp_path: Path) -> None:
    folder = project(tmp_path, steps=100_000)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    paths = {"PYTHONPATH": str(folder), "PATH": path}
    with (folder / "printed").open("wb") as file:
        child = subprocess.Popen(
            COMMAND, cwd=folder, env={**os.environ, **paths}, stdout=file, stderr=subprocess.STDOUT
        )
        log = folder / "logs" / "smoke" / "train" / f"{RUN}.log"
        deadline = time.monotonic() + 1800  # a guard against hanging; the cores are shared
        while time.monotonic() < deadline and child.poll() is None:
            if log.is_file() and " step " in log.read_text(encoding="utf-8"):
                break
            time.sleep(0.2)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=600) == 1
    printed = (folder / "printed").read_text(encoding="utf-8")
    assert f"{RUN}: stopped; the same command goes on" in printed
    assert list((folder / "resume").glob("*"))
    assert not (folder / "weights").exists()


def test_rates_are_tried_on_validation_images(tmp_path: Path) -> None:
    """Each rate is trained once and measured; nothing is packed; the better rate stands first."""
    folder = project(tmp_path, steps=60)
    command = (sys.executable, "-m", "workflows.learning_rates", "--runs", RUN, "--steps", "40")
    given = (*command, "--rates", "0.5", "1e-5")
    printed = succeeded(folder, run_in(folder, given))
    better, worse = [line for line in printed.splitlines() if line.startswith("ffdnet ")]
    assert better.split()[:3] == ["ffdnet", "1e-05", "mean"]
    assert worse.split()[:3] == ["ffdnet", "0.5", "mean"]
    assert "noise_25 " in better
    logs = sorted((folder / "logs" / "smoke" / "train").iterdir())
    before = [log.read_bytes() for log in logs]
    assert len(logs) == 2
    assert better in succeeded(folder, run_in(folder, given))
    assert [log.read_bytes() for log in logs] == before, "what was trained was trained again"
    assert not (folder / "weights").exists()
    assert git(folder, "log", "--format=%s") == ["Begin"]
    unknown = run_in(folder, (*command[:-3], "ffdnet__denoise__seed_7"))
    assert unknown.returncode == 2
    assert RUN in unknown.stderr


def test_none_begins_after_the_end_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, (spec, *_) = planned_trainings()
    monkeypatch.chdir(tmp_path)
    trainer = Trainer(plan, tmp_path / "weights", False, 1)
    trainer.end()
    assert trainer.trained(spec) == f"{spec.run}: stopped; the same command goes on"
    assert not (trainer.logs / "train").exists(), "a training was begun"
