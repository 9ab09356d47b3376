"""Reads back a JSON file that the suite wrote; any other file is refused, with what to do."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from ndr.nearest_name import check_names


class SpecError(ValueError):
    """A spec whose content contradicts itself or this version of the suite."""


LATER: Mapping[str, bool] = types.MappingProxyType({"later": True})
"""Metadata of a field that came after the first identities were kept: it stands in the canonical
form only where it differs from its default, so that older specs keep their hashes."""


def _plain(value: Any) -> Any:
    """A spec as JSON's types; `LATER` fields at their defaults are left out."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not (field.metadata.get("later") and getattr(value, field.name) == field.default)
        }
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


class CanonicalSpec:
    """Canonical JSON and hash of a dataclass."""

    def canonical_json(self) -> str:
        """JSON with sorted keys and no spaces: equal specs give equal text."""
        return json.dumps(_plain(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def sha256(self) -> str:
        """Identity of the spec, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a spec back; unknown or missing keys raise `SpecError` with the nearest name."""
        try:
            return _build(cls, json.loads(text))
        except (json.JSONDecodeError, ValueError, TypeError) as error:
            raise SpecError(f"cannot read a {cls.__name__}: {error}") from error


@functools.cache
def _annotations(kind: type) -> dict[str, Any]:
    """Types of a dataclass's fields; evaluating them costs more than building an object."""
    return typing.get_type_hints(kind)


def _build(kind: Any, value: Any) -> Any:
    """Turn parsed JSON into the annotated type (dataclasses, tuples of them, plain values)."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise TypeError(f"expected an object for {kind.__name__}, found {value!r}")
        hints = _annotations(kind)
        check_names(f"key of {kind.__name__}", value, hints)
        return kind(**{key: _build(hints[key], item) for key, item in value.items()})
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_build(item, element) for element in value)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = [option for option in typing.get_args(kind) if option is not type(None)]
        return _build(inner[0], value) if len(inner) == 1 else value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


SpecT = TypeVar("SpecT", bound=CanonicalSpec)


class ResultFileError(ValueError):
    """A file of results that is damaged or of another version of the suite."""


def read_result_file(
    kind: type[SpecT], path: str | Path, *, schema: int, what: str, again: str = "run again"
) -> SpecT:
    """Build `kind` from the file under `path`.

    Args:
        kind: dataclass of the file's content; it has a key `schema`.
        path: the file.
        schema: the version that this code reads.
        what: the kind of file in words, e.g. "table file", for the message.
        again: how to make the file anew, after deleting it.

    Raises:
        FileNotFoundError: no such file.
        ResultFileError: not JSON, of another schema version, or with unknown or missing keys.
    """
    content = Path(path).read_bytes()
    advice = f"delete {path} and {again}"
    try:
        text = content.decode("utf-8")
        found = json.loads(text)["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultFileError(f"{path} is no {what} ({error!r}); {advice}") from error
    # Before the keys: those of another version are expected to differ.
    if found != schema:
        raise ResultFileError(f"{path}: expected schema {schema}, found {found!r}; {advice}")
    try:
        return kind.from_json(text)
    except SpecError as error:
        raise ResultFileError(f"{path}: {error}; {advice}") from error


class CheckedSection(BaseModel):
    """A section of the catalogue: frozen, and a misspelt key is an error with the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            check_names("key", (str(key) for key in content), known)
        return content


def read_yaml_spec(kind: type[SpecT], path: Path) -> SpecT:
    """Build `kind` from a YAML file.

    Raises:
        FileNotFoundError: no such file.
        SpecError: no valid YAML, or unknown, missing or contradicting keys; names the file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return kind.from_json(json.dumps(content))
    except (yaml.YAMLError, SpecError, TypeError) as error:
        raise SpecError(f"{path}: {error}") from error
