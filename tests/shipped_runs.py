"""Shipped runs as the suite writes them, of trainings that never took place."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from ndr.checkpoint import write_checkpoint
from ndr.method import Method
from ndr.records.provenance import Stopwatch, TrainingProvenance
from ndr.records.shipped_weights import ShippedFile
from ndr.registry import create
from ndr.shipped_weights import pack
from ndr.specs.run_spec import RunSpec
from tests.run_headers import header

CURVE = "step,learning_rate,total,seconds\n1,0.001,0.5,0.1\n20,0.0,0.25,2.0\n"


def network(spec: RunSpec, seed: int = 3) -> Method:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return create(spec.method, "smoke", **spec.changes)


def trained(folder: Path, spec: RunSpec) -> Path:
    """The four files that a training leaves."""
    run = folder / "runs" / spec.run
    method = network(spec)
    write_checkpoint(run / "checkpoint.safetensors", method, header(spec))
    (run / "curve.csv").write_text(CURVE, encoding="utf-8")
    representation = method.representation()
    taken = torch.zeros(0) if representation is None else torch.stack([representation] * 2)
    steps = torch.tensor([0, 20] if representation is not None else [], dtype=torch.int64)
    save_file({"steps": steps, "D": taken}, run / "representation.safetensors")
    TrainingProvenance(
        **Stopwatch().facts("python -m ndr.train"),
        run=spec.run,
        spec_sha256=spec.sha256(),
        source_fingerprint="0123456789abcdef",
        data_sha256="d" * 64,
        steps_done=20,
        steps_planned=20,
        parameters=1234,
        device="cpu",
        processes=1,
        workers=0,
        energy_joules=None,
        seconds_per_step=0.25,
        resumed_at=(),
        final_losses={"total": 0.25},
        precision="fp32",
        cpu_threads=1,
    ).write(run / "provenance.json")
    return run


def shipped(folder: Path, spec: RunSpec, *, whole: bool = False) -> ShippedFile:
    validation, degraded = {"noise_25": 30.125, "rain": 27.5}, {"noise_25": 20.0, "rain": 26.0}
    return pack(trained(folder, spec), folder / "weights", validation, degraded, whole=whole)
