"""How fast a core of this machine trains: measured by a short timing, kept for later estimates."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from ndr.atomic_file import write_json
from ndr.records.provenance import processor_name
from workflows.estimate.hours import Card

FILE = "data/cache/core_speed.json"
"""Below the folder of the checkout."""
METHOD, PRESET, PATCH, BATCH = "ndr_restore", "small", 64, 2
STEPS = 4


@dataclass(frozen=True, slots=True)
class CoreSpeed:
    """What was measured."""

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
    """What was measured on this machine earlier; None where nothing was, or on another one."""
    path = root / FILE
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    found = CoreSpeed(float(content["teraflops"]), str(content["processor"]))
    return found if found.processor == processor_name() else None


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
    found = CoreSpeed(operations / min(seconds[1:]) / 1e12, processor_name())
    write_json(root / FILE, {"teraflops": found.teraflops, "processor": found.processor})
    return found
