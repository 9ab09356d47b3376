"""How fast a core of this machine trains: measured by a short timing, kept for later estimates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ndr.records.provenance import processor_name
from ndr.records.record import Record
from workflows.estimate.hours import Card

FILE = "data/cache/core_speed.json"
"""Below the folder of the checkout."""
METHOD, PRESET, PATCH, BATCH = "ndr_restore", "small", 64, 2
STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSpeed(Record):
    """What was measured."""

    FILE: ClassVar[str] = "record of a core's speed"
    AGAIN: ClassVar[str] = "measure again: python -m workflows.estimate --time-here"

    teraflops: float
    """10^12 counted operations of training steps per second of one core."""
    processor: str

    @property
    def card(self) -> Card:
        """In place of a card of `config/costs.yaml`."""
        return Card(
            label=f"one core of {self.processor}", teraflops=self.teraflops, basis="measured here"
        )


def known_speed(root: Path) -> CoreSpeed | None:
    """What was measured on this machine earlier; None where nothing was, or on another one.

    Raises:
        ResultFileError: the file is damaged.
    """
    found = CoreSpeed.read_if_there(root / FILE)
    return found if found is not None and found.processor == processor_name() else None


def measure_speed(root: Path, step_over_forward: float) -> CoreSpeed:
    """Time some training steps of the main method on one core, some seconds; keep the result.

    Processor time counts, so that other work on the machine does not.

    Args:
        root: folder of the checkout.
        step_over_forward: operations of a step over those of its forward pass.
    """
    import torch
    from torch.nn.functional import l1_loss

    from ndr.method import Batch, TrainingContext
    from ndr.registry import create, method_arguments
    from workflows.estimate.hours import count_step

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = create(METHOD, PRESET).train()
        optimiser = torch.optim.Adam(network.parameters())
        images = torch.rand(BATCH, 3, PATCH, PATCH, generator=torch.Generator().manual_seed(0))
        batch = Batch(images, images, ("noise",) * BATCH, torch.full((BATCH,), 25.0))
        context = TrainingContext(0, STEPS, l1_loss)
        seconds = []
        for _ in range(STEPS):
            start = time.process_time()
            optimiser.zero_grad()
            losses = network.training_losses(batch, context)
            torch.stack(list(losses.values())).sum().backward()
            optimiser.step()
            seconds.append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
    cost = count_step(METHOD, method_arguments(METHOD, PRESET, {}), PATCH)
    operations = cost.forward_gflop * 1e9 * step_over_forward * BATCH
    # The first step also reserves memory; the best of the others is the least disturbed.
    teraflops = operations / min(seconds[1:]) / 1e12
    found = CoreSpeed(teraflops=teraflops, processor=processor_name())
    found.write(root / FILE)
    return found
