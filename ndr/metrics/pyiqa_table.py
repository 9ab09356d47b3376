"""What the package pyiqa says of its metrics: direction and range, read without importing it.

Importing pyiqa takes seconds, and the report asks for these facts in its many short processes: the
file of its table is read alone.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "pyiqa"
OF_SETS = frozenset({"fgresq_pair", "fid", "fid_dinov2", "inception_score", "sfid"})
"""Those that rate sets or rank pairs of images: they have no number of one image."""
NAME = re.compile(r"[a-z][A-Za-z0-9_+-]*")
"""What its names look like; the suite's own metrics are in capitals."""


@dataclass(frozen=True, slots=True)
class PyiqaFacts:
    """One line of the table."""

    needs_reference: bool
    higher_is_better: bool
    lowest: float | None
    """None where the range has no end."""
    highest: float | None


def installed() -> bool:
    """Whether the package is there; it is not imported."""
    try:
        return importlib.util.find_spec(PACKAGE) is not None
    except (ImportError, ValueError):  # an import that was blocked
        return False


@functools.cache
def pyiqa_table() -> Mapping[str, PyiqaFacts]:
    """Facts of all metrics that rate single images, by name; empty without the package.

    The ranges are rough by pyiqa's own words: an end with `~` may be passed.
    """
    if not installed():
        return {}
    package = importlib.util.find_spec(PACKAGE)
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("default_model_configs.py")
    spec = importlib.util.spec_from_file_location("pyiqa_metric_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    content: Mapping[str, Mapping[str, Any]] = module.DEFAULT_CONFIGS
    return {name: _facts(entry) for name, entry in content.items() if name not in OF_SETS}


def _facts(entry: Mapping[str, Any]) -> PyiqaFacts:
    low, _, high = str(entry.get("score_range", "")).partition(",")
    return PyiqaFacts(
        needs_reference=entry["metric_mode"] == "FR",
        higher_is_better=not entry.get("lower_better", False),
        lowest=_end(low),
        highest=_end(high),
    )


def _end(text: str) -> float | None:
    """One end of a range.

    >>> _end("~-1"), _end(" 100"), _end(" ~")
    (-1.0, 100.0, None)
    """
    number = text.strip().removeprefix("~")
    return float(number) if number else None
