"""Specs of small trainings, and the headers of their checkpoints."""

from __future__ import annotations

from typing import Any

from ndr.records.checkpoint_header import CheckpointHeader
from ndr.registry import method_arguments
from ndr.specs.run_spec import Recipe, RunSpec, SettingSpec, TaskSpec

NOISE_TASK = TaskSpec("noise", ("a_set",), ("0",))


def run_spec(
    method: str = "dncnn",
    tier: str = "smoke",
    tasks: tuple[TaskSpec, ...] = (NOISE_TASK,),
    **changes: Any,
) -> RunSpec:
    """A training with little to say."""
    recipe = Recipe(steps=20, batch=6, patch=48, learning_rate=1e-3)
    arguments = method_arguments(method, "smoke", changes)
    return RunSpec(tier, method, arguments, changes, SettingSpec("noise", tasks), recipe, 0, 9)


def header(
    spec: RunSpec | None = None, run: str | None = None, spec_sha256: str | None = None
) -> CheckpointHeader:
    """What a checkpoint of a training says of itself."""
    spec = spec or run_spec()
    return CheckpointHeader(
        run=run or spec.run,
        spec_sha256=spec_sha256 or spec.sha256(),
        source_fingerprint="0123456789abcdef",
        data_sha256="d" * 64,
        steps_done=20,
        parameters=1234,
        spec=spec,
    )
