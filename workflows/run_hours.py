"""How long trainings take: measured where one has run, else reckoned from counted operations."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pydantic

from ndr.nearest_name import unknown_name
from ndr.run_spec import RunSpec
from workflows.configuration import CONFIG, read_yaml, validated
from workflows.training_costs import StepCosts

log = logging.getLogger(__name__)

GPU_HOURS = "GPU-hours"
COUNTED = "counted for"


class Card(pydantic.BaseModel):
    """A graphics card as `config/costs.yaml` describes it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    label: str
    teraflops: float = pydantic.Field(gt=0)
    """Rate while training, 10^12 counted operations per second."""
    basis: str


class CostAssumptions(pydantic.BaseModel):
    """`config/costs.yaml` (comments there)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    step_over_forward: float
    card: str
    cards: Mapping[str, Card]
    png_share: Mapping[str, float]

    def card_named(self, name: str | None) -> Card:
        """The card of a name, or the default one; raises `UnknownNameError`."""
        name = name or self.card
        if name not in self.cards:
            raise unknown_name("card", name, self.cards)
        return self.cards[name]


def read_assumptions(config: Path = CONFIG) -> CostAssumptions:
    """Read `config/costs.yaml`; a misspelt key is an error with the nearest one."""
    return validated(CostAssumptions, read_yaml(config / "costs.yaml"), "config/costs.yaml")


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A finished training of a tier."""

    spec_sha256: str
    seconds_per_step: float
    place: str
    """The graphics card, or the processor, that it ran on."""
    on_gpu: bool


def finished_runs(results: Path) -> dict[str, MeasuredRun]:
    """Finished trainings by run, from `results/<tier>/runs/<run>/provenance.json`."""
    found = {}
    for path in sorted((results / "runs").glob("*/provenance.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            on_gpu = str(record["device"]).startswith("cuda")
            hardware = record["hardware"]
            place = hardware["gpus"][0] if on_gpu else hardware["processor"]
            found[path.parent.name] = MeasuredRun(
                record["spec_sha256"], float(record["seconds_per_step"]), place, on_gpu
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            log.warning("%s: not a complete record (%r): counts as not run", path, error)
    return found


@dataclass(frozen=True, slots=True)
class RunTime:
    """What one training is expected to take."""

    hours: float | None
    """None where its operations cannot be counted."""
    basis: str
    """Their unit and where they come from, e.g. `GPU-hours, counted for A100 class`."""
    parameters: int | None


class RunTimes:
    """Expected hours of trainings.

    A method of which a run is finished at this tier takes its measured time per operation: a
    smaller or larger variant is scaled by its count. Others take the rate of a named card.

    Args:
        specs: all runs of the plan.
        finished: those that are done.
        costs: operations per step.
        card: for what is not measured.
        step_over_forward: operations of a step over those of its forward pass.
    """

    def __init__(
        self,
        specs: Mapping[str, RunSpec],
        finished: Mapping[str, MeasuredRun],
        costs: StepCosts,
        card: Card,
        step_over_forward: float,
    ) -> None:
        self._costs = costs
        self._card = card
        self._factor = step_over_forward
        self._measured: dict[str, tuple[RunSpec, MeasuredRun]] = {}
        for run, measured in finished.items():
            spec = specs.get(run)
            if spec is None:
                continue
            known = self._measured.get(spec.method)
            # A time on a GPU says more of the trainings to come than one on a processor.
            if known is None or measured.on_gpu > known[1].on_gpu:
                self._measured[spec.method] = spec, measured

    def of(self, spec: RunSpec) -> RunTime:
        """Expected time of a training from its first step to its last."""
        cost = self._costs.of(spec)
        parameters = None if cost is None else cost.parameters
        if spec.method in self._measured:
            other, measured = self._measured[spec.method]
            seconds = spec.recipe.steps * measured.seconds_per_step * self._ratio(spec, other)
            unit = GPU_HOURS if measured.on_gpu else "hours without GPU"
            basis = f"{unit}, measured on {measured.place}"
            return RunTime(seconds / 3600, basis, parameters)
        if cost is None:
            return RunTime(None, "not counted", None)
        operations = cost.forward_gflop * 1e9 * self._factor * spec.recipe.batch
        seconds = spec.recipe.steps * operations / (self._card.teraflops * 1e12)
        return RunTime(seconds / 3600, f"{GPU_HOURS}, {COUNTED} {self._card.label}", parameters)

    def _ratio(self, spec: RunSpec, other: RunSpec) -> float:
        """Operations of a step over those of another run's; 1 where they cannot be counted."""
        mine, theirs = self._costs.of(spec), self._costs.of(other)
        if mine is None or theirs is None or not theirs.forward_gflop:
            return 1.0
        return (mine.forward_gflop * spec.recipe.batch) / (
            theirs.forward_gflop * other.recipe.batch
        )
