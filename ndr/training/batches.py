"""Batches by step: read in this process, or ahead of time by workers, with the same bits."""

from __future__ import annotations

import signal
from collections.abc import Generator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ndr.data.mixture import Mixture, Sample
from ndr.method import Batch


def collate(samples: list[Sample]) -> Batch:
    """Stack samples (P, P, 3) to a batch (B, 3, P, P)."""

    def stacked(images: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()

    return Batch(
        degraded=stacked([sample.degraded for sample in samples]),
        clean=stacked([sample.clean for sample in samples]),
        task=tuple(sample.task for sample in samples),
        sigma=torch.tensor([sample.sigma for sample in samples], dtype=torch.float32),
    )


class StepBatches(Dataset[Batch]):
    """The share of one process in the joint batch of each step, indexed by the step."""

    def __init__(self, mixture: Mixture, share: range) -> None:
        self._mixture = mixture
        self._share = share
        self._batch = mixture.spec.recipe.batch

    def __len__(self) -> int:
        return self._mixture.spec.recipe.steps

    def __getitem__(self, step: int) -> Batch:
        first = step * self._batch
        return collate([self._mixture.sample(first + index) for index in self._share])


def _leave_signals_to_the_parent(_: int) -> None:
    """Workers outlive a signal to the whole process group, so that the training can save."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def batches(
    mixture: Mixture, share: range, first_step: int, workers: int
) -> Generator[Batch, None, None]:
    """Yield the batches of steps `first_step` to the end; close it to end its workers.

    Args:
        mixture: the samples.
        share: this process's indices in the joint batch.
        first_step: where to start; 0 or the step of a resumed state.
        workers: processes that read ahead; 0 reads here, when asked.
    """
    steps = range(first_step, mixture.spec.recipe.steps)
    data = StepBatches(mixture, share)
    if workers == 0 or not steps:
        yield from (data[step] for step in steps)
        return
    loader = iter(
        DataLoader(
            data,
            batch_size=None,
            sampler=steps,
            num_workers=workers,
            worker_init_fn=_leave_signals_to_the_parent,
        )
    )
    try:
        yield from loader
    finally:
        del loader  # the workers end when nothing refers to it any more
