"""Small result folders with values that a reader can average in the head."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors.numpy import save_file

from ndr.atomic_file import write_text
from ndr.records.checkpoint_header import METADATA_KEY
from ndr.records.per_image import COLUMNS, ImageScore, scores_text
from ndr.records.provenance import (
    EvaluationProvenance,
    Hardware,
    TrainingProvenance,
    evaluation_folder,
    file_sha256,
    run_folder,
)
from ndr.specs.run_spec import RunSpec
from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan
from ndr.specs.typed_file import canonical_json, plain
from ndr.training.resume_state import Curve
from tests.run_headers import header, run_spec

NOISE, RAIN, HAZE = "photographs_sigma25", "photographs_rain", "photographs_haze"
INPUT, TRUTH = "identity__no_training__seed_0", "oracle__no_training__seed_0"
NDR, NAFNET = "ndr_restore__noise_rain__seed_0", "nafnet__noise_rain__seed_0"
PROTOCOLS = ("ndr", "airnet")
STARTED = "2026-01-02T03:04:05+00:00"
FACTS: dict[str, Any] = {
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "modified": False,
    "command": "python -m ndr.evaluate",
    "started": STARTED,
    "wall_seconds": 7.5,
    "processor_seconds": 7.0,
    "peak_memory_mib": 100.0,
    "versions": {"python": "3.11.2", "torch": "2.14.1"},
    "hardware": Hardware(processor="A Processor", cores=2, system="Linux 6", gpus=()),
    "precision": "fp32",
    "device": "cpu",
}
"""What every job says of itself."""

Values = Mapping[str, Mapping[str, float]]
"""PSNR per image per test set; the SSIM is the PSNR divided by 100."""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def scores_of(run: str, psnr: Values, protocols: Iterable[str] = PROTOCOLS) -> list[ImageScore]:
    """Rows of `per_image.csv`; each further protocol adds 1 dB and 0.01."""
    return [
        ImageScore(run, test_set, image, image, protocol, metric, value)
        for test_set, images in psnr.items()
        for image, decibel in images.items()
        for offset, protocol in enumerate(protocols)
        for metric, value in (
            ("PSNR", decibel + offset),
            ("SSIM", min(1.0, decibel / 100 + offset / 100)),
        )
    ]


def lines_of(run: str, psnr: Values, protocols: Iterable[str] = PROTOCOLS) -> list[list[str]]:
    """The same rows as text, to be spoiled."""
    scores = scores_of(run, psnr, protocols)
    return [[*dataclasses.astuple(score)[:-1], repr(score.value)] for score in scores]


def bind(path: Path) -> Path:
    """Let the provenance beside `per_image.csv` name what stands in it now."""
    beside = path.with_name("provenance.json")
    if beside.is_file():
        job = EvaluationProvenance.read(beside)
        dataclasses.replace(job, scores_sha256=file_sha256(path)).write(beside)
    return path


def write_lines(
    results: Path, run: str, lines: list[list[str]], header: Iterable[str] = COLUMNS
) -> Path:
    """Lines as they are, for files that no writer of the suite would write."""
    path = evaluation_folder(results, run) / "per_image.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
    return bind(path)


def evaluation_record(
    run: str, psnr: Values, n_total: int | None = None, training: str | None = None, **facts: object
) -> EvaluationProvenance:
    """Provenance of an evaluation; `training` is the hash of the run spec behind it."""
    content = {
        **FACTS,
        "run": run,
        "source": "retrained" if training else "no_training",
        "official_weights": None,
        "evaluation_sha256": sha("evaluation " + run),
        "training_run": run if training else None,
        "training_sha256": training,
        "checkpoint_sha256": sha("checkpoint") if training else None,
        "parameters": 1234,
        "images": {name: (len(images), n_total or len(images)) for name, images in psnr.items()},
        "failures": {},
        "protocols": PROTOCOLS,
        "protocol_versions": {},
        **facts,
    }
    return EvaluationProvenance.of_content(plain(content))


def write_evaluation(
    results: Path,
    run: str,
    psnr: Values,
    *,
    lines: list[list[str]] | None = None,
    **facts: Any,
) -> Path:
    """Write values and provenance of an evaluation; returns the path of the values."""
    folder = evaluation_folder(results, run)
    evaluation_record(run, psnr, **facts).write(folder / "provenance.json")
    if lines is not None:
        return write_lines(results, run, lines)
    write_text(folder / "per_image.csv", scores_text(scores_of(run, psnr)))
    return bind(folder / "per_image.csv")


def training_record(
    run: str, done: int = 20, planned: int = 20, **facts: object
) -> TrainingProvenance:
    """Provenance of a training."""
    content = {
        **FACTS,
        "run": run,
        "spec_sha256": sha("training " + run),
        "source_fingerprint": "0123456789abcdef",
        "data_sha256": sha("images"),
        "steps_done": done,
        "steps_planned": planned,
        "parameters": 1234,
        "wall_seconds": 30.25,
        "processes": 1,
        "workers": 0,
        "energy_joules": None,
        "seconds_per_step": 1.5,
        "resumed_at": [],
        "final_losses": {"total": 0.1},
        "cpu_threads": 1,
        **facts,
    }
    return TrainingProvenance.of_content(plain(content))


def write_checkpoint(results: Path, run: str, spec: RunSpec) -> None:
    """A checkpoint without weights."""
    folder = run_folder(results, run)
    folder.mkdir(parents=True, exist_ok=True)
    text = canonical_json(header(spec, run, sha("training " + run)).content())
    save_file({}, folder / "checkpoint.safetensors", metadata={METADATA_KEY: text})


def write_training(results: Path, run: str, **facts: Any) -> str:
    """Write provenance, curve and the header of a checkpoint; returns the hash of the spec."""
    folder = run_folder(results, run)
    record = training_record(run, **facts)
    record.write(folder / "provenance.json")
    curve = Curve(record.steps_done)
    for step in range(1, record.steps_done + 1):
        losses = {"restore": 1 / step, "total": 2 / step, "gradient_norm": 1.0}
        curve.add(step, 0.001, losses, step)
    curve.write(folder / "curve.csv")
    write_checkpoint(results, run, run_spec())
    return sha("training " + run)


def write_trained(results: Path, run: str, psnr: Values, **facts) -> Path:
    """A training and its evaluation."""
    return write_evaluation(results, run, psnr, training=write_training(results, run), **facts)


def write_picture(results: Path, run: str, test_set: str, image: str, grey: int = 100) -> Path:
    path = results / "evaluations" / run / "pictures" / test_set / f"{image}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (600, 300), (grey, grey, 30)).save(path)
    return path


def row(
    run: str | None, method: str, columns: Iterable[str] = (NOISE, RAIN), **facts: str
) -> PlannedRow:
    return PlannedRow(
        block=facts.pop("block", "noise+rain"),
        label=facts.pop("label", method),
        paper_method=method,
        run=run,
        columns=tuple(columns),
        reason="" if run else "not yet in the suite",
    )


def plan(rows: Iterable[PlannedRow], **facts: object) -> TablePlan:
    """Table V with three of its columns."""
    content = {
        "name": "table_05",
        "label": "Table V",
        "title": "All-in-one restoration",
        "tier": "quick",
        "metrics": ("PSNR", "SSIM"),
        "protocol": "ndr",
        "columns": (
            PlannedColumn(NOISE, "Noise, sigma = 25", "BSD68_sigma25"),
            PlannedColumn(RAIN, "Rain", "Rain100L"),
            PlannedColumn(HAZE, "Haze", "SOTS"),
        ),
        "rows": tuple(rows),
        "degraded_input_run": INPUT,
        "average": True,
        "paper_values": "table05.csv",
        "notes": ("A note.",),
    }
    return TablePlan(**{**content, **facts})


def write_standard(results: Path) -> TablePlan:
    """Input, NDR-Restore and NAFNet on noise and rain, AirNet not in the suite."""
    write_evaluation(
        results,
        INPUT,
        {NOISE: {"a": 20.0, "b": 21.0}, RAIN: {"a": 25.0, "b": 26.0}, HAZE: {"a": 15.0, "b": 16.0}},
    )
    write_trained(results, NDR, {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}})
    write_trained(results, NAFNET, {NOISE: {"a": 29.0, "b": 29.5}, RAIN: {"a": 25.0, "b": 25.5}})
    return plan([row(NAFNET, "NAFNet"), row(None, "AirNet"), row(NDR, "NDR-Restore")])
