"""Hours that trainings take: from finished ones, or from the operations of a step.

Operations are counted on tensors that hold no data. `python -m workflows.estimate.hours` counts
every run of the tiers and writes `config/training_costs.json`; a run that is not in the file is
counted when it is asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from ndr.atomic_file import write_json
from ndr.data.catalogue import load_catalogue
from ndr.method import Batch, TrainingContext
from ndr.nearest_name import named_entry
from ndr.records.provenance import TrainingProvenance
from ndr.records.record import ResultFileError
from ndr.registry import method_class
from ndr.specs.json_text import parsed_json
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import SpecError, at_least, build, read_yaml, read_yaml_spec
from workflows.configuration import CONFIG, suite_config
from workflows.planning import make_plan

log = logging.getLogger(__name__)

GPU_HOURS = "GPU-hours"
COUNTED = "counted for"
TABLE = CONFIG / "training_costs.json"
TIERS = ("small", "paper")
BATCH = 2
"""Images in the counted step: batch normalisation asks for more than one."""


class UncountedError(RuntimeError):
    """A training step that cannot be followed without data; the message says at what it failed."""


@dataclass(frozen=True, slots=True)
class StepCost:
    """Cost of one training step per image of the batch."""

    forward_gflop: float
    """All that a step runs forward, the losses' networks included; multiplications and additions
    of convolutions, matrix products and attention, counted each."""
    parameters: int


def _count_deformable_convolution(
    _input: Any, weight: Any, *_: Any, out_val: Any, **__: Any
) -> int:
    """Operations of `torchvision.ops.deform_conv2d`, which PyTorch's own table lacks."""
    return 2 * out_val.numel() * math.prod(weight.shape[1:])


def _counting_mode() -> Any:
    """A mode that adds up operations and gives `answer` to questions about contents."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    counts = dict(flop_registry)

    class Counting(TorchDispatchMode):
        operations = 0
        answer = False

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            # Checks such as `isfinite(x).all()` ask for a value, `x.tolist()` for a copy.
            if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
                kind = args[0].dtype
                return self.answer if kind is torch.bool else 1.0 if kind.is_floating_point else 1
            if func is torch.ops.aten._to_copy.default and args[0].is_meta:
                device = kwargs.get("device")
                if device and device.type == "cpu" and args[0].numel() < 100:  # to be looked at
                    kind = kwargs.get("dtype") or args[0].dtype
                    return torch.zeros(args[0].shape, dtype=kind, device="cpu")
            result = func(*args, **kwargs)
            packet = func._overloadpacket
            count = counts.get(packet)
            if count is None and str(packet) == "torchvision.deform_conv2d":
                count = _count_deformable_convolution
            if count is not None:
                self.operations += count(*args, **kwargs, out_val=result)
            return result

    return Counting()


def count_step(method: str, arguments: Mapping[str, Any], patch: int) -> StepCost:
    """Count one training step; takes no memory, and about a second for the largest networks.

    Methods that train in stages are counted in the last one.

    Args:
        method: registered name.
        arguments: of its constructor.
        patch: side of the clean training patch, in pixels.

    Raises:
        UncountedError: the step needs to look at data.
    """
    import torch
    from torch.nn.functional import l1_loss

    try:
        with _without_autocast(), torch.device("meta"), _counting_mode() as counting:
            # Initialisations draw again until no sample is outside of its bounds: "none is".
            network = method_class(method)(**arguments).to("meta")
            counting.answer = True  # a step checks that all is well
            parameters = sum(parameter.numel() for parameter in network.parameters())
            side = patch // network.scale
            batch = Batch(
                torch.rand(BATCH, 3, side, side),
                torch.rand(BATCH, 3, side * network.scale, side * network.scale),
                ("noise",) * BATCH,
                torch.full((BATCH,), 25.0),
            )
            counting.operations = 0
            for group in network.optimiser_groups():
                context = TrainingContext(10**6 - 1, 10**6, l1_loss, group)
                network.training_losses(batch, context)
    except Exception as error:  # whatever a network does with values that are not there
        raise UncountedError(f"{method}: {type(error).__name__}: {error}") from error
    return StepCost(round(counting.operations / BATCH / 1e9, 4), parameters)


@contextlib.contextmanager
def _without_autocast() -> Iterator[None]:
    """Leave `torch.autocast` out: it does not know the device without data, and counts nothing."""
    import torch

    original = torch.autocast
    torch.autocast = lambda *_, **__: contextlib.nullcontext()  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        torch.autocast = original  # type: ignore[misc]


def cost_key(spec: RunSpec) -> str:
    """What the cost of a run's step depends on, as text: runs with equal keys cost the same."""
    changes = json.dumps(spec.argument_changes, sort_keys=True)
    return f"{spec.tier} {spec.method} {changes} patch {spec.recipe.patch}"


