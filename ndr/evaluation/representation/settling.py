"""How fast D still changes while it is trained, with and without the learning rate's part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SettlingRow:
    """Between two kept steps.

    `change_per_step` is c / (b - a) with c = |D_b - D_a| / |D_a|, Frobenius norms. Any parameter
    slows down with its learning rate, so two further numbers take it out: `scaled` is c over the
    sum of the rates, which stays the same while D moves steadily in one direction; `walk` is c over
    the root of the sum of their squares, which stays the same while D moves at random (the steps
    between snapshots become more and more, and random steps cancel). D settles where both fall.
    """

    first_step: int
    last_step: int
    change_per_step: float
    learning_rate: float
    """Mean over the steps in between."""
    scaled: float
    walk: float


def settling_rows(
    steps: Sequence[int],
    history: NDArray[np.floating],
    learning_rate: Callable[[int], float],
) -> tuple[SettlingRow, ...]:
    """Changes of D between the kept snapshots.

    Args:
        steps: T numbers of steps done, ascending.
        history: D at these, (T, N, M).
        learning_rate: rate of the step that counts from 0.

    Returns:
        T - 1 rows; none for fewer than two snapshots.

    >>> D = np.array([1.0, 2.0, 2.5]).reshape(3, 1, 1)
    >>> [row.scaled for row in settling_rows([0, 1, 3], D, lambda step: 0.5)]
    [2.0, 0.25]
    """
    if len(steps) != len(history):
        raise ValueError(f"expected a D per step, found {len(history)} for {len(steps)} steps")
    rows = []
    values = history.astype(np.float64)
    for index in range(1, len(steps)):
        first, last = int(steps[index - 1]), int(steps[index])
        rates = np.array([learning_rate(step) for step in range(first, last)])
        change = np.linalg.norm(values[index] - values[index - 1])
        change /= np.linalg.norm(values[index - 1])
        rows.append(
            SettlingRow(
                first,
                last,
                float(change / (last - first)),
                float(rates.mean()),
                float(change / rates.sum()),
                float(change / np.sqrt((rates**2).sum())),
            )
        )
    return tuple(rows)
