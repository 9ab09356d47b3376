"""Write the layout of the method's networks: `python -m ndr.network.layout --help`.

The method is created and called once. Hooks on its modules record what was called, in which order
and with which shapes, so that a drawing shows the network that trains. The file's content is
documented in `ndr.records.network_layout`.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn import Module, ModuleList, Sequential

from ndr.method import Batch, TrainingContext, parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.network.degradation_injection import DegradationInjection
from ndr.network.degradation_query import DegradationQuery
from ndr.network.method import NDRRestoreMethod
from ndr.network.ndr_restore import NDRRestore, SkipRecord, UNet
from ndr.records.network_layout import (
    Layer,
    Loss,
    Network,
    NetworkLayout,
    Part,
    Representation,
    Skip,
    Stage,
)
from ndr.registry import create
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import SpecError

logger = logging.getLogger("ndr.network.layout")

SIDE = 64
"""Side of the traced image: a multiple of what every variant needs."""
LOSS_SIDE = 16
"""Side of the image that the losses are asked for: their names do not depend on it."""
SKIP_ROLES = ("queries", "injections", "plain_skips")


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    name: str
    module: Module
    input: tuple[int, ...]
    output: tuple[int, ...]


@contextmanager
def _calls(named: Iterable[tuple[str, Module]]) -> Iterator[dict[str, _Call]]:
    """Collect the first call of each module, in order; the shapes are those of one image."""
    calls: dict[str, _Call] = {}

    def hook(name: str) -> Callable[[Module, tuple[Any, ...], Any], None]:
        def record(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
            shapes = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])
            calls.setdefault(name, _Call(name, module, *shapes))

        return record

    handles = [module.register_forward_hook(hook(name)) for name, module in named]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _stage_modules(network: UNet) -> list[tuple[str, Module]]:
    """Children that make up the network, lists of levels opened; D has no place in the order."""
    found = []
    for name, child in network.named_children():
        if isinstance(child, ModuleList):
            found += [(f"{name}.{level}", item) for level, item in enumerate(child)]
        elif name != "representation":
            found.append((name, child))
    return found


def _stage(call: _Call, bottom_level: int) -> Stage:
    role, _, index = call.name.partition(".")
    blocks = list(call.module) if isinstance(call.module, Sequential) else [call.module]
    block = blocks[0] if blocks else call.module
    attention = getattr(block, "attention", None)
    return Stage(
        name=call.name,
        role=role,
        level=bottom_level if role == "bottom" else int(index or 0),
        block=type(block).__name__,
        blocks=len(blocks),
        heads=None if attention is None else len(attention.temperature),
        kernel=getattr(block, "kernel_size", (None,))[0],
        input=call.input,
        output=call.output,
        parameters=parameter_count(call.module),
    )


def _network(
    network: UNet,
    calls: Mapping[str, _Call],
    records: Sequence[SkipRecord],
    image: torch.Tensor,
    output: torch.Tensor,
) -> Network:
    skips = []
    for level in range(len(network.encoders)):
        query = calls.get(f"queries.{level}")
        injection = calls.get(f"injections.{level}") or calls[f"plain_skips.{level}"]
        affinity = records[level].affinity if records else None
        skips.append(
            Skip(
                level=level,
                query=None if query is None else type(query.module).__name__,
                query_parameters=0 if query is None else parameter_count(query.module),
                affinity=None if affinity is None else tuple(affinity.shape[1:]),
                degradation=None if query is None else query.output,
                injection=type(injection.module).__name__,
                injection_parameters=parameter_count(injection.module),
                features=injection.input,
                injected=injection.output,
            )
        )
    stages = [call for call in calls.values() if call.name.partition(".")[0] not in SKIP_ROLES]
    return Network(
        kind=type(network).__name__,
        parameters=parameter_count(network),
        input=tuple(image.shape[1:]),
        output=tuple(output.shape[1:]),
        image_residual=network.image_residual,
        stages=tuple(_stage(call, len(network.encoders)) for call in stages),
        skips=tuple(skips),
    )


def _inner_modules(network: NDRRestore) -> dict[str, tuple[Module, list[tuple[str, Module]]]]:
    """The parts at full size by name, each with the modules that it is drawn with."""
    found: dict[str, tuple[Module, list[tuple[str, Module]]]] = {}
    if network.queries is None or network.injections is None:
        return found
    query, injection = network.queries[0], network.injections[0]
    leaves = [(n, m) for n, m in query.named_modules() if not list(m.children())]
    found["query"] = (query, leaves)
    found["injection"] = (injection, list(injection.named_children()))
    if isinstance(injection, DegradationInjection):
        cp = injection.feature_cp
        found["cp_convolution"] = (cp, list(cp.named_children()))
    return found


def _options(module: Module) -> dict[str, Any]:
    if isinstance(module, DegradationQuery):
        return {"temperature": module.temperature is not None}
    names = ("rank", "multiplies_input", "residual", "residuals")
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


def _part(name: str, module: Module, calls: Mapping[str, _Call]) -> Part:
    prefix = f"{name}/"
    layers = [
        Layer(
            name=call.name.removeprefix(prefix),
            kind=type(call.module).__name__,
            kernel=getattr(call.module, "kernel_size", (None,))[0],
            input=call.input,
            output=call.output,
            parameters=parameter_count(call.module),
        )
        for call in calls.values()
        if call.name.startswith(prefix)
    ]
    return Part(
        name, type(module).__name__, parameter_count(module), tuple(layers), _options(module)
    )


def _blank(side: int) -> torch.Tensor:
    return torch.zeros(1, 3, side, side)


def _created(tier: str, name: str, arguments: dict[str, Any]) -> NDRRestoreMethod:
    """The method with zeros for weights: shapes depend on none, and drawing them takes seconds.

    It does not stay on the meta device, because the attention asks for autocast, which does not
    know that device.
    """
    with torch.device("meta"):
        method = create(name, tier, **arguments)
    if not isinstance(method, NDRRestoreMethod):
        raise SpecError(f"layout: expected the method ndr_restore, found {name!r}")
    method = method.to_empty(device="cpu").eval()
    for tensor in (*method.parameters(), *method.buffers()):
        tensor.zero_()
    for module in method.modules():
        if isinstance(module, DegradationQuery):
            # Drawn in the paper's order: the faster one calls no layer of its own.
            vars(module)["forward"] = module.as_written
    return method


def _losses(method: NDRRestoreMethod) -> tuple[Loss, ...]:
    """The terms that a training step adds up, with their weights."""
    degraded, clean = (_blank(side) for side in (LOSS_SIDE, LOSS_SIDE * method.scale))
    batch = Batch(degraded, clean, ("noise",), torch.zeros(1))
    context = TrainingContext(step=0, total_steps=1, pixel_loss=lambda a, b: (a - b).abs().mean())
    weights = {"degrade": method.lambda_degrad, "independence": method.le_weight}
    names = method.training_losses(batch, context)
    return tuple(Loss(name, float(weights.get(name, 1.0))) for name in names)


def network_layout(tier: str, name: str, arguments: dict[str, Any]) -> NetworkLayout:
    """Create the method, call it once, and record what it is made of.

    Args:
        tier: preset whose sizes hold where `arguments` say nothing.
        name: registered name of the method.
        arguments: constructor arguments.

    Raises:
        UnknownNameError: no such method, preset or argument, with the nearest names.
        SpecError: the method is not NDR-Restore; its layout is the only one that is drawn.
    """
    with torch.no_grad():
        method = _created(tier, name, arguments)
        restoration, degradation = method.restoration, method.degradation
        image, clean = _blank(SIDE), _blank(SIDE * method.scale)
        parts = _inner_modules(restoration)
        inner = [(f"{part}/{n}", m) for part, (_, found) in parts.items() for n, m in found]
        records: list[SkipRecord] = []
        with _calls(_stage_modules(restoration)) as outer_calls, _calls(inner) as inner_calls:
            restored, degradations = restoration(image, records)
        networks = [_network(restoration, outer_calls, records, image, restored)]
        if degradation is not None:
            with _calls(_stage_modules(degradation)) as calls:
                degraded = degradation(clean, degradations)
            networks.append(_network(degradation, calls, (), clean, degraded))
        losses = _losses(method)
    vectors = restoration.representation
    count, dimension = (0, 0) if vectors is None else vectors.vectors.shape
    return NetworkLayout(
        tier=tier,
        method=name,
        label=method.info.paper_label,
        arguments=dict(arguments),
        side=SIDE,
        scale=method.scale,
        representation=None
        if vectors is None
        else Representation(dimension, count, parameter_count(vectors)),
        restoration=networks[0],
        degradation=networks[1] if len(networks) > 1 else None,
        parts=tuple(_part(part, module, inner_calls) for part, (module, _) in parts.items()),
        losses=losses,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ndr.network.layout", description=__doc__)
    parser.add_argument("--spec-json", required=True, help="the run, as canonical JSON")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSON to write")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        spec = RunSpec.from_json(arguments.spec_json)
        layout = network_layout(spec.tier, spec.method, spec.arguments)
        layout.write(arguments.out)
    except (SpecError, UnknownNameError, OSError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
