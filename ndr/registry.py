"""The registered methods: found by scanning, created by name, loaded with authors' weights."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ndr.method import REGISTERED, Method
from ndr.nearest_name import check_names, unknown_name


@functools.cache
def _scan() -> None:
    """Import the suite's own methods and those that other packages offer, once."""
    importlib.import_module("ndr.network.method")
    package = importlib.import_module("baselines")
    for module in pkgutil.walk_packages(package.__path__, prefix="baselines."):
        importlib.import_module(module.name)
    for entry_point in entry_points(group="ndr.methods"):
        entry_point.load()


def method_names() -> list[str]:
    """Names of all registered methods, sorted."""
    _scan()
    return sorted(REGISTERED)


def method_class(name: str) -> type[Method]:
    """The registered class; raises `UnknownNameError` with the nearest names."""
    _scan()
    if name not in REGISTERED:
        raise unknown_name("method", name, REGISTERED)
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


def load_official(name: str, path: str | Path, preset: str = "paper", **changes: Any) -> Method:
    """Create a method with the weights that its authors publish.

    The authors' keys are mapped by the method; anything missing or left over is an error. What the
    keys say of the network (`Method.official_changes`) holds unless `changes` say otherwise.

    Raises:
        CheckpointError: keys or shapes differ; the message names them.
        FileNotFoundError: no such file.
    """
    cls = method_class(name)
    state = cls.read_official_state(path)
    method = create(name, preset, **{**cls.official_changes(state), **changes})
    method.load_official_state(state, str(path))
    return method.eval()
