"""Typed dataclasses from parsed JSON or YAML, and back: configuration, specs, plans and records.

A dataclass says what a file holds; `build` checks it. What does not fit is one `SpecError` that
names the place in the file, what was expected and what was found, for a misspelt key the nearest.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from ndr.nearest_name import check_names, unknown_name
from ndr.specs.json_text import checked_plain, parsed_json
from ndr.specs.yaml_text import parsed_yaml


class SpecError(ValueError):
    """Content that does not fit its dataclass, or contradicts itself or this version."""

    def __init__(self, message: str, place: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(place)}: {message}" if place else message)
        self.message = message
        self.place = place


LATER: Mapping[str, bool] = types.MappingProxyType({"later": True})
"""Metadata of a field that came after the first identities were kept: it stands in the canonical
form only where it differs from its default, so that older specs keep their hashes."""


def named(key: str) -> Mapping[str, str]:
    """Metadata of a field that has another name in files, e.g. a word of Python's own."""
    return types.MappingProxyType({"key": key})


def _key(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("key", field.name))


def plain(value: Any) -> Any:
    """A value as JSON's types; `LATER` fields at their defaults are left out."""
    if dataclasses.is_dataclass(value):
        return {
            _key(field): plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not (field.metadata.get("later") and getattr(value, field.name) == field.default)
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def canonical_json(content: Any) -> str:
    """JSON with sorted keys and no spaces: equal content gives equal text."""
    return json.dumps(plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)


class CanonicalSpec:
    """Canonical JSON and hash of a dataclass."""

    __slots__ = ()

    def canonical_json(self) -> str:
        """JSON with sorted keys and no spaces: equal specs give equal text."""
        return canonical_json(self)

    def sha256(self) -> str:
        """Identity of the spec, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a spec back; unknown or missing keys raise `SpecError` with the nearest name."""
        try:
            return build(cls, parsed_json(text))
        except ValueError as error:
            raise SpecError(f"cannot read a {cls.__name__}: {error}") from error


# ---- Checks for `Annotated` ----

Check = Callable[[Any], None]


def at_least(bound: float) -> Check:
    """For `Annotated`: a number from `bound` up."""

    def check(value: float) -> None:
        if value < bound:
            raise SpecError(f"expected at least {bound:g}, found {value}")

    return check


def like(pattern: str) -> Check:
    """For `Annotated`: text that a regular expression matches from end to end."""
    compiled = re.compile(pattern)

    def check(value: str) -> None:
        if not compiled.fullmatch(value):
            raise SpecError(f"expected text like {pattern}, found {value!r}")

    return check


def one_of(*choices: str) -> Check:
    """For `Annotated`: one of some words that a name stands for elsewhere."""
    return lambda value: check_names("choice", [value], choices)


def filled(value: Any) -> None:
    """For `Annotated`: a list or a mapping with something in it."""
    if not value:
        raise SpecError("expected at least one entry, found none")


# ---- From plain content to typed objects ----

LONGEST = 80
"""Characters of what was found that a message shows."""
Reader = Callable[[Any], Any]
PLAIN: Mapping[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("text", (str,)),
}


def build(kind: type[KindT], value: Any, source: str = "") -> KindT:
    """Turn parsed JSON or YAML, from `source`, into a dataclass.

    Fields may be plain types, `Any`, `Literal`, tuples, mappings, other dataclasses, unions of
    these, and `Annotated` with checks. Members of a union of dataclasses are told apart by the
    field that is a `Literal` in each, or else by their first field.

    Raises:
        SpecError: content that does not fit.
    """
    try:
        return typing.cast(KindT, _reader(typing.cast(Any, kind))(value))
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{source}: {error}" if source else str(error)) from error


def _inside(part: object, error: ValueError) -> SpecError:
    """The error of an item as one of what holds it."""
    if isinstance(error, SpecError):
        return SpecError(error.message, (str(part), *error.place))
    return SpecError(str(error), (str(part),))


def _short(value: Any) -> str:
    """What was found, for a message of one line."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


@functools.cache
def _reader(kind: Any) -> Reader:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in READERS:
        return READERS[origin](arguments)
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    return checked_plain if kind is Any else _plain_reader((kind,))


def _plain_reader(kinds: tuple[Any, ...]) -> Reader:
    words = " or ".join(PLAIN[kind][0] for kind in kinds)
    accepted = tuple(each for kind in kinds for each in PLAIN[kind][1])
    to_float = float in kinds and int not in kinds

    def read(value: Any) -> Any:
        # A bool is an int to Python, and to nobody else.
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in kinds):
            raise SpecError(f"expected {words}, found {_short(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise SpecError(f"expected a finite number, found {value!r}")
        if to_float and isinstance(value, int):
            if abs(value) > 10**308:
                raise SpecError(f"expected a finite number, found {_short(value)}")
            return float(value)
        return value

    return read


def _checked_reader(arguments: tuple[Any, ...]) -> Reader:
    inner, checks = _reader(arguments[0]), arguments[1:]

    def read(value: Any) -> Any:
        found = inner(value)
        for check in checks:
            check(found)
        return found

    return read


def _choice_reader(choices: tuple[Any, ...]) -> Reader:
    def read(value: Any) -> Any:
        # True equals 1 to Python, and to nobody else.
        if not any(value == each and type(value) is type(each) for each in choices):
            expected = ", ".join(map(repr, choices))
            raise SpecError(f"expected one of {expected}, found {_short(value)}")
        return value

    return read


def _tuple_reader(arguments: tuple[Any, ...]) -> Reader:
    every = len(arguments) == 2 and arguments[1] is Ellipsis
    readers = [_reader(arguments[0])] if every else [_reader(each) for each in arguments]

    def read(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise SpecError(f"expected a list, found {_short(value)}")
        if not every and len(value) != len(readers):
            raise SpecError(f"expected {len(readers)} entries, found {_short(value)}")
        found = []
        for index, item in enumerate(value):
            try:
                found.append(readers[0 if every else index](item))
            except ValueError as error:
                raise _inside(index, error) from None
        return tuple(found)

    return read


def _mapping_reader(arguments: tuple[Any, ...]) -> Reader:
    inner = _reader(arguments[1])

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise SpecError(f"expected keys with values, found {_short(value)}")
        found = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise SpecError(f"expected text as a key, found {key!r}; put it in quotes")
            try:
                found[key] = inner(item)
            except ValueError as error:
                raise _inside(key, error) from None
        return found

    return read


def _union_reader(members: tuple[Any, ...]) -> Reader:
    simple = tuple(member for member in members if member in PLAIN)
    others = tuple(member for member in members if member not in (*PLAIN, types.NoneType))
    if others:
        nested = _one_of_several(others) if len(others) > 1 else _reader(others[0])
    else:
        nested = _plain_reader(simple)
    read_simple = _plain_reader(simple) if simple else nested

    def read(value: Any) -> Any:
        if value is None and types.NoneType in members:
            return None
        return (nested if isinstance(value, (Mapping, list)) else read_simple)(value)

    return read


def _one_of_several(members: tuple[Any, ...]) -> Reader:
    """Reader of a union of dataclasses: by the value of a common key, or by a key of its own."""
    hints = [typing.get_type_hints(member) for member in members]
    common = [
        name
        for name in hints[0]
        if all(typing.get_origin(each.get(name)) is typing.Literal for each in hints)
    ]

    if common:
        key = common[0]
        by_value = {
            value: _reader(member)
            for member, each in zip(members, hints, strict=True)
            for value in typing.get_args(each[key])
        }
        check_value = _choice_reader(tuple(by_value))

        def read_by_value(value: Any) -> Any:
            found = value.get(key) if isinstance(value, Mapping) else None
            try:
                check_value(found)
            except SpecError as error:
                raise _inside(key, error) from None
            return by_value[found](value)

        return read_by_value

    by_key = {dataclasses.fields(member)[0].name: _reader(member) for member in members}

    def read_by_key(value: Any) -> Any:
        found = [key for key in by_key if isinstance(value, Mapping) and key in value]
        if len(found) > 1:
            raise SpecError(f"expected one of the keys {', '.join(found)}, found several")
        if not found:
            first = next(iter(value), "") if isinstance(value, Mapping) else value
            raise unknown_name("kind", str(first), by_key)
        return by_key[found[0]](value)

    return read_by_key


def _dataclass_reader(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {_key(field): field for field in dataclasses.fields(kind)}
    required = [
        key
        for key, field in fields.items()
        if field.default is field.default_factory is dataclasses.MISSING
    ]

    @functools.cache  # made at the first object: a dataclass may hold others of its own kind
    def made_readers() -> Mapping[str, Reader]:
        return {key: _reader(hints[field.name]) for key, field in fields.items()}

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise SpecError(f"expected the keys of {kind.__name__}, found {_short(value)}")
        readers = made_readers()
        content = {}
        for key, item in value.items():
            if key not in readers:
                raise SpecError(str(unknown_name("key", str(key), readers)))
            try:
                content[fields[key].name] = readers[key](item)
            except ValueError as error:
                raise _inside(key, error) from None
        missing = [key for key in required if key not in value]
        if missing:
            raise SpecError(f"expected the key {missing[0]!r} of {kind.__name__}, found none")
        return kind(**content)

    return read


READERS: Mapping[Any, Callable[[tuple[Any, ...]], Reader]] = {
    typing.Annotated: _checked_reader,
    typing.Literal: _choice_reader,
    typing.Union: _union_reader,
    types.UnionType: _union_reader,
    tuple: _tuple_reader,
    dict: _mapping_reader,
    Mapping: _mapping_reader,
}


# ---- Files ----


def read_yaml(path: Path) -> Any:
    """Parse a YAML file; raises `SpecError` with the file and the line where it is none."""
    try:
        return parsed_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from error


KindT = TypeVar("KindT")


def read_yaml_spec(kind: type[KindT], path: Path) -> KindT:
    """Build `kind` from a YAML file; raises `SpecError`, which names the file."""
    return build(kind, read_yaml(path), str(path))
