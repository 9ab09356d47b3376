"""One process or several that train together (torchrun), and where their tensors live."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ndr.device import chosen_device
from ndr.method import Batch, Method, TrainingContext


class ProcessError(ValueError):
    """Processes or devices that a run cannot be divided among."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The group of training processes as one of them sees it.

    Each takes its contiguous share of the joint batch; gradients and reported losses are means
    over the processes. Only rank 0 writes files.
    """

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    def share(self, batch: int) -> range:
        """This process's indices in a joint batch.

        Raises:
            ProcessError: the batch cannot be divided evenly.
        """
        if batch % self.count:
            raise ProcessError(
                f"a batch of {batch} cannot be divided among {self.count} processes; start as many "
                f"processes as divide it, or change recipe.batch"
            )
        size = batch // self.count
        return range(self.rank * size, (self.rank + 1) * size)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of a tensor over all processes."""
        if self.count > 1:
            torch.distributed.all_reduce(values)
            values = values / self.count
        return values

    def agreed(self, flag: bool) -> bool:
        """Rank 0's answer, in every process; all of them wait for it."""
        if self.count == 1:
            return flag
        answer = torch.tensor([int(flag)], device=self.device)
        torch.distributed.broadcast(answer, src=0)
        return bool(answer.item())


@contextlib.contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the group that torchrun started, or be alone.

    torchrun tells each process its place in the environment: RANK, LOCAL_RANK, WORLD_SIZE.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = chosen_device(device, local_rank)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Processes(chosen)
        return
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(chosen, torch.distributed.get_rank(), count)
    finally:
        torch.distributed.destroy_process_group()


class LossModule(nn.Module):
    """A method's training losses as a forward pass, which is what DDP wraps."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """See `Method.training_losses`."""
        return self.method.training_losses(batch, context)


def loss_module(method: Method, processes: Processes) -> nn.Module:
    """The method's losses; with several processes gradients are averaged while they arrive.

    A group's losses need not reach all parameters (two-stage methods, lambda = 0), so DDP looks
    for the unused ones. A loss that is no mean over the batch (batch normalisation, contrast)
    sees one process's share, not the joint batch.
    """
    module = LossModule(method)
    if processes.count == 1:
        return module
    return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)
