"""Time and memory of the lean networks beside the straightforward formulation (`make bench`).

`python -m bench.ndr_step` runs one training step of both full networks on 1 x 3 x 128 x 128 and
restores a 480 x 320 image, in turns so that a busy machine slows all alike, and takes the best
of some rounds. Peak memory is that of a fresh process with one training step. The exit code is 1
where a ratio is above its limit; bfloat16 has none on a processor without instructions for it.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.straightforward_ndr import straightforward
from ndr.atomic_file import write_json
from ndr.method import SideInformation
from ndr.mixed_precision import autocast, multiplies_bfloat16
from ndr.network.method import NDRRestoreMethod
from ndr.records.provenance import Stopwatch, peak_memory_mib
from ndr.specs.typed_file import plain

PATCH = (1, 3, 128, 128)
IMAGE = (1, 3, 320, 480)
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Contender:
    """A formulation and a precision, with what it may take of the reference's time and memory."""

    name: str
    lean: bool
    bfloat16: bool = False
    time_limit: float | None = None
    memory_limit: float | None = None

    def create(self) -> NDRRestoreMethod:
        """Networks at the paper's size; equal weights for all contenders."""
        torch.manual_seed(0)
        method = NDRRestoreMethod()
        return method if self.lean else straightforward(method)

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which forward passes run."""
        return autocast("bf16" if self.bfloat16 else "fp32", torch.device("cpu"))

    def limit(self, measure: str) -> float | None:
        """Share of the reference's value; None for bfloat16 on a processor without it."""
        if self.bfloat16 and not multiplies_bfloat16():
            return None
        return self.memory_limit if "MiB" in measure else self.time_limit


REFERENCE = Contender("straightforward, fp32", lean=False)
CONTENDERS = (
    REFERENCE,
    Contender("lean, fp32", lean=True, time_limit=0.7, memory_limit=0.85),
    Contender("lean, bf16 autocast", lean=True, bfloat16=True, time_limit=0.5, memory_limit=0.5),
)


def images(shape: tuple[int, ...], seed: int) -> Tensor:
    """Random images in [0, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def training_step(method: NDRRestoreMethod, contender: Contender) -> float:
    """Forward and backward pass of both networks; returns the loss."""
    assert method.degradation is not None
    degraded, clean = images(PATCH, 1), images(PATCH, 2)
    method.zero_grad(set_to_none=True)
    with contender.precision():
        restored, degradations = method.restoration(degraded)
        again = method.degradation(clean, degradations)
        loss = (restored - clean).abs().mean() + (again - degraded).abs().mean()
    loss.backward()
    return loss.item()


@torch.no_grad()
def inference(method: NDRRestoreMethod, contender: Contender) -> Tensor:
    """Restore one image."""
    with contender.precision():
        return method(images(IMAGE, 3), SideInformation())


def check_equal(methods: dict[str, NDRRestoreMethod]) -> float:
    """Largest difference of outputs and of relative gradients between both formulations in fp32.

    Raises:
        RuntimeError: they differ by more than rounding.
    """
    outputs, gradients = [], []
    for contender in CONTENDERS[:2]:
        method = methods[contender.name]
        training_step(method, contender)
        gradients.append(
            {key: value.grad for key, value in method.named_parameters() if value.grad is not None}
        )
        with torch.no_grad():
            outputs.append(method(images(PATCH, 3), SideInformation()))
    difference = (outputs[0] - outputs[1]).abs().max().item()
    scale = max(gradient.abs().max().item() for gradient in gradients[0].values())
    for key, gradient in gradients[0].items():
        difference = max(difference, (gradient - gradients[1][key]).abs().max().item() / scale)
    if not difference < TOLERANCE:
        raise RuntimeError(
            f"the formulations differ by {difference:.2e}, expected less than {TOLERANCE}; "
            "a comparison of their speed would mean nothing"
        )
    return difference


def best_seconds(
    methods: dict[str, NDRRestoreMethod],
    work: Callable[[NDRRestoreMethod, Contender], object],
    rounds: tuple[int, int],
) -> dict[str, float]:
    """Shortest wall-clock time of each contender over rounds in which they take turns.

    Other work on the machine lengthens some turns and not others. The shortest time only gets
    truer with more rounds, for the reference as for the rest; so there are more, up to the second
    number of `rounds`, while a limit is missed.
    """
    best = {contender.name: float("inf") for contender in CONTENDERS}
    least, most = rounds
    for turn in range(most):
        for contender in CONTENDERS:
            start = time.perf_counter()
            work(methods[contender.name], contender)
            elapsed = time.perf_counter() - start
            best[contender.name] = min(best[contender.name], elapsed)
        if turn + 1 >= least and all(
            holds(best, contender, contender.limit("s")) for contender in CONTENDERS
        ):
            break
    return best


def holds(values: dict[str, float], contender: Contender, limit: float | None) -> bool:
    """Whether a contender stays below its share of the reference's value."""
    return limit is None or values[contender.name] <= limit * values[REFERENCE.name]


def peak_of_fresh_process(contender: Contender) -> float:
    """Peak memory in MiB of a new process that runs one training step."""
    command = [sys.executable, "-m", "bench.ndr_step", "--memory-of", contender.name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(result.stdout)


def verdicts(measure: str, values: dict[str, float]) -> tuple[list[tuple[str, ...]], bool]:
    """Rows of the printed table for one measure, and whether all its limits hold."""
    rows: list[tuple[str, ...]] = []
    within = True
    for contender in CONTENDERS:
        value = values[contender.name]
        limit = contender.limit(measure)
        good = holds(values, contender, limit)
        within = within and good
        verdict = "" if limit is None else f"<= {limit}: {'holds' if good else 'MISSED'}"
        ratio = value / values[REFERENCE.name]
        rows.append((measure, contender.name, f"{value:.2f}", f"{ratio:.2f}", verdict))
    return rows, within


def table(rows: list[tuple[str, ...]]) -> str:
    """Measure, formulation, value, ratio to the reference, limit: columns of fixed width."""
    widths = (24, 21, 8, 5, 16)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> int:
    """Measure, print a table, and say whether the limits hold."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.ndr_step", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument(
        "--most-rounds", type=int, default=9, help="turns while a limit is missed (busy machine)"
    )
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of is not None:
        contender = next(c for c in CONTENDERS if c.name == arguments.memory_of)
        training_step(contender.create(), contender)
        print(peak_memory_mib())
        return 0

    stopwatch = Stopwatch()
    measured: dict[str, dict[str, float]] = {}
    failed = False

    def report(measure: str, values: dict[str, float]) -> None:
        nonlocal failed
        measured[measure] = values
        rows, within = verdicts(measure, values)
        failed = failed or not within
        print(table(rows), flush=True)

    memory = {contender.name: peak_of_fresh_process(contender) for contender in CONTENDERS}
    report("training step, peak MiB", memory)
    methods = {contender.name: contender.create() for contender in CONTENDERS}
    difference = check_equal(methods)
    print(f"{torch.get_num_threads()} threads; largest difference {difference:.1e}", flush=True)
    rounds = (arguments.rounds, max(arguments.rounds, arguments.most_rounds))
    report("training step, s", best_seconds(methods, training_step, rounds))
    report("480x320 image, s", best_seconds(methods, inference, rounds))
    if arguments.out is not None:
        facts = {**stopwatch.facts(), "measured": measured, "limits_hold": not failed}
        write_json(arguments.out, plain(facts))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
