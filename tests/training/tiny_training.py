"""A network of a few hundred parameters, and everything that is needed to train it."""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ndr.data.mixture import Mixture
from ndr.method import (
    PRESETS,
    TASKS,
    Batch,
    Method,
    MethodInfo,
    SideInformation,
    TrainingContext,
    register_method,
)
from ndr.specs.run_spec import NoiseSpec, Recipe, RunSpec, SettingSpec, TaskSpec
from ndr.training.loop import train
from ndr.training.optimisation import set_up_numerics
from ndr.training.processes import Processes
from ndr.training.progress import Interruption
from ndr.training.resume_state import ResumeFile, TrainingState
from tests.tiny_sets import write_tiny_set

TASK_SPECS = (
    TaskSpec("noise", ("clean",), ("0" * 64,), NoiseSpec((15.0, 25.0, 50.0))),
    TaskSpec("rain", ("pairs",), ("0" * 64,)),
)
FINGERPRINT = "f" * 16


class TinyMethod(Method):
    """Two convolutions with dropout and batch norm, so that draws and buffers count, and a D.

    It is registered only in processes of its own (`main_with_tiny_method`).
    """

    info = MethodInfo(
        name="tiny",
        paper_label="Tiny",
        citation="none",
        tasks=TASKS,
        presets={tier: {} for tier in PRESETS},
    )

    def __init__(self, width: int = 4, dropout: float = 0.2, norm: bool = True) -> None:
        super().__init__()
        self.dictionary = nn.Parameter(torch.randn(width, 3))
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        inner = torch.relu(self.norm(self.first(degraded)))
        inner = inner * self.dictionary.mean(dim=1)[:, None, None].sigmoid()
        return degraded + self.last(self.dropout(inner))

    def representation(self) -> Tensor:
        return self.dictionary


class TwoPlayers(TinyMethod):
    """Two optimisers with losses of their own, one of which rests in every third step."""

    def optimiser_groups(self) -> dict[str, list[nn.Parameter]]:
        return {
            "critic": [self.dictionary, *self.first.parameters()],
            "painter": list(self.last.parameters()),
        }

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        restored = self(batch.degraded, SideInformation())
        if context.optimiser == "painter":
            return {} if context.step % 3 == 2 else {"l1": (restored - batch.clean).abs().mean()}
        return {
            "l2": (restored - batch.clean).square().mean(),
            "decay": 0.01 * self.dictionary.square().mean(),
        }


class BreaksDown(TinyMethod):
    """Its loss is NaN from step 3 on."""

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        losses = super().training_losses(batch, context)
        return losses if context.step < 3 else {"restore": losses["restore"] * float("nan")}


class Explodes(TinyMethod):
    """Its loss is finite and its gradient is not, in step 2."""

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        losses = super().training_losses(batch, context)
        if context.step == 2:
            losses["steep"] = torch.sqrt((self.dictionary - self.dictionary.detach()).sum())
        return losses


def write_sets(folder: Path) -> Path:
    """The two prepared sets of `tiny_spec`."""
    write_tiny_set(folder, "clean", 3)
    write_tiny_set(folder, "pairs", 2, paired=True)
    return folder


def tiny_spec(steps: int = 6, method: str = "tiny", **changes: Any) -> RunSpec:
    """A run on the sets of `write_sets`; `changes` are fields of the recipe or of the spec."""
    recipe = Recipe(steps=steps, batch=4, patch=8, learning_rate=1e-2, milestones=(4,))
    in_recipe = {f.name for f in dataclasses.fields(Recipe)} & changes.keys()
    recipe = dataclasses.replace(recipe, **{key: changes.pop(key) for key in in_recipe})
    values: dict[str, Any] = {
        "tier": "smoke",
        "method": method,
        "arguments": {"width": 4, "dropout": 0.2, "norm": True},
        "changes": {},
        "setting": SettingSpec("noise_rain", TASK_SPECS),
        "recipe": recipe,
        "seed": 0,
        "suite_seed": 9,
        "representation_snapshots": 4,
    }
    return RunSpec(**(values | changes))


def tiny_state(spec: RunSpec, cls: type[TinyMethod] = TinyMethod) -> TrainingState:
    """State before the first step, with weights that depend on nothing but the class."""
    set_up_numerics(spec.cpu_threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return TrainingState(spec, cls(**spec.arguments))


def resume_file(folder: Path, spec: RunSpec, data_sha256: str = "d" * 64) -> ResumeFile:
    return ResumeFile(folder, spec.sha256(), FINGERPRINT, data_sha256)


def train_tiny(
    state: TrainingState,
    spec: RunSpec,
    sets: Path,
    resume: ResumeFile,
    *,
    interruption: Interruption | None = None,
    save_every: float = 60.0,
) -> TrainingState:
    train(
        state,
        Mixture(spec, sets),
        Processes(torch.device("cpu")),
        resume,
        interruption or Interruption(),
        save_every=save_every,
    )
    return state


def arguments_of(spec: RunSpec, folder: Path, sets: Path, *more: str) -> list[str]:
    """Command line of `ndr.train` for a run that ends in `folder`."""
    return [
        "--spec-json", spec.canonical_json(), "--source-fingerprint", FINGERPRINT,
        "--sets", str(sets), "--checkpoint", str(folder / "checkpoint.safetensors"),
        "--curve", str(folder / "curve.csv"),
        "--representation", str(folder / "representation.safetensors"),
        "--provenance", str(folder / "provenance.json"), "--resume", str(folder / "resume"),
        "--device", "cpu", *more,
    ]  # fmt: skip


def main_with_tiny_method(arguments: list[str]) -> None:
    """Body of a process that trains the tiny method by the command line; ends the process."""
    from ndr.train import main

    for cls, name in ((TinyMethod, "tiny"), (BreaksDown, "breaks_down")):
        cls.info = dataclasses.replace(cls.info, name=name)
        register_method(cls)
    sys.exit(main(arguments))


def start_training(arguments: list[str]) -> multiprocessing.Process:
    """Start `main_with_tiny_method` in a process whose parent imported PyTorch already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["ndr.training.loop", "ndr.training.resume_state", "tests.training.tiny_training"]
    )
    process = context.Process(target=main_with_tiny_method, args=(arguments,))
    process.start()
    return process


if __name__ == "__main__":
    main_with_tiny_method(sys.argv[1:])
