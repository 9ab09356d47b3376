"""Trains runs, checks them on validation images, packs them: several at a time, ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from ndr.metrics.metric import MAIN
from ndr.model_cards import OVERVIEW
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.per_image import read_evaluation
from ndr.records.record import ResultFileError
from ndr.registry import method_class
from ndr.shipped_weights import INDEX, ShippedWeightsError, pack
from ndr.source_fingerprint import source_fingerprint
from ndr.specs.run_spec import EvaluationSpec, NoiseSpec, RunSpec, TestSetSpec
from workflows import SETS
from workflows.job_lines import job_label
from workflows.kept_progress import KeptProgress
from workflows.planning import Plan
from workflows.report_parts import is_represented
from workflows.rows import input_row
from workflows.snakemake_child import run_snakemake

VALIDATION_IMAGES = 16
"""Of each validation set, in the order of its manifest."""
VALIDATION_CROP = 256
PROTOCOL = "ndr"
SCORED = ("run", "input")
EXPECTED_ERRORS = (ShippedWeightsError, ResultFileError, OSError, RuntimeError, ValueError)
"""Of one run; the others go on."""
Result = TypeVar("Result")


def validation_test_sets(spec: RunSpec, plan: Plan) -> tuple[TestSetSpec, ...]:
    """Validation images of each task of a training, of each noise level one set."""
    test_sets = []
    for task in spec.setting.tasks:
        # Where the size is halved too, the noise is in the set.
        small = spec.setting.scale > 1 and not task.name.endswith("_x2")
        name = plan.tier.validation_sets[f"{task.name}_x2" if small else task.name]
        sigmas = task.noise.sigmas if task.noise and not small else (None,)
        for sigma in sigmas:
            noise = None if sigma is None else NoiseSpec((sigma,), plan.config.noise_variant)
            label = task.name if sigma is None else f"{task.name}_{sigma:g}"
            test_sets.append(
                TestSetSpec(
                    name=label,
                    task=task.name,
                    set=name,
                    set_sha256=plan.rows.catalogue.identity(name, plan.config.suite_seed),
                    noise=noise,
                    crop=VALIDATION_CROP,
                    first_images=VALIDATION_IMAGES,
                )
            )
    return tuple(test_sets)


class Trainer:
    """Trains, checks and packs; its children are ended with it.

    Args:
        plan: of the tier that is trained at.
        weights: the folder of what is shipped.
        commit: whether each packed run is committed.
        runs: how many will be trained.
    """

    def __init__(self, plan: Plan, weights: Path, commit: bool, runs: int) -> None:
        self.plan = plan
        self.weights = weights
        self.commit = commit
        self.ended = threading.Event()
        self.results = Path("results") / plan.config.tier
        self.logs = Path("logs") / plan.config.tier
        self.progress = KeptProgress(self.logs / "progress.json", runs)
        self._children: set[subprocess.Popen[bytes]] = set()
        self._packing = threading.Lock()

    def end(self) -> None:
        """Ask the trainings to save their state and end."""
        self.ended.set()
        for child in list(self._children):
            child.send_signal(signal.SIGTERM)

    def train(self, spec: RunSpec) -> str:
        """Train one run, check it and pack it; returns a line on how it went."""
        began = time.monotonic()
        if problem := self.trained(spec):
            return problem
        scores = self.validated(spec)
        text = gains_text(gains := gains_of(scores))
        if min(gains.values()) <= 0:
            worse = "its input is better on a validation set"
            if all(gain <= 0 for gain in gains.values()):
                return f"{spec.run}: NOT SHIPPED, {worse}: {text} dB"
            text += f" ({worse})"
        with self._packing:
            pack(
                self._folder(spec),
                self.weights,
                scores["run"],
                scores["input"],
                whole=is_represented(self.plan, spec),
            )
            if self.commit:
                commit_run(self.weights, spec.run, text)
        minutes = (time.monotonic() - began) / 60
        return f"{spec.run}: {minutes:.0f} min, gains in dB: {text}"

    def _folder(self, spec: RunSpec) -> Path:
        return self.results / "runs" / spec.run

    def trained(self, spec: RunSpec) -> str:
        """Train one run to its end; returns why that did not work, empty where it did."""
        folder = self._folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        fingerprint = source_fingerprint("ndr.train", method_class(spec.method).__module__)
        command = ["ndr.train", "--spec-json", spec.canonical_json()]
        command += ["--source-fingerprint", fingerprint, "--sets", SETS, "--resume", "resume"]
        command += ["--checkpoint", str(folder / "checkpoint.safetensors")]
        command += ["--curve", str(folder / "curve.csv")]
        command += ["--representation", str(folder / "representation.safetensors")]
        command += ["--provenance", str(folder / "provenance.json")]
        needed = not (self.ended.is_set() or _is_trained(folder / "checkpoint.safetensors", spec))
        code = self._run(command, self.logs / "train" / f"{spec.run}.log") if needed else 0
        if self.ended.is_set():
            return f"{spec.run}: stopped; the same command goes on"
        if code:
            return (
                f"{spec.run}: FAILED with exit code {code}; see logs/{self.plan.config.tier}/train"
            )
        return ""

    def validated(self, spec: RunSpec) -> dict[str, dict[str, float]]:
        """PSNR of a trained run and of its degraded input (`SCORED`), by validation set.

        Raises:
            RuntimeError: it could not be scored.
        """
        test_sets = validation_test_sets(spec, self.plan)
        control = input_row(spec.setting.scale)
        arguments = self.plan.evaluations[self.plan.rows.run_of(control, 0)].arguments
        folder = self.results / "validation" / spec.run
        command = ["ndr.evaluate", "--sets", SETS]
        networks = (
            (spec.method, spec.arguments, spec),
            (control.method, arguments, None),
        )
        for key, (method, given, training) in zip(SCORED, networks, strict=True):
            evaluation = EvaluationSpec(
                tier=self.plan.config.tier,
                run=spec.run,
                method=method,
                arguments=dict(given),
                training_sha256=training.sha256() if training else None,
                training_run=training.run if training else None,
                test_sets=test_sets,
                protocols=(PROTOCOL,),
                suite_seed=self.plan.config.suite_seed,
                pictures=0,
            )
            command += ["--spec-json", evaluation.canonical_json()]
            command += ["--out", str(folder / key / "per_image.csv")]
            command += ["--pictures", str(folder / key / "pictures")]
            command += ["--provenance", str(folder / key / "provenance.json")]
            if training is not None:
                command += ["--checkpoint", str(self._folder(spec) / "checkpoint.safetensors")]
        code = self._run(command, self.logs / "validation" / f"{spec.run}.log")
        if code:
            raise RuntimeError(f"{spec.run}: its validation failed with exit code {code}")
        return {key: _mean_psnr(folder / key / "per_image.csv", spec.run) for key in SCORED}

    def _run(self, command: Sequence[str], log_file: Path) -> int:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        threads = {"OMP_NUM_THREADS": str(self.plan.tier.cpu_threads)}
        label = job_label(f"{log_file.parent.name}_run", {"run": log_file.stem}, [""])
        with log_file.open("ab") as file, self.progress.running(label, log_file):
            child = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **threads},
                start_new_session=True,
            )
            self._children.add(child)
            try:
                return child.wait()
            finally:
                self._children.discard(child)


def gains_of(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What `Trainer.validated` found over the degraded input, in dB by validation set."""
    return {name: value - scores["input"][name] for name, value in scores["run"].items()}


