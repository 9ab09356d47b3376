"""The list of external methods, `config/external_methods.yaml`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndr.nearest_name import check_names

DEFAULT_FILE = Path(__file__).resolve().parents[2] / "config" / "external_methods.yaml"


@dataclass(frozen=True, slots=True)
class ExternalWeights:
    """A file of weights: where it lies, where it comes from, and its hash."""

    path: str
    url: str
    licence: str
    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ExternalSettings:
    """One entry of the file (comments there)."""

    name: str
    label: str
    citation: str
    tasks: tuple[str, ...]
    command: tuple[str, ...]
    scale: int = 1
    python: str = ""
    folder: str = ""
    environment: str = ""
    weights: Mapping[str, ExternalWeights] = dataclasses.field(default_factory=dict)
    seconds_to_start: float = 600.0
    seconds_per_image: float = 120.0


_TEXTS = {"label", "citation", "python", "folder", "environment"}
_NUMBERS = {"scale", "seconds_to_start", "seconds_per_image"}


def _keys(kind: type, content: Any, where: str, given: frozenset[str] = frozenset()) -> None:
    """Raise unless `content` is a mapping with the fields of `kind` that have no default."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{where}: expected keys and values, found {content!r}")
    fields = [field for field in dataclasses.fields(kind) if field.name not in given]
    check_names(f"key of {where}", map(str, content), [field.name for field in fields])
    for field in fields:
        no_default = dataclasses.MISSING
        optional = field.default is not no_default or field.default_factory is not no_default
        if not optional and field.name not in content:
            raise ValueError(f"{where}: expected a value for {field.name!r}, found none")


def _settings(name: str, content: Any, where: str) -> ExternalSettings:
    _keys(ExternalSettings, content, where, frozenset({"name"}))
    values = dict(content)
    for key in ("tasks", "command"):
        value = values[key]
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise ValueError(f"{where}: expected {key} as a list of texts, found {value!r}")
        values[key] = tuple(value)
    for key in _TEXTS & values.keys():
        if not isinstance(values[key], str):
            raise ValueError(f"{where}: expected {key} as a text, found {values[key]!r}")
    for key in _NUMBERS & values.keys():
        number = values[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
            raise ValueError(f"{where}: expected {key} as a number above 0, found {number!r}")
    weights = {}
    for file, details in (values.get("weights") or {}).items():
        _keys(ExternalWeights, details, f"{where}, weights.{file}")
        weights[file] = ExternalWeights(**details)
    return ExternalSettings(name=name, **{**values, "weights": weights})


def read_external_settings(path: Path = DEFAULT_FILE) -> list[ExternalSettings]:
    """Read the file; nothing is run and nothing has to be installed.

    Raises:
        UnknownNameError: a misspelt key, with the nearest one.
        ValueError: no valid YAML, or a value of the wrong kind.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no valid YAML: {error}") from error
    where = f"config/{path.name}"
    if not isinstance(content, Mapping):
        raise ValueError(f"{where}: expected methods by name, found {content!r}")
    return [_settings(str(name), entry, f"{where}, {name}") for name, entry in content.items()]
