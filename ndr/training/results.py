"""The files that a finished training leaves behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.atomic_file import write_json
from ndr.checkpoint import write_checkpoint
from ndr.method import parameter_count
from ndr.provenance import Stopwatch
from ndr.training.resume_state import TrainingState


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
    identity: Mapping[str, str],
    stopwatch: Stopwatch,
    facts: Mapping[str, str | int | float | None],
) -> None:
    """Write curve, snapshots of D, provenance, and last the checkpoint.

    The checkpoint holds nothing of time, machine or interruptions: trainings with equal bits give
    equal files.

    Args:
        destination: the four files.
        state: the training at its end.
        identity: hashes of the spec, the code and the images (`ResumeFile.identity`).
        stopwatch: started when the process did.
        facts: circumstances that the provenance is to name (device, processes, workers,
            energy).

    Raises:
        OSError: the disk is full or not writable; the message names the file.
    """
    spec = state.spec
    content = {
        "run": spec.run,
        **identity,
        "steps_done": state.step,
        "parameters": parameter_count(state.method),
    }
    state.curve.write(destination.curve)
    state.snapshots.write(destination.representation)
    record = {
        **content,
        **facts,
        "steps_planned": spec.recipe.steps,
        "seconds_per_step": state.seconds / max(1, state.step),
        "resumed_at": state.resumed_at,
        "final_losses": {
            name: value
            for name, value in state.curve.rows[-1].items()
            if name not in ("step", "learning_rate", "seconds")
        },
        "precision": spec.precision,
        "cpu_threads": spec.cpu_threads,
    }
    write_json(destination.provenance, stopwatch.record(**record))
    write_checkpoint(
        destination.checkpoint, state.method, {**content, "spec": dataclasses.asdict(spec)}
    )
