"""A training between two steps, the file that it resumes from, and the results that it leaves.

The file is no declared output of the workflow, which deletes outputs of failed jobs. Its name is
the identity of the spec, of the source code and of the images, so that a changed run never
continues an old state. It disappears when the results are complete.
"""

from __future__ import annotations

import csv
import errno
import io
import logging
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ndr.atomic_file import atomic_path, write_text
from ndr.checkpoint import write_checkpoint
from ndr.device import lay_out_channels_last
from ndr.method import Method, load_strictly, parameter_count
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.provenance import Stopwatch, TrainingProvenance
from ndr.specs.run_spec import RunSpec
from ndr.training.optimisation import averaged, build_optimisers

log = logging.getLogger(__name__)

CURVE_ROWS = 200
"""A curve has at most about this many rows, however long the training."""


class Curve:
    """Means of the losses over intervals of steps: the rows of `curve.csv`.

    Columns: `step` (steps done at the end of the interval), `learning_rate` (of its last step),
    each loss term, `total`, `gradient_norm` (before clipping), `seconds` (of training so far).
    """

    def __init__(self, steps: int) -> None:
        self.rows: list[dict[str, float]] = []
        self._steps = steps
        self._interval = -(-steps // CURVE_ROWS)
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, step: int, rate: float, values: Mapping[str, float], seconds: float) -> None:
        """Take the values of a step; `step` counts the steps done, itself included."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        if step % self._interval and step != self._steps:
            return
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self.rows.append(
            {"step": step, "learning_rate": rate, **means, "seconds": round(seconds, 3)}
        )
        self._sums, self._counts = {}, {}

    def write(self, path: str | Path) -> None:
        """Write the rows; a term that a stage of the training does not have stays empty."""
        outer = ("step", "learning_rate", "total", "gradient_norm", "seconds")
        terms = dict.fromkeys(name for row in self.rows for name in row if name not in outer)
        buffer = io.StringIO()
        writer = csv.DictWriter(
            buffer, [*outer[:2], *terms, *outer[2:]], restval="", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(path, buffer.getvalue())

    def state(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave."""
        self.rows = [dict(row) for row in state["rows"]]
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


def snapshot_steps(steps: int, count: int) -> list[int]:
    """Steps at which D is kept: the start, then evenly spaced in the logarithm up to the end.

    >>> snapshot_steps(1000, 5)
    [0, 1, 10, 100, 1000]
    """
    if count < 1:
        return []
    spaced = np.geomspace(1, steps, count - 1) if count > 2 else np.array([steps])
    return sorted({0, *(round(step) for step in spaced)} if count > 1 else {steps})


class Snapshots:
    """The learned degradation representation D at some steps (Fig. 12 follows its columns)."""

    def __init__(self, steps: int, count: int) -> None:
        self._due = frozenset(snapshot_steps(steps, count))
        self.taken: dict[int, Tensor] = {}

    def take(self, step: int, representation: Tensor | None) -> None:
        """Keep a copy when `step` (steps done) is due; nothing for a method without D."""
        if representation is not None and step in self._due:
            self.taken[step] = representation.detach().to("cpu", torch.float32).clone()

    def write(self, path: str | Path) -> None:
        """Write `steps` (n,) int64 and `D` (n, ...) float32; both empty for a method without D."""
        from safetensors.torch import save

        steps = torch.tensor(sorted(self.taken), dtype=torch.int64)
        taken = [self.taken[step] for step in sorted(self.taken)]
        content = save({"steps": steps, "D": torch.stack(taken) if taken else torch.zeros(0)})
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


