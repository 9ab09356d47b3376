"""Best and second best of a column, within a block."""

from __future__ import annotations

from collections.abc import Sequence


def ranks(values: Sequence[float | None]) -> list[int]:
    """Rank 1 (best), 2 (second best) or 0 for each value; larger is better.

    Exactly equal values share a rank: two bests leave no second. A column in which fewer than
    two values compete has no best.

    Args:
        values: None where a row does not compete.

    >>> ranks([30.1, 31.2, None, 29.0])
    [2, 1, 0, 0]
    >>> ranks([31.2, 31.2, 30.0])
    [1, 1, 0]
    """
    competing = sorted((value for value in values if value is not None), reverse=True)
    if len(competing) < 2:
        return [0] * len(values)
    best, second = competing[:2]
    return [
        0 if value is None else 1 if value == best else 2 if value == second else 0
        for value in values
    ]
