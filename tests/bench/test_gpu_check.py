"""The check of a card, on the processor: what it compares, and how it fails."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from bench import gpu_check
from bench.gpu_check import Report, run_checks, teraflops
from ndr.method import Batch, RestorationError
from ndr.registry import method_class
from workflows.estimate.hours import GPU_CHECK, checked_card

CPU = torch.device("cpu")
FEW = ("dncnn", "edsr", "ffdnet", "identity", "ndr_restore")


@pytest.fixture(autouse=True)
def few_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "method_classes", lambda: map(method_class, FEW))


def test_a_device_that_computes_alike_passes() -> None:
    report = run_checks(CPU, "smoke", forms=False)
    assert report.problems == []
    for name in FEW:
        assert report.checks[f"forward {name}"]["largest_difference"] == 0
    assert {"training step fp32 edsr", "training step bf16 ndr_restore", "resume"} <= {
        *report.checks
    }
    assert "training step fp32 identity" not in report.checks


def test_a_device_that_computes_otherwise_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Batch.to

    def disturbed(batch: Batch, device: torch.device) -> Batch:
        there = original(batch, device)
        return dataclasses.replace(there, degraded=there.degraded + 0.1)

    monkeypatch.setattr(Batch, "to", disturbed)
    report = run_checks(CPU, "smoke", forms=False)
    assert "forward identity" in report.problems
    assert "differs by more than 0.002" in report.checks["forward identity"]["problem"]


def test_a_failure_is_written_down_and_the_others_go_on() -> None:
    report = Report("none", {})
    with report.check("first"):
        raise RuntimeError("CUDA error: out of memory\nmore")
    with report.check("second"):
        raise RestorationError("the program is not installed")
    with report.check("third") as found:
        found["value"] = 1
    assert report.problems == ["first"]
    assert report.checks["first"]["problem"] == "RuntimeError: CUDA error: out of memory"
    assert report.checks["second"]["left_out"] == "the program is not installed"
    assert report.checks["third"]["value"] == 1


def test_the_estimate_takes_the_rate(tmp_path: Path) -> None:
    assert checked_card(tmp_path) is None
    rate = teraflops(0.5)
    assert rate is not None
    assert teraflops(None) is None
    assert math.isclose(teraflops(0.25) or 0, 2 * rate)
    (tmp_path / GPU_CHECK).write_text(json.dumps({"card": "A card", "teraflops": rate}))
    card = checked_card(tmp_path)
    assert card is not None
    assert (card.label, card.teraflops) == ("A card", rate)
