"""The section on parameters: the method's numbers beside those that the paper states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ndr.records.parameter_counts import ParameterCounts, PartCounts, VariantCounts
from reports.claims.specs import PARTS
from reports.paper.printed_values import text_fact


def _columns(variants: Mapping[str, VariantCounts]) -> list[tuple[str, PartCounts]]:
    """Counts in use, and with layers that a release has and never uses: those come first."""
    columns = []
    for name, counts in sorted(variants.items(), key=lambda each: -each[1].never_used_per_network):
        columns.append((f"{name.replace('_', ' ')}, in use", counts.in_use))
        if counts.never_used_per_network:
            head = f"{name.replace('_', ' ')}, with unused layers"
            columns.append((head, counts.with_never_used))
    return columns


def parameters_section(path: Path) -> dict[str, Any]:
    """Read what `python -m ndr.network.parameter_counts` wrote.

    Returns:
        Heads of the columns; rows of a label, the paper's words and the counts; all variants.

    Raises:
        FileNotFoundError: no such file.
        ResultFileError: not that file.
    """
    variants = ParameterCounts.read(path).variants
    columns = _columns(variants)
    rows = [
        (
            label,
            f"{text_fact('model', *fact, 'params_M').text} M",
            [getattr(counts, part) for _, counts in columns],
        )
        for part, (label, fact) in PARTS.items()
    ]
    return {"heads": [head for head, _ in columns], "rows": rows, "variants": variants}
