"""The registered methods: found by scanning, created by name, loaded with authors' weights."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ndr.method import PRESETS, REGISTERED, CheckpointError, Method
from ndr.nearest_name import UnknownNameError, check_names, unknown_name
from ndr.published_weights import short

log = logging.getLogger(__name__)

BROKEN: dict[str, str] = {}
"""Modules and entry points whose methods cannot be used, with the reason."""


@functools.cache
def _scan() -> None:
    """Import the suite's own methods and those that other packages offer, once."""
    importlib.import_module("ndr.network.method")
    waiting = ["baselines"]
    while waiting:
        name = waiting.pop()
        _take(name, functools.partial(importlib.import_module, name))
        paths = getattr(sys.modules.get(name), "__path__", ())
        waiting += sorted((m.name for m in pkgutil.iter_modules(paths, f"{name}.")), reverse=True)
    for entry_point in entry_points(group="ndr.methods"):
        _take(f"{entry_point.name} = {entry_point.value}", entry_point.load)


def _take(source: str, load: Callable[[], object]) -> None:
    """Import methods; one broken file leaves all others as they are, and is told in a line."""
    known = dict(REGISTERED)
    try:
        load()
    except (Exception, SystemExit) as error:  # whatever a file of anybody's raises
        REGISTERED.clear()
        REGISTERED.update(known)
        BROKEN[source] = f"{type(error).__name__}: {short(error)}"
        log.warning("methods of %s cannot be used: %s", source, BROKEN[source])


def method_names() -> list[str]:
    """Names of all registered methods, sorted."""
    _scan()
    return sorted(REGISTERED)


def method_class(name: str) -> type[Method]:
    """The registered class; raises `UnknownNameError` with the nearest names."""
    _scan()
    if name not in REGISTERED:
        error = unknown_name("method", name, REGISTERED)
        broken = "".join(f"; {source} cannot be used: {why}" for source, why in BROKEN.items())
        raise UnknownNameError(f"{error}{broken}") if broken else error
    return REGISTERED[name]


def method_classes() -> Iterator[type[Method]]:
    """All registered classes in the order of their names."""
    for name in method_names():
        yield REGISTERED[name]


def method_arguments(name: str, preset: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Constructor arguments of a method: its defaults, then the preset, then the changes.

    Returns:
        Every argument of the constructor by name, so that two equal networks have equal
        arguments however they were asked for.

    Raises:
        UnknownNameError: unknown method, preset or change, with the nearest names.
    """
    cls = method_class(name)
    if preset not in cls.info.presets:
        raise unknown_name(f"preset of {name}", preset, cls.info.presets)
    parameters = [p for key, p in inspect.signature(cls).parameters.items() if key != "self"]
    defaults = {p.name: p.default for p in parameters}
    for given in (cls.info.presets[preset], changes):
        check_names(f"change of {name}", given, defaults)
    return {**defaults, **cls.info.presets[preset], **changes}


def create(name: str, preset: str = "paper", **changes: Any) -> Method:
    """Create a method.

    Args:
        name: registered name, see `method_names`.
        preset: tier whose sizes to take.
        changes: constructor arguments that differ from the preset, e.g. `use_dq=False`.

    Raises:
        UnknownNameError: unknown method, preset or change, with the nearest names.
    """
    return method_class(name)(**method_arguments(name, preset, changes))


def official_state(cls: type[Method], path: str | Path) -> Mapping[str, Tensor]:
    """Read the weights that a method's authors publish, whatever their file is.

    Raises:
        FileNotFoundError: no such file.
        OSError: it cannot be read.
        CheckpointError: damaged, or another file than the method's authors publish.
    """
    try:
        return cls.read_official_state(path)
    except (CheckpointError, OSError):
        raise
    except Exception as error:  # each method reads what its authors wrote, here from any file
        raise CheckpointError(
            f"{path} cannot be read as weights of {cls.info.paper_label}, expected those that its "
            f"authors publish ({short(error)})"
        ) from error


def _fits(cls: type[Method], arguments: Mapping[str, Any], mapped: Mapping[str, Tensor]) -> bool:
    """Whether a network with these arguments has the keys and shapes; it is never made."""

    def shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
        return {
            key: value.shape
            for key, value in state.items()
            if key.partition(".")[0] not in cls.training_only
        }

    try:
        with torch.device("meta"):
            return shapes(cls(**arguments).state_dict()) == shapes(mapped)
    except (ValueError, RuntimeError, TypeError):  # e.g. changes that a preset contradicts
        return False


def fitting_arguments(
    name: str, state: Mapping[str, Tensor], source: str, preset: str | None = None
) -> tuple[str, dict[str, Any]]:
    """The sizes of the network that an authors' checkpoint is of.

    What the keys say of the network (`Method.official_changes`) holds; the rest is of `preset`, or
    else of the first that fits: the published sizes, those of the method's published checkpoints,
    the presets of the other tiers.

    Returns:
        The preset, and all arguments of the method.

    Raises:
        CheckpointError: none fits; lists what differs from `preset`, or from the published sizes,
            and names a preset that would do.
    """
    cls = method_class(name)
    derived, mapped = cls.official_changes(state), cls.map_official_state(state)
    choices: list[tuple[str, Mapping[str, Any]]] = [(preset or "paper", {})]
    choices += [(weights.preset, weights.changes) for weights in cls.info.official_weights]
    choices += [(size, {}) for size in PRESETS]
    wanted, *others = (
        (size, method_arguments(name, size, {**changes, **derived})) for size, changes in choices
    )
    found = next((each for each in (wanted, *others) if _fits(cls, each[1], mapped)), None)
    if found is not None and preset in (None, found[0]):
        return found
    try:
        with torch.device("meta"):
            cls(**wanted[1]).load_official_state(state, source)
    except CheckpointError as error:
        fits = f"; it fits the sizes of {found[0]!r}" if found else ""
        raise CheckpointError(f"{error}{fits}") from error
    return wanted


def load_official(name: str, path: str | Path, preset: str = "paper", **changes: Any) -> Method:
    """Create a method with the weights that its authors publish.

    The authors' keys are mapped by the method; anything missing or left over is an error. What the
    keys say of the network (`Method.official_changes`) holds unless `changes` say otherwise.

    Raises:
        CheckpointError: damaged, another file, or keys or shapes that differ; the message names
            them.
        FileNotFoundError: no such file.
    """
    cls = method_class(name)
    state = official_state(cls, path)
    method = create(name, preset, **{**cls.official_changes(state), **changes})
    method.load_official_state(state, str(path))
    return method.eval()
