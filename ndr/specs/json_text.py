"""JSON from files that anybody may have written: what is wrong with it is always a `ValueError`."""

from __future__ import annotations

import json
import math
from typing import Any

DEEPEST = 60
"""Levels of lists and mappings inside a value that a type does not describe."""


def parsed_json(text: str | bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises:
        ValueError: no JSON, or nested more deeply than Python's stack allows.
    """
    try:
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except RecursionError:
        raise ValueError("expected JSON, found lists or keys nested thousands deep") from None


def checked_plain(value: Any, room: int = DEEPEST) -> Any:
    """The value, if it can be walked through and written as JSON again.

    Raises:
        ValueError: nested more deeply than `room`, or a number that is not finite.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value!r}")
    if isinstance(value, (dict, list, tuple)):
        if room == 0:
            raise ValueError(f"expected at most {DEEPEST} levels of lists and keys, found more")
        for item in value.values() if isinstance(value, dict) else value:
            checked_plain(item, room - 1)
    return value
