"""The registered methods: found by scanning, created by name, loaded with authors' weights."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ndr.checkpoint import is_part
from ndr.method import PRESETS, REGISTERED, CheckpointError, Method
from ndr.nearest_name import UnknownNameError, check_names, unknown_name
from ndr.published_weights import short

log = logging.getLogger(__name__)

BROKEN: dict[str, str] = {}
"""Modules and entry points whose methods cannot be used, with the reason."""
METHOD_PATHS = "NDR_METHOD_PATHS"
"""Environment variable with folders of methods outside of the suite, separated as in PATH."""
_LOST: dict[str, str] = {}
"""Methods that the text of a broken file names, with what is wrong with it."""
_NAMES = re.compile(r"""\bMethodInfo\(\s*["'](\w+)["']|\bname\s*=\s*["'](\w+)["']""")


def _scan() -> None:
    """Import the suite's own methods and those that other packages and folders offer, once."""
    _scan_suite()
    for folder in filter(None, os.environ.get(METHOD_PATHS, "").split(os.pathsep)):
        _scan_folder(folder)


@functools.cache
def _scan_suite() -> None:
    importlib.import_module("ndr.network.method")
    waiting = ["baselines"]
    while waiting:
        name = waiting.pop()
        _take(name, functools.partial(importlib.import_module, name), _file_of(name))
        paths = [Path(path) for path in getattr(sys.modules.get(name), "__path__", ())]
        inner = {module.name for module in pkgutil.iter_modules(map(str, paths))}
        # A folder of files without __init__.py is a package too.
        inner |= {file.parent.name for path in paths for file in path.glob("[!_.]*/[!_.]*.py")}
        waiting += sorted((f"{name}.{each}" for each in inner), reverse=True)
    for entry_point in entry_points(group="ndr.methods"):
        _take(f"{entry_point.name} = {entry_point.value}", entry_point.load)


@functools.cache
def _scan_folder(folder: str) -> None:
    """Import the files of a folder that register methods, however deep they lie."""
    root = Path(folder)
    if not root.is_dir():
        BROKEN[folder] = "no such folder"
        log.warning("methods of %s cannot be used: no such folder", folder)
        return
    sys.path.append(str(root))  # its names come last: they hide no module of others
    importlib.invalidate_caches()
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") for part in parts) or "site-packages" in parts
        if not hidden and b"register_method" in path.read_bytes():
            _take(str(path), functools.partial(_import_file, path, parts), path)


def _import_file(path: Path, parts: tuple[str, ...]) -> None:
    name = ".".join((*parts[:-1], path.stem)).removesuffix(".__init__")
    module = importlib.import_module(name)
    found = Path(module.__file__ or "")
    if found.resolve() != path.resolve():
        raise ImportError(f"rename the file: another module is called {name!r}")


def _file_of(module: str) -> Path | None:
    """Source file of a module of `baselines`, without importing anything."""
    path = Path(__file__).resolve().parent.parent.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _take(source: str, load: Callable[[], object], file: Path | None = None) -> None:
    """Import methods; one broken file leaves all others as they are, and is told in a line."""
    known = dict(REGISTERED)
    try:
        load()
    except (Exception, SystemExit) as error:  # whatever a file of anybody's raises
        REGISTERED.clear()
        REGISTERED.update(known)
        BROKEN[source] = f"{type(error).__name__}: {short(error)}{_place(error, file)}"
        log.warning("methods of %s cannot be used: %s", source, BROKEN[source])
        if file is not None:
            names = _NAMES.findall(file.read_text(encoding="utf-8", errors="replace"))
            for name in (file.stem, *(first or second for first, second in names)):
                _LOST.setdefault(name, f"{source} cannot be used: {BROKEN[source]}")


def _place(error: BaseException, file: Path | None) -> str:
    """Where in a file an error arose, in words; empty where that is not known."""
    if isinstance(error, SyntaxError):
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [each.lineno for each in frames if file is not None and Path(each.filename) == file]
    return f" ({file}, line {lines[-1]})" if lines else ""


def add_method_paths(folders: Iterable[str | Path]) -> None:
    """Take methods from folders outside of the suite, here and in the programs started from here.

    Args:
        folders: with Python files that register methods, at any depth.

    Raises:
        FileNotFoundError: one that is not there.
    """
    known = [path for path in os.environ.get(METHOD_PATHS, "").split(os.pathsep) if path]
    for folder in folders:
        path = Path(folder).resolve()
        if not path.is_dir():
            raise FileNotFoundError(
                f"method_paths: {folder} is no folder; expected one with Python files that "
                "register methods (docs/add_a_method.md)"
            )
        if str(path) not in known:
            known.append(str(path))
    if known:
        os.environ[METHOD_PATHS] = os.pathsep.join(known)


def lost_method(name: str) -> str:
    """Why a method cannot be used that a broken file names; empty for every other name."""
    _scan()
    return "" if name in REGISTERED else _LOST.get(name, "")


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
            key: value.shape for key, value in state.items() if not is_part(key, cls.official_lacks)
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