class TrainingState:
    """A training between two steps.

    `step` counts the steps done; it is the sampler's position (times the batch) and the
    schedule's, both being functions of it. `seconds` is the time of all steps so far. With the
    recipe's `ema_decay`, `average` is timm's exponential moving average of the weights.
    """

    def __init__(self, spec: RunSpec, method: Method) -> None:
        """State before the first step; `method` is on its device, and is laid out for training."""
        if method.trains_channels_last and all(p.device.type == "cpu" for p in method.parameters()):
            lay_out_channels_last(method)
        self.spec = spec
        self.method = method
        self.optimisers = build_optimisers(method, spec.recipe)
        self.average = averaged(method, spec.recipe)
        self.curve = Curve(spec.recipe.last_step)
        self.snapshots = Snapshots(spec.recipe.last_step, spec.representation_snapshots)
        self.step = 0
        self.seconds = 0.0
        self.resumed_at: list[int] = []

    @property
    def result(self) -> Method:
        """The method with the weights that the training is to leave: trained, or averaged."""
        return self.method if self.average is None else self.average.module

    def content(self) -> dict[str, Any]:
        """The state as plain containers and tensors."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "resumed_at": self.resumed_at,
            "model": self.method.state_dict(),
            "average": None if self.average is None else self.result.state_dict(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
            "curve": self.curve.state(),
            "snapshots": self.snapshots.taken,
            # Each step reseeds PyTorch, so these matter to draws between steps only.
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }

    def load(self, content: dict[str, Any], source: str) -> None:
        """Continue where `content` was taken.

        Raises:
            CheckpointError: it is of another network.
        """
        load_strictly(self.method, content["model"], source)
        if self.average is not None:
            load_strictly(self.result, content["average"], source)
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(content["optimisers"][name])
        self.curve.load(content["curve"])
        self.snapshots.taken = dict(content["snapshots"])
        self.step = content["step"]
        self.seconds = content["seconds"]
        self.resumed_at = [*content["resumed_at"], self.step]
        torch.set_rng_state(content["random"])
        if len(content["random_cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(content["random_cuda"])


class ResumeFile:
    """The file that holds the last state of one run, and the one before it."""

    def __init__(
        self, folder: str | Path, spec_sha256: str, source_fingerprint: str, data_sha256: str
    ) -> None:
        name = f"{spec_sha256}-{source_fingerprint}-{data_sha256[:16]}.pt"
        self.path = Path(folder) / name
        self.previous = self.path.with_name(f"{name}.previous")
        self.identity = {
            "spec_sha256": spec_sha256,
            "source_fingerprint": source_fingerprint,
            "data_sha256": data_sha256,
        }
        self.saved_step: int | None = None
        """Step of the state that the file holds, as far as this process knows."""

    def save(self, state: TrainingState) -> None:
        """Write the present state and keep the one before; on failure the old file stays.

        Raises:
            OSError: the disk is full or not writable; the message names the file.
        """
        with atomic_path(self.path) as temporary:
            try:
                torch.save({**self.identity, **state.content()}, temporary)
            except RuntimeError as error:
                # PyTorch's writer reports a full disk as a failed check of its own.
                raise OSError(None, f"{error}".splitlines()[0]) from error
            if self.path.exists():
                self.previous.unlink(missing_ok=True)
                try:
                    os.link(self.path, self.previous)  # no moment without a file of the last name
                except OSError:  # a disk without hard links
                    self.path.replace(self.previous)
        self.saved_step = state.step

    def read(self) -> dict[str, Any] | None:
        """The last good state; None where there is none.

        A damaged file (truncated, bits flipped, something else under its name) is set aside with
        a warning that names it and what the training goes on from.

        Raises:
            OSError: the file cannot be read, which says nothing of its content.
        """
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            try:
                content = self._checked(path)
            except Exception as error:  # wrong bits in a zip file's directory raise anything
                if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                    raise
                aside = path.with_name(path.name + ".damaged")
                path.replace(aside)
                reason = f"{error}".splitlines()[0] if f"{error}" else type(error).__name__
                goes_on = path == self.path and self.previous.exists()
                then = f"goes on from {self.previous}" if goes_on else "starts anew"
                log.warning(
                    "%s is damaged (%s); it is set aside as %s and the training %s",
                    path, reason, aside, then,
                )  # fmt: skip
                continue
            self.saved_step = content["step"]
            return content
        return None

    def _checked(self, path: Path) -> dict[str, Any]:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()  # compares checksums, which torch.load does not
        if wrong is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {wrong}")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or any(
            content.get(key) != value for key, value in self.identity.items()
        ):
            raise pickle.UnpicklingError("it is no state of this run")
        return content

    def remove(self) -> None:
        """Delete the file, and halves that kills left beside it, once the results are complete."""
        halves = self.path.parent.glob(f".{self.path.stem}.*.partial.pt")
        for path in (self.path, self.previous, *halves):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the results of a run go."""

    checkpoint: Path
    curve: Path
    representation: Path
    provenance: Path


def write_results(
    destination: Destination,
    state: TrainingState,
    identity: Mapping[str, Any],
    stopwatch: Stopwatch,
    circumstances: Mapping[str, Any],
) -> None:
    """Write curve, snapshots of D, provenance, and last the checkpoint.

    The checkpoint holds nothing of time, machine or interruptions: trainings with equal bits give
    equal files.

    Args:
        destination: the four files.
        state: the training at its end.
        identity: hashes of the spec, the code and the images (`ResumeFile.identity`).
        stopwatch: started when the process did.
        circumstances: device, processes, workers and energy, as in `TrainingProvenance`.

    Raises:
        OSError: the disk is full or not writable; the message names the file.
    """
    spec = state.spec
    state.curve.write(destination.curve)
    state.snapshots.write(destination.representation)
    parameters = parameter_count(state.method)
    TrainingProvenance(
        **stopwatch.facts(),
        **identity,
        **circumstances,
        run=spec.run,
        steps_done=state.step,
        steps_planned=spec.recipe.last_step,
        parameters=parameters,
        seconds_per_step=state.seconds / max(1, state.step),
        resumed_at=tuple(state.resumed_at),
        final_losses={
            name: value
            for name, value in state.curve.rows[-1].items()
            if name not in ("step", "learning_rate", "seconds")
        },
        precision=spec.precision,
        cpu_threads=spec.cpu_threads,
    ).write(destination.provenance)
    header = CheckpointHeader(
        **identity, run=spec.run, steps_done=state.step, parameters=parameters, spec=spec
    )
    write_checkpoint(destination.checkpoint, state.result, header)
