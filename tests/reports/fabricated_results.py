"""Small result folders with values that a reader can average in the head."""

from __future__ import annotations

import csv
import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan

NOISE, RAIN, HAZE = "photographs_sigma25", "photographs_rain", "photographs_haze"
INPUT, TRUTH = "identity__no_training__seed_0", "oracle__no_training__seed_0"
NDR, NAFNET = "ndr_restore__noise_rain__seed_0", "nafnet__noise_rain__seed_0"
PROTOCOLS = ("ndr", "airnet")
HEADER = ["run", "test_set", "image", "scene", "protocol", "metric", "value"]
STARTED = "2026-01-02T03:04:05+00:00"
FACTS = {
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "modified": False,
    "command": "python -m ndr.evaluate",
    "started": STARTED,
    "wall_seconds": 7.5,
    "versions": {"python": "3.11.2", "torch": "2.14.1"},
    "hardware": {"processor": "A Processor", "cores": 2, "system": "Linux 6", "gpus": []},
}

Values = Mapping[str, Mapping[str, float]]
"""PSNR per image per test set; the SSIM is the PSNR divided by 100."""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def lines_of(run: str, psnr: Values, protocols: Iterable[str] = PROTOCOLS) -> list[list[str]]:
    """Lines of `per_image.csv`; each further protocol adds 1 dB and 0.01."""
    return [
        [run, test_set, image, image, protocol, metric, repr(value)]
        for test_set, images in psnr.items()
        for image, decibel in images.items()
        for offset, protocol in enumerate(protocols)
        for metric, value in (
            ("PSNR", decibel + offset),
            ("SSIM", min(1.0, decibel / 100 + offset / 100)),
        )
    ]


def write_lines(
    results: Path, run: str, lines: list[list[str]], header: list[str] = HEADER
) -> Path:
    path = results / "evaluations" / run / "per_image.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
    return path


def write_evaluation(
    results: Path,
    run: str,
    psnr: Values,
    *,
    lines: list[list[str]] | None = None,
    n_total: int | None = None,
    training: str | None = None,
    **facts: object,
) -> Path:
    """Write values and provenance of an evaluation; returns the path of the values."""
    path = write_lines(results, run, lines_of(run, psnr) if lines is None else lines)
    provenance = {
        **FACTS,
        "run": run,
        "source": "retrained" if training else "no_training",
        "evaluation_sha256": sha("evaluation " + run),
        "training_run": run if training else None,
        "training_sha256": training,
        "checkpoint_sha256": sha("checkpoint") if training else None,
        "parameters": 1234,
        "images": {name: [len(images), n_total or len(images)] for name, images in psnr.items()},
        "protocols": list(PROTOCOLS),
        "tiling": None,
        **facts,
    }
    (path.parent / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    return path


def write_training(results: Path, run: str, *, done: int = 20, planned: int = 20, **facts) -> str:
    """Write provenance, curve and the header of a checkpoint; returns the hash of the spec."""
    folder = results / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    spec = sha("training " + run)
    provenance = {
        **FACTS,
        "run": run,
        "spec_sha256": spec,
        "source_fingerprint": "0123456789abcdef",
        "steps_done": done,
        "steps_planned": planned,
        "parameters": 1234,
        "wall_seconds": 30.25,
        **facts,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    curve = ["step,learning_rate,restore,total,gradient_norm,seconds"]
    curve += [f"{step},0.001,{1 / step},{2 / step},1.0,{step}" for step in range(1, done + 1)]
    (folder / "curve.csv").write_text("\n".join(curve) + "\n", encoding="utf-8")
    content = {"setting": {"balance": "task_uniform"}, "recipe": {"batch": 6, "patch": 48}}
    header = json.dumps({"__metadata__": {"ndr": json.dumps({"spec": content})}}).encode()
    (folder / "checkpoint.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    return spec


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