def gains_text(gains: Mapping[str, float]) -> str:
    """In one line.

    >>> gains_text({"rain": 2.194, "haze": -0.1})
    'rain +2.19, haze -0.10'
    """
    return ", ".join(f"{name} {gain:+.2f}" for name, gain in gains.items())


def _mean_psnr(path: Path, run: str) -> dict[str, float]:
    """By test set."""
    return {
        series.test_set: statistics.fmean(values.values())
        for series, values in read_evaluation(path, run).series.items()
        if series.metric == MAIN
    }


def _is_trained(checkpoint: Path, spec: RunSpec) -> bool:
    """Whether a training was finished, and only its check or its packing was interrupted."""
    try:
        return CheckpointHeader.read(checkpoint).spec_sha256 == spec.sha256()
    except (FileNotFoundError, ResultFileError):
        return False


def commit_run(weights: Path, run: str, text: str) -> None:
    """Commit a packed run, unless it is: hours of training are safe as soon as they are done."""
    files = [str(weights / name) for name in (f"{run}.safetensors", f"{run}.md", INDEX, OVERVIEW)]
    subprocess.run(["git", "add", "--", *files], check=True)
    unchanged = ["git", "diff", "--cached", "--quiet", "HEAD", "--", *files]
    if subprocess.run(unchanged, check=False).returncode == 0:
        return
    message = f"Ship the trained network {run}\n\nGains on validation images in dB: {text}."
    subprocess.run(["git", "commit", "--quiet", "-m", message, "--", *files], check=True)


@contextlib.contextmanager
def ending(trainer: Trainer) -> Iterator[None]:
    """SIGINT and SIGTERM end the trainings, which save their states."""
    previous = {
        number: signal.signal(number, lambda *_: trainer.end())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def completed(
    trainer: Trainer, specs: Sequence[RunSpec], cores: int, work: Callable[[RunSpec], Result]
) -> Iterator[tuple[RunSpec, Result]]:
    """Runs and what `work` made of them, as they end, so many at a time; progress counts them."""

    def counted(spec: RunSpec) -> tuple[RunSpec, Result]:
        began = time.monotonic()
        try:
            return spec, work(spec)
        finally:
            if not trainer.ended.is_set():
                trainer.progress.count(time.monotonic() - began)

    with ending(trainer), ThreadPoolExecutor(cores) as pool:
        for job in as_completed([pool.submit(counted, spec) for spec in specs]):
            yield job.result()
    if not trainer.ended.is_set():
        trainer.progress.finish()


def prepare_sets(specs: Sequence[RunSpec], plan: Plan, mirrors: Sequence[str]) -> None:
    """Prepare training and validation sets by Snakemake.

    Raises:
        SnakemakeError: it failed and has said why, or it was ended.
    """
    sets = {name for spec in specs for name in spec.sets}
    sets |= {test.set for spec in specs for test in validation_test_sets(spec, plan)}
    missing = [f"{SETS}/{name}/manifest.csv" for name in sorted(sets)]
    config = [f"tier={plan.config.tier}", f"data_mirrors={list(mirrors)!r}"]
    run_snakemake(["--cores", "1", *missing, "--config", *config], quiet=True)
