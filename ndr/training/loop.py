"""The training loop.

A step: take the batch of this step, ask the method for its losses, step its optimisers, write
down what happened. All a step needs follows from the spec and the number of the step, so
stopping after any step and going on gives the bits of an uninterrupted training.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import time
from collections.abc import Generator, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ndr.data.mixture import Mixture, Sample
from ndr.method import Batch, TrainingContext
from ndr.mixed_precision import autocast
from ndr.specs.run_spec import RunSpec
from ndr.training.optimisation import (
    Optimiser,
    clipped_gradient_norm,
    learning_rate,
    pixel_loss,
    seed_step,
    set_learning_rate,
)
from ndr.training.processes import Processes, loss_module
from ndr.training.progress import Interrupted, Interruption, Progress
from ndr.training.resume_state import ResumeFile, TrainingState

log = logging.getLogger(__name__)


class NonFiniteError(ArithmeticError):
    """A loss or a gradient became NaN or infinite; the message says where and in which batch."""


def train(
    state: TrainingState,
    mixture: Mixture,
    processes: Processes,
    resume: ResumeFile,
    interruption: Interruption,
    *,
    workers: int = 0,
    save_every: float = 60.0,
) -> None:
    """Do the remaining steps of a run.

    Args:
        state: where to begin; afterwards, where the training ended.
        mixture: the samples, and with them the spec.
        processes: this process's place among those that train together.
        resume: file that the state is saved to.
        interruption: asked after each step whether to stop.
        workers: processes that read batches ahead.
        save_every: seconds between saved states; 0 saves after each step.

    Raises:
        NonFiniteError: NaN or infinity in a loss or a gradient. The step is not taken.
        Interrupted: a signal came; the state is saved.
        OSError: the state could not be saved when a signal came.
    """
    spec = mixture.spec
    module = loss_module(state.method.train(), processes)
    share = processes.share(spec.recipe.batch)
    if state.step == 0:
        state.snapshots.take(0, state.result.representation())
    earlier, started = state.seconds, time.perf_counter()
    last_saved = started
    with (
        Progress(spec.run, spec.recipe.last_step, state.step, shown=processes.leads) as progress,
        contextlib.closing(batches(mixture, share, state.step, workers)) as remaining,
    ):
        for batch in remaining:
            seed_step(spec, state.step, processes.rank)
            rate = learning_rate(spec.recipe, state.step)
            try:
                values, stop = take_step(
                    module,
                    state.optimisers,
                    batch.to(processes.device),
                    spec=spec,
                    step=state.step,
                    rate=rate,
                    processes=processes,
                    stop=interruption.signal is not None,
                )
            except NonFiniteError as error:
                raise NonFiniteError(f"{error}\n{_where(state, mixture, resume)}") from None
            state.step += 1
            state.seconds = earlier + time.perf_counter() - started
            if state.average is not None:
                state.average.update(state.method)
            state.curve.add(state.step, rate, values, state.seconds)
            state.snapshots.take(state.step, state.result.representation())
            progress.update(state.step, rate, values)
            if stop and state.step < spec.recipe.last_step:
                _stop(state, processes, resume, interruption)
            if processes.leads and time.perf_counter() - last_saved >= save_every:
                _save_and_go_on(state, resume)
                last_saved = time.perf_counter()


def take_step(
    module: nn.Module,
    optimisers: Mapping[str, Optimiser],
    batch: Batch,
    *,
    spec: RunSpec,
    step: int,
    rate: float,
    processes: Processes,
    stop: bool = False,
) -> tuple[dict[str, float], bool]:
    """Step each optimiser of a method once, in order, on its own losses.

    A group that states no loss in this step rests (methods that train in stages).

    Args:
        module: gives the loss terms of a batch (`processes.loss_module`).
        optimisers: by group.
        batch: this process's share, on its device.
        spec: the run.
        step: counted from 0.
        rate: its learning rate.
        processes: losses are averaged over them.
        stop: whether this process wants to end after the step.

    Returns:
        The loss terms, their `total` and the `gradient_norm` before clipping (with several
        groups: terms as `group/term`, totals summed, norms as one), and whether any process
        wants to end.

    Raises:
        NonFiniteError: before the optimiser of the group has changed a weight.
    """
    total, squared_norm, ends = 0.0, 0.0, False
    terms: dict[str, float] = {}
    for group, optimiser in optimisers.items():
        set_learning_rate(optimiser, rate)
        context = TrainingContext(step, spec.recipe.steps, pixel_loss(spec.recipe), group)
        with autocast(spec.precision, processes.device):
            losses = module(batch, context)
        if not losses:
            continue
        for each in optimisers.values():  # losses of one group reach parameters of the others
            each.zero_grad()
        sum(losses.values()).backward()
        parameters = [p for item in optimiser.param_groups for p in item["params"]]
        norm = clipped_gradient_norm(parameters, spec.recipe.gradient_clip_norm)
        *found, norm_value, stops = _joint(losses, norm, stop, processes)
        prefix = f"{group}/" if len(optimisers) > 1 else ""
        named = {f"{prefix}{name}": value for name, value in zip(losses, found, strict=True)}
        _check_finite({**named, "gradient norm": norm_value}, rate)
        optimiser.step()
        terms |= named
        total += sum(found)
        squared_norm += norm_value**2
        ends = stops > 0
    return {**terms, "total": total, "gradient_norm": math.sqrt(squared_norm)}, ends


def _joint(
    losses: dict[str, Tensor], norm: Tensor, stop: bool, processes: Processes
) -> list[float]:
    """Loss terms, gradient norm and the wish to stop as means over the processes.

    They travel together: one exchange, and one wait for the GPU, in each step.
    """
    values = [value.detach().float() for value in losses.values()]
    wish = torch.tensor(float(stop), device=processes.device)
    return processes.mean(torch.stack([*values, norm.float(), wish])).tolist()


def _check_finite(values: dict[str, float], rate: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise NonFiniteError(f"{name} is {value} at a learning rate of {rate:.3g}")


def _where(state: TrainingState, mixture: Mixture, resume: ResumeFile) -> str:
    """Step, batch and last good state, for the message of a training that broke down."""
    batch = mixture.spec.recipe.batch
    first = state.step * batch
    positions = range(first, first + batch)
    images = "; ".join(mixture.describe(position) for position in positions)
    saved = (
        "no state was saved before it"
        if resume.saved_step is None
        else f"the last good state is {resume.path}, after step {resume.saved_step}"
    )
    return (
        f"step {state.step} (counted from 0), positions {first} to {positions[-1]}: {images}\n"
        f"{saved}; try a lower learning rate, a smaller gradient_clip_norm, or fp32"
    )


def _stop(
    state: TrainingState, processes: Processes, resume: ResumeFile, interruption: Interruption
) -> None:
    number = interruption.signal or 15  # another process had the signal: end as it does
    if processes.leads:
        resume.save(state)
    raise Interrupted(
        number,
        f"stopped by signal {number} after step {state.step}; the state is {resume.path}: "
        "the same command goes on from there",
    )


def _save_and_go_on(state: TrainingState, resume: ResumeFile) -> None:
    try:
        resume.save(state)
    except OSError as error:
        # Hours of training are worth more than a save that may succeed the next time.
        log.warning("%s; the training goes on, the last saved step is %s", error, resume.saved_step)


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
        return self._mixture.spec.recipe.last_step

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
    steps = range(first_step, mixture.spec.recipe.last_step)
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
