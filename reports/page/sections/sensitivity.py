"""The section on what each choice of measuring is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.protocol import description
from reports.analysis.sensitivity import (
    NOISE_DESCRIPTIONS,
    Change,
    Group,
    MeasuredTestSet,
    OrderChange,
    Sensitivity,
)


@dataclass(frozen=True, slots=True)
class ShownChoice:
    """A row of the table."""

    name: str
    description: str
    cells: tuple[Change | None, ...]
    order: OrderChange | None


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """Rows of one kind."""

    title: str
    choices: tuple[ShownChoice, ...]


@dataclass(frozen=True, slots=True)
class LargestChange:
    """The largest change of PSNR, or of the first metric."""

    metric: str
    difference: float
    choice: str
    test_set: str


@dataclass(frozen=True, slots=True)
class SensitivitySection:
    """What the template needs."""

    reason: str
    label: str = ""
    run: str = ""
    protocol: str = ""
    noise_in_use: str = ""
    metrics: tuple[str, ...] = ()
    test_sets: tuple[MeasuredTestSet, ...] = ()
    groups: tuple[ShownGroup, ...] = ()
    largest: LargestChange | None = None
    problems: tuple[str, ...] = ()


def _shown(group: Group) -> ShownGroup:
    return ShownGroup(
        group.title,
        tuple(
            ShownChoice(
                choice.name,
                NOISE_DESCRIPTIONS.get(choice.name) or description(choice.name),
                choice.cells,
                choice.order,
            )
            for choice in group.choices
        ),
    )


def _largest(found: Sensitivity) -> LargestChange | None:
    """The largest change of the first metric, the degraded input not counted."""
    metric = found.metrics[0]
    columns = [test_set for test_set in found.test_sets for _ in found.metrics]
    changes = [
        (abs(cell.difference), LargestChange(metric, cell.difference, choice.name, column.label))
        for group in found.groups[:2]
        for choice in group.choices
        for column, cell in zip(columns, choice.cells, strict=True)
        if cell is not None and cell.metric == metric and math.isfinite(cell.difference)
    ]
    return max(changes, key=lambda change: change[0])[1] if changes else None


def sensitivity_section(path: Path | None) -> SensitivitySection:
    """Read what `python -m reports.analysis.sensitivity` wrote; None: it was not run.

    Raises:
        ResultFileError: the file is damaged or of another version.
        OSError: it cannot be read.
    """
    if path is None:
        return SensitivitySection(reason="the comparison was not run for this report")
    found = Sensitivity.read(path)
    if found.reason:
        return SensitivitySection(reason=found.reason)
    return SensitivitySection(
        reason="",
        label=found.label,
        run=found.run or "",
        protocol=found.protocol,
        noise_in_use=found.noise_in_use,
        metrics=found.metrics,
        test_sets=found.test_sets,
        groups=tuple(_shown(group) for group in found.groups),
        largest=_largest(found),
        problems=found.problems,
    )
