"""What a training writes down on its way: the curve of its losses, and snapshots of D."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ndr.atomic_file import atomic_path, write_text

CURVE_ROWS = 200
"""A curve has at most about this many rows, however long the training."""


class Curve:
    """Means of the losses over intervals of steps: the rows of `curve.csv`.

    Columns: `step` (steps done at the end of the interval), `learning_rate` (of its last step),
    each loss term, `total`, `gradient_norm` (before clipping), `seconds` (of training so far).
    """

    def __init__(self, steps: int) -> None:
        self.rows: list[dict[str, float]] = []
        self._steps = steps
        self._interval = -(-steps // CURVE_ROWS)
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, step: int, rate: float, values: Mapping[str, float], seconds: float) -> None:
        """Take the values of a step; `step` counts the steps done, itself included."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        if step % self._interval and step != self._steps:
            return
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self.rows.append(
            {"step": step, "learning_rate": rate, **means, "seconds": round(seconds, 3)}
        )
        self._sums, self._counts = {}, {}

    def write(self, path: str | Path) -> None:
        """Write the rows; a term that a stage of the training does not have stays empty."""
        outer = ("step", "learning_rate", "total", "gradient_norm", "seconds")
        terms = dict.fromkeys(name for row in self.rows for name in row if name not in outer)
        buffer = io.StringIO()
        writer = csv.DictWriter(
            buffer, [*outer[:2], *terms, *outer[2:]], restval="", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(path, buffer.getvalue())

    def state(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave."""
        self.rows = [dict(row) for row in state["rows"]]
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


def snapshot_steps(steps: int, count: int) -> list[int]:
    """Steps at which D is kept: the start, then evenly spaced in the logarithm up to the end.

    >>> snapshot_steps(1000, 5)
    [0, 1, 10, 100, 1000]
    """
    if count < 1:
        return []
    spaced = np.geomspace(1, steps, count - 1) if count > 2 else np.array([steps])
    return sorted({0, *(round(step) for step in spaced)} if count > 1 else {steps})


class Snapshots:
    """The learned degradation representation D at some steps (Fig. 12 follows its columns)."""

    def __init__(self, steps: int, count: int) -> None:
        self._due = frozenset(snapshot_steps(steps, count))
        self._taken: dict[int, Tensor] = {}

    def take(self, step: int, representation: Tensor | None) -> None:
        """Keep a copy when `step` (steps done) is due; nothing for a method without D."""
        if representation is not None and step in self._due:
            self._taken[step] = representation.detach().to("cpu", torch.float32).clone()

    def write(self, path: str | Path) -> None:
        """Write `steps` (n,) int64 and `D` (n, ...) float32; both empty for a method without D."""
        from safetensors.torch import save

        taken = [self._taken[step] for step in sorted(self._taken)]
        content = save(
            {
                "steps": torch.tensor(sorted(self._taken), dtype=torch.int64),
                "D": torch.stack(taken) if taken else torch.zeros(0),
            }
        )
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)

    def state(self) -> dict[int, Tensor]:
        """Everything that a resumed training needs."""
        return self._taken

    def load(self, state: Mapping[int, Tensor]) -> None:
        """Take over what `state` gave."""
        self._taken = dict(state)