class StepCosts:
    """Costs from the committed file, and counted where it has none, as long as time allows.

    Args:
        table: the committed file.
        seconds: for counting in all; 0 counts nothing.
    """

    def __init__(self, table: Path = TABLE, seconds: float = 8.0) -> None:
        self._known: dict[str, StepCost | None] = {}
        if table.is_file():
            content = json.loads(table.read_text(encoding="utf-8"))
            self._known.update(build(dict[str, StepCost], content, str(table)))
        self._end = time.monotonic() + seconds

    def of(self, spec: RunSpec) -> StepCost | None:
        """Cost of a run's step; None where it cannot be counted, or not in time."""
        key = cost_key(spec)
        if key not in self._known:
            if time.monotonic() > self._end:
                return None
            try:
                self._known[key] = count_step(spec.method, spec.arguments, spec.recipe.patch)
            except UncountedError:
                self._known[key] = None
        return self._known[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A graphics card as `config/costs.yaml` describes it."""

    label: str
    teraflops: Annotated[float, at_least(0.01)]
    """Rate while training, 10^12 counted operations per second."""
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What the jobs of a tier ask a scheduler for."""

    memory_mb: Annotated[int, at_least(1)]
    minutes: Annotated[int, at_least(1)]
    training_minutes: Annotated[int, at_least(1)]
    """The longest training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAssumptions:
    """`config/costs.yaml` (comments there)."""

    step_over_forward: float
    card: str
    cards: Mapping[str, Card]
    core: Card
    """A core of a processor, in place of a card."""
    demands: Mapping[str, Demands]
    """By tier."""
    png_share: Mapping[str, float]

    def card_named(self, name: str | None) -> Card:
        """The card of a name, or the default one; raises `UnknownNameError`."""
        return named_entry("card", name or self.card, self.cards)


GPU_CHECK = Path("gpu_check.json")
"""What `make gpu-check` writes, in the folder of the checkout."""


def checked_card(root: Path) -> Card | None:
    """The card that `make gpu-check` timed here; None where it has not run, or timed nothing.

    Raises:
        SpecError: the file is damaged.
    """
    path = root / GPU_CHECK
    if not path.is_file():
        return None
    try:
        content = build(dict[str, Any], parsed_json(path.read_bytes()))
        if content.get("teraflops") is None:
            return None
        facts = {"label": content["card"], "teraflops": content["teraflops"]}
        return build(Card, {**facts, "basis": "make gpu-check"})
    except (ValueError, KeyError) as error:
        raise SpecError(
            f"{path} is damaged ({error}); delete it and run make gpu-check again"
        ) from error


def read_assumptions(config: Path = CONFIG) -> CostAssumptions:
    """Read `config/costs.yaml`; a misspelt key is an error with the nearest one."""
    return read_yaml_spec(CostAssumptions, config / "costs.yaml")


def finished_runs(results: Path) -> dict[str, TrainingProvenance]:
    """Finished trainings by run, from `results/<tier>/runs/<run>/provenance.json`."""
    found = {}
    for path in sorted((results / "runs").glob("*/provenance.json")):
        try:
            found[path.parent.name] = TrainingProvenance.read(path)
        except ResultFileError as error:
            log.warning("%s; counts as not run", error)
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
        finished: Mapping[str, TrainingProvenance],
        costs: StepCosts,
        card: Card,
        step_over_forward: float,
    ) -> None:
        self._costs = costs
        self._card = card
        self._factor = step_over_forward
        self._measured: dict[str, tuple[RunSpec, TrainingProvenance]] = {}
        # A time on a GPU says more of the trainings to come than one on a processor.
        for run, measured in sorted(finished.items(), key=lambda item: not item[1].on_gpu):
            if run in specs:
                self._measured.setdefault(specs[run].method, (specs[run], measured))

    def of(self, spec: RunSpec) -> RunTime:
        """Expected time of a training from its first step to its last."""
        cost = self._costs.of(spec)
        parameters = None if cost is None else cost.parameters
        if spec.method in self._measured:
            other, measured = self._measured[spec.method]
            seconds = spec.recipe.last_step * measured.seconds_per_step * self._ratio(spec, other)
            unit = GPU_HOURS if measured.on_gpu else "hours without GPU"
            basis = f"{unit}, measured on {measured.place}"
            return RunTime(seconds / 3600, basis, parameters)
        if cost is None:
            return RunTime(None, "not counted", None)
        operations = cost.forward_gflop * 1e9 * self._factor * spec.recipe.batch
        seconds = spec.recipe.last_step * operations / (self._card.teraflops * 1e12)
        return RunTime(seconds / 3600, f"{GPU_HOURS}, {COUNTED} {self._card.label}", parameters)

    def _ratio(self, spec: RunSpec, other: RunSpec) -> float:
        """Operations of a step over those of another run's; 1 where they cannot be counted."""
        mine, theirs = self._costs.of(spec), self._costs.of(other)
        if mine is None or theirs is None or not theirs.forward_gflop:
            return 1.0
        return (mine.forward_gflop * spec.recipe.batch) / (
            theirs.forward_gflop * other.recipe.batch
        )


def count_all(specs: Iterable[RunSpec]) -> tuple[dict[str, Any], list[str]]:
    """Count runs, equal ones once: their costs by key, and why some cannot be counted."""
    costs: dict[str, Any] = {}
    failures = []
    for key, spec in {cost_key(spec): spec for spec in specs}.items():
        try:
            costs[key] = asdict(count_step(spec.method, spec.arguments, spec.recipe.patch))
        except UncountedError as error:
            failures.append(str(error))
    return costs, failures


def main() -> int:
    """Write the file; exit code 1 where a method cannot be counted."""
    parser = argparse.ArgumentParser(description="Count the training steps of all runs.")
    parser.add_argument("--out", type=Path, default=TABLE, help="JSON file to write")
    options = parser.parse_args()
    catalogue = load_catalogue(CONFIG / "datasets.yaml")
    specs: list[RunSpec] = []
    for tier in TIERS:
        config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": tier})
        specs += make_plan(config, catalogue).runs.values()
    costs, failures = count_all(specs)
    write_json(options.out, costs)
    print(f"{len(costs)} different training steps counted: {options.out}")
    sys.stderr.writelines(f"not counted: {failure}\n" for failure in dict.fromkeys(failures))
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
