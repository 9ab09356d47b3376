"""What a card does with the suite: `make gpu-check`, ten minutes on a card, written as JSON.

Every method forward on the card beside the processor, a training step each in fp32 and bf16, one
that is stopped and goes on, all cards together, the energy counter, and time and memory of
NDR-Restore at the paper's size in several forms. A check that fails is written down with its
reason, and the others go on; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from bench.straightforward_ndr import straightforward
from ndr.atomic_file import write_json
from ndr.device import DeviceError, chosen_device, lay_out_channels_last
from ndr.method import Batch, Method, RestorationError, SideInformation, TrainingContext
from ndr.network.method import NDRRestoreMethod
from ndr.records.provenance import hardware
from ndr.registry import create, method_arguments, method_classes
from ndr.training.progress import EnergyMeter
from workflows.estimate.hours import GPU_CHECK, count_step, read_assumptions

BOUND = 2e-3
"""Largest difference of a restored pixel on the card from that on the processor, of 1."""
LOSS_BOUND = {torch.float32: 1e-2, torch.bfloat16: 1e-1}
"""Largest relative difference of a first loss from that on the processor in fp32."""
SIDE = 64
PATCH, BATCH = 128, 4
"""Of the paper's training step."""
STEPS = 10
COMPILED = "lean, torch.compile"


@dataclass
class Report:
    """What was found, as it is written."""

    card: str
    machine: dict[str, Any]
    teraflops: float | None = None
    """Counted operations of a training step of the paper per second, 10^12: the estimate's rate."""
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextlib.contextmanager
    def check(self, name: str) -> Iterator[dict[str, Any]]:
        """One check: what the block puts into the dictionary, and whether it came to its end."""
        found: dict[str, Any] = {}
        start = time.monotonic()
        try:
            yield found
        except RestorationError as error:  # a program that is not installed
            found["left_out"] = str(error)
        except Exception as error:  # whatever a card or its driver does: the other checks go on
            traceback.print_exc()
            found["problem"] = f"{type(error).__name__}: {error}".splitlines()[0]
        found["seconds"] = round(time.monotonic() - start, 2)
        self.checks[name] = found
        verdict = found.get("problem", found.get("left_out", "well"))
        print(f"{name}: {verdict} ({found['seconds']} s)", flush=True)

    @property
    def problems(self) -> list[str]:
        """Names of the checks that did not come to their end."""
        return [name for name, found in self.checks.items() if "problem" in found]


def require(well: bool, message: str) -> None:
    """Raise `ValueError` with the message unless all is well."""
    if not well:
        raise ValueError(message)


def noisy_batch(method: Method, side: int, batch: int) -> Batch:
    """Random patches with noise of sigma 25, on the CPU."""
    generator = torch.Generator().manual_seed(1)
    clean = torch.rand(batch, 3, side, side, generator=generator)
    degraded = clean + torch.randn(clean.shape, generator=generator) * 25 / 255
    if method.scale > 1:
        degraded = F.avg_pool2d(degraded, method.scale)
    return Batch(degraded, clean, ("noise",) * batch, torch.full((batch,), 25.0))


def side_information(method: Method, batch: Batch) -> SideInformation:
    """What a method must be told."""
    needed = method.info.side_information
    return SideInformation(
        sigma=25.0 if "sigma" in needed else None,
        clean=batch.clean if "clean" in needed else None,
    )


def check_forward(method: Method, device: torch.device, found: dict[str, Any]) -> None:
    """The restored image on the device is that on the processor."""
    batch = noisy_batch(method, SIDE * method.scale, 1)
    with torch.no_grad():
        here = method.restore(batch.degraded, side_information(method, batch))
        there = batch.to(device)
        on_card = copy.deepcopy(method).to(device)
        restored = on_card.restore(there.degraded, side_information(method, there)).cpu()
    found["largest_difference"] = float((restored - here).abs().max())
    require(found["largest_difference"] <= BOUND, f"a pixel differs by more than {BOUND}")


def step(
    method: Method, batch: Batch, number: int, dtype: torch.dtype, optimiser: torch.optim.Optimizer
) -> float:
    """One training step of all losses together; returns their sum."""
    device = batch.clean.device.type
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
        context = TrainingContext(number, STEPS, F.l1_loss, next(iter(method.optimiser_groups())))
        losses = method.training_losses(batch, context)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
    total.backward()
    optimiser.step()
    return float(total.detach())


def first_loss(method: Method, device: torch.device, dtype: torch.dtype) -> float:
    """Loss of a first training step of a copy."""
    torch.manual_seed(0)
    copied = copy.deepcopy(method).to(device).train()
    batch = noisy_batch(method, SIDE, 2).to(device)
    optimiser = torch.optim.Adam(copied.parameters(), 1e-4)
    value = step(copied, batch, 0, dtype, optimiser)
    finite = all(bool(torch.isfinite(each).all()) for each in copied.parameters())
    require(finite, "a weight is not finite after the step")
    return value


def check_training(
    method: Method, device: torch.device, dtype: torch.dtype, found: dict[str, Any]
) -> None:
    """A first step's loss on the device is that on the processor, and all weights are finite."""
    here = first_loss(method, torch.device("cpu"), torch.float32)
    found["loss"], found["loss_on_processor"] = first_loss(method, device, dtype), here
    bound = LOSS_BOUND[dtype]
    far = abs(found["loss"] - here) > bound * max(abs(here), 1e-3)
    require(not far, f"the losses differ by more than {bound:.0%}")


