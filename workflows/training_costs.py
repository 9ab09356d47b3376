"""What a training step costs, counted on tensors that hold no data.

`python -m workflows.training_costs` counts every run of the tiers and writes
`config/training_costs.json`, so that an estimate need not count again; a run that is not in the
file is counted when it is asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ndr.atomic_file import write_json
from ndr.data.catalogue import load_catalogue
from ndr.method import Batch, TrainingContext, method_class
from ndr.run_spec import RunSpec
from workflows.configuration import CONFIG, read_yaml, suite_config
from workflows.planning import make_plan

TABLE = CONFIG / "training_costs.json"
TIERS = ("quick", "small", "paper")
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


def _to_processor(tensor: Any, keywords: Mapping[str, Any]) -> bool:
    """Whether a few values are to be copied to where they can be looked at."""
    device = keywords.get("device")
    return tensor.is_meta and device is not None and device.type == "cpu" and tensor.numel() < 100


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
            if func is torch.ops.aten._to_copy.default and _to_processor(args[0], kwargs):
                return torch.zeros(
                    args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype, device="cpu"
                )
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
    changes = json.dumps(spec.changes, sort_keys=True)
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
            self._known.update({key: StepCost(**cost) for key, cost in content.items()})
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


def count_all(specs: Iterable[RunSpec]) -> tuple[dict[str, Any], list[str]]:
    """Count runs, equal ones once: their costs by key, and why some cannot be counted."""
    costs: dict[str, Any] = {}
    failures = []
    for spec in specs:
        if cost_key(spec) not in costs:
            try:
                cost = count_step(spec.method, spec.arguments, spec.recipe.patch)
            except UncountedError as error:
                failures.append(str(error))
                continue
            costs[cost_key(spec)] = asdict(cost)
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
