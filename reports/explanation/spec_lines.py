"""A spec as lines that can be read: one fact per line, nested facts by their path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_value_text, value)) or "none"
    return "none" if value is None or value == {} else str(value)


def _nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value)


def spec_lines(content: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Lines of a spec's content, in its order.

    >>> list(spec_lines({"seed": 0, "setting": {"tasks": [{"name": "rain", "noise": None}]}}))
    ['seed: 0', 'setting.tasks.rain.noise: none']
    """
    for key, value in content.items():
        name = f"{path}{key}"
        if not _nested(value):
            yield f"{name}: {_value_text(value)}"
        elif isinstance(value, Mapping):
            yield from spec_lines(value, f"{name}.")
        else:
            for place, item in enumerate(value):
                inner = dict(item)
                yield from spec_lines(inner, f"{name}.{inner.pop('name', place)}.")
