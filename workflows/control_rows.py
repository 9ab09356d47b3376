"""Rows of the controls that every report needs: the degraded input and the ground truth."""

from __future__ import annotations

from ndr.run_spec import UNTRAINED
from workflows.configuration import TableRow

INPUT_CONTROLS = {1: "identity", 2: "bicubic"}
"""The control that shows the degraded input of each scale: as it is, or enlarged."""
TRUTH_CONTROL = "oracle"


def input_row(scale: int) -> TableRow:
    """Row of the degraded input of a scale."""
    return TableRow(setting=UNTRAINED, method=INPUT_CONTROLS[scale], paper_method="")


def truth_row(scale: int) -> TableRow:
    """Row of the ground truth of test sets of a scale."""
    changes = {} if scale == 1 else {"scale": scale}
    return TableRow(setting=UNTRAINED, method=TRUTH_CONTROL, paper_method="", changes=changes)
