"""Reads a YAML file into a frozen dataclass; a misspelt key stops with the nearest valid one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import yaml

from ndr.run_spec import CanonicalSpec, SpecError

SpecT = TypeVar("SpecT", bound=CanonicalSpec)


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
