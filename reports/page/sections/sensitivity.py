"""The section on what each choice of measuring is worth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from reports.analysis.sensitivity import (
    NOISE_DESCRIPTIONS,
    Change,
    Choice,
    MeasuredTestSet,
    Sensitivity,
)


def _largest(found: Sensitivity) -> tuple[Change, Choice, MeasuredTestSet] | None:
    """The largest change of the first metric, the degraded input not counted."""
    columns = [test_set for test_set in found.test_sets for _ in found.metrics]
    changes = [
        (cell, choice, column)
        for group in found.groups[:2]
        for choice in group.choices
        for column, cell in zip(columns, choice.cells, strict=True)
        if cell is not None and cell.metric == found.metrics[0] and math.isfinite(cell.difference)
    ]
    return max(changes, key=lambda change: abs(change[0].difference), default=None)


def sensitivity_section(path: Path | None) -> dict[str, Any]:
    """Read what `python -m reports.analysis.sensitivity` wrote; None: it was not run.

    Raises:
        ResultFileError: the file is damaged or of another version.
        OSError: it cannot be read.
    """
    if path is None:
        return {"reason": "the comparison was not run for this report"}
    found = Sensitivity.read(path)
    return {
        "reason": found.reason,
        "found": found,
        "largest": _largest(found),
        "noise_descriptions": NOISE_DESCRIPTIONS,
    }
