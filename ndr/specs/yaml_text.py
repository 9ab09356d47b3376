"""YAML from files that anybody may have written: what is wrong with it is always a `ValueError`."""

from __future__ import annotations

import math
import re
from typing import Any

from ndr.specs.json_text import DEEPEST

MOST = 1e6
"""Values that a file may stand for, aliases written out."""
_DAMAGES = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError)
"""What PyYAML raises for values that are none, e.g. a 32nd day, or `!!bool x`."""

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What no text needs, and what changes how the text around it is shown: codes of terminals, and
turns of the direction of writing. Right-to-left letters turn by themselves."""


def parsed_yaml(text: str) -> Any:
    """Parse YAML.

    Raises:
        ValueError: no YAML, nested deeply, with control characters, or with aliases that stand for
            too much; in one line.
    """
    import yaml

    # libyaml's where PyYAML was built with it: the same result, ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(text, loader)
        content = yaml.load(text, loader)
    except (yaml.YAMLError, *_DAMAGES) as error:
        raise ValueError(f"no valid YAML: {' '.join(str(error).split())}") from error
    check_aliases(content)
    return content


def _check_events(text: str, loader: Any) -> None:
    """Refuse `CONTROLS`, and nesting before libyaml builds it: its stack would end the process."""
    import yaml

    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"expected at most {DEEPEST} levels of lists and keys, found more")
        control = isinstance(event, yaml.ScalarEvent) and CONTROLS.search(event.value)
        if control:
            raise ValueError(
                f"line {event.start_mark.line + 1}: the control character U+{ord(control[0]):04X} "
                "changes how other text is shown; take it out"
            )


def check_aliases(content: Any) -> None:
    """Refuse parsed YAML that nobody could walk through.

    Raises:
        ValueError: its aliases stand for more than `MOST` values, or hold themselves.
    """
    if _size(content, {}) > MOST:
        raise ValueError("its aliases stand for more than a million values")


def _size(value: Any, known: dict[int, float]) -> float:
    """Number of values with aliases written out; infinite where one holds itself."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(item, known) for item in items)
    return known[id(value)]