def check_resume(device: torch.device, found: dict[str, Any]) -> None:
    """Two steps, and two steps with the state saved and read between them, end in equal weights."""
    network = create("ndr_restore", "smoke")
    batch = noisy_batch(network, SIDE, 2).to(device)
    states = []
    for stopped in (False, True):
        method = copy.deepcopy(network).to(device).train()
        optimiser = torch.optim.Adam(method.parameters(), 1e-4)
        step(method, batch, 0, torch.float32, optimiser)
        if stopped:
            saved = copy.deepcopy((method.state_dict(), optimiser.state_dict()))
            method = copy.deepcopy(network).to(device).train()
            optimiser = torch.optim.Adam(method.parameters(), 1e-4)
            method.load_state_dict(saved[0])
            optimiser.load_state_dict(saved[1])
        step(method, batch, 1, torch.float32, optimiser)
        states.append([value.detach().clone() for value in method.parameters()])
    pairs = zip(*states, strict=True)
    found["largest_difference"] = max(float((a - b).abs().max()) for a, b in pairs)
    require(found["largest_difference"] <= 1e-5, "a resumed training has other weights")


def check_cards_together(found: dict[str, Any]) -> None:
    """The sum of a tensor over all cards, by NCCL."""
    count = torch.cuda.device_count()
    found["cards"] = count
    tensors = [torch.full((1024,), float(card), device=f"cuda:{card}") for card in range(count)]
    torch.cuda.nccl.all_reduce(tensors)
    expected = count * (count - 1) / 2
    require(all(bool((each == expected).all()) for each in tensors), "another sum than expected")


def check_energy(device: torch.device, found: dict[str, Any]) -> None:
    """The counter of the card's energy goes up while it works."""
    meter = EnergyMeter.of(device)
    values = torch.rand(2048, 2048, device=device)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        values = (values @ values).clamp(0, 1)
    found["joules_of_two_seconds"] = meter.joules
    require((meter.joules or 0) > 0, "the card has no counter, or it stood still")


FORMS: dict[str, Callable[[], Method]] = {
    "straightforward": lambda: straightforward(NDRRestoreMethod()),
    "lean": NDRRestoreMethod,
    "lean, channels last": NDRRestoreMethod,
    COMPILED: NDRRestoreMethod,
}
"""NDR-Restore at the paper's size, in the forms that are timed."""


def time_form(name: str, device: torch.device, dtype: torch.dtype, found: dict[str, Any]) -> None:
    """Seconds of a training step of the paper, and the memory that it takes."""
    torch.manual_seed(0)
    method = FORMS[name]().to(device).train()
    if name.endswith("channels last"):
        lay_out_channels_last(method)
    if name == COMPILED:
        method.compile()
    batch = noisy_batch(method, PATCH, BATCH).to(device)
    optimiser = torch.optim.Adam(method.parameters(), 1e-4)
    cuda = device.type == "cuda"
    for number in range(STEPS):
        if number == STEPS // 2:  # what is compiled, chosen and reserved comes before
            if cuda:
                torch.cuda.synchronize(device)
                torch.cuda.reset_peak_memory_stats(device)
            start = time.perf_counter()
        step(method, batch, number, dtype, optimiser)
    if cuda:
        torch.cuda.synchronize(device)
        found["peak_memory_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
    found["seconds_per_step"] = (time.perf_counter() - start) / (STEPS - STEPS // 2)


def run_checks(device: torch.device, preset: str, forms: bool = True) -> Report:
    """All checks on a device.

    Args:
        device: a card; on the processor what only a card has is left out.
        preset: sizes of the methods that are compared, e.g. `small`.
        forms: also time NDR-Restore at the paper's size.
    """
    cuda = device.type == "cuda"
    card = torch.cuda.get_device_name(device) if cuda else "none"
    report = Report(card, dataclasses.asdict(hardware()))
    for cls in method_classes():
        name = cls.info.name
        if cls.info.slow or not cls.__module__.startswith(("baselines.", "ndr.")):
            continue
        torch.manual_seed(0)
        method = create(name, preset).eval()
        with report.check(f"forward {name}") as found:
            check_forward(method, device, found)
        for dtype, word in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
            if cls.info.trainable:
                with report.check(f"training step {word} {name}") as found:
                    check_training(method, device, dtype, found)
    with report.check("resume") as found:
        check_resume(device, found)
    if cuda:
        with report.check("all cards together") as found:
            check_cards_together(found)
        with report.check("energy") as found:
            check_energy(device, found)
    for name in FORMS if forms else ():
        for dtype, word in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
            with report.check(f"time {word} {name}") as found:
                time_form(name, device, dtype, found)
    report.teraflops = teraflops(report.checks.get("time fp32 lean", {}).get("seconds_per_step"))
    return report


def teraflops(seconds_per_step: float | None) -> float | None:
    """The rate of a step of the paper's size, as `workflows.estimate` counts operations."""
    if seconds_per_step is None:
        return None
    cost = count_step("ndr_restore", method_arguments("ndr_restore", "paper", {}), PATCH)
    factor = read_assumptions().step_over_forward
    return cost.forward_gflop * 1e9 * factor * BATCH / seconds_per_step / 1e12


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=GPU_CHECK, help="file to write")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--preset", default="small", help="sizes of the methods")
    options = parser.parse_args()
    try:
        device = chosen_device(options.device)
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 2
    report = run_checks(device, options.preset, forms=device.type == "cuda")
    write_json(options.out, dataclasses.asdict(report))
    print(f"{len(report.checks)} checks on {report.card}, {len(report.problems)} failed")
    return int(bool(report.problems))


if __name__ == "__main__":
    sys.exit(main())
