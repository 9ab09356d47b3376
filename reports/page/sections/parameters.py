"""The section on parameters: the method's numbers beside those that the paper states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.claims.specs import PARTS, ParameterTableError
from reports.paper.printed_values import text_fact


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One part of the networks; counts in the order of `ParameterTable.heads`."""

    label: str
    paper_millions: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AblationRow:
    """Size of an ablation; per variant its count and its ratio to the full network."""

    name: str
    counts: tuple[int, ...]
    ratios: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """What the page prints of parameter counts."""

    variants: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[ParameterRow, ...]
    ablations: tuple[AblationRow, ...]


def _paper_text(method: str, column: str) -> str:
    return f"{text_fact('model', method, column, 'params_M').text} M"


def _columns(variants: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int]]]:
    """Counts in use, and with layers that a release has and never uses: those come first."""
    columns = []
    for name, counts in sorted(
        variants.items(), key=lambda item: -item[1]["never_used_per_network"]
    ):
        columns.append((f"{name.replace('_', ' ')}, in use", counts["in_use"]))
        if counts["never_used_per_network"]:
            head = f"{name.replace('_', ' ')}, with unused layers"
            columns.append((head, counts["with_never_used"]))
    return columns


def read_parameter_table(path: Path) -> ParameterTable:
    """Read what `python -m ndr.network.parameter_counts` wrote.

    Raises:
        FileNotFoundError: no such file.
        ParameterTableError: not that file.
    """
    try:
        variants = json.loads(path.read_text(encoding="utf-8"))["variants"]
        columns = _columns(variants)
        rows = tuple(
            ParameterRow(label, _paper_text(*fact), tuple(counts[key] for _, counts in columns))
            for key, (label, fact) in PARTS.items()
        )
        first = next(iter(variants.values()))
        ablations = tuple(
            AblationRow(
                name,
                tuple(v["ablations"][name]["restore"] for v in variants.values()),
                tuple(v["ablations"][name]["restore_relative_to_full"] for v in variants.values()),
            )
            for name in first["ablations"]
        )
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise ParameterTableError(
            f"{path} is not a file of parameter counts ({error!r}); delete it and run again"
        ) from error
    names = tuple(name.replace("_", " ") for name in variants)
    return ParameterTable(names, tuple(head for head, _ in columns), rows, ablations)
