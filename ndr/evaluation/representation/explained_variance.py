"""Share of the variance that the degradation type explains, and the picture (eta squared)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ndr.evaluation.representation.measured_number import Measured, missing, single


@dataclass(frozen=True, slots=True)
class ExplainedVariance:
    """Shares in [0, 1]; what is left to 1 belongs to type and picture together."""

    degradation: Measured
    picture: Measured


def explained_variance(
    features: Mapping[str, NDArray[np.float64]], *, standardise: bool = False
) -> ExplainedVariance:
    """Eta squared of a balanced design: each view once under each degradation.

    The sums of squares of all F numbers are added before they are divided, so that a number that
    hardly varies counts little. A share is never 0 by chance alone: with T types of V views each,
    numbers drawn at random give (T - 1) / (T V - 1) for the type and (V - 1) / (T V - 1) for the
    view.

    Args:
        features: per degradation, (V, F): one row per view, in the same order for all.
        standardise: give all numbers the same variance first, where their units differ.

    Returns:
        Share of the degradation and of the view; missing where nothing varies, or with one view.

    >>> design = {"noise": np.array([[0.0], [1.0]]), "rain": np.array([[3.0], [4.0]])}
    >>> explained_variance(design).degradation.value, explained_variance(design).picture.value
    (0.9, 0.1)
    """
    values = np.stack([np.asarray(rows, dtype=np.float64) for rows in features.values()])
    types, views, _ = values.shape
    if types < 2 or views < 2:
        reason = missing(f"needs two degradations and two views, found {types} and {views}")
        return ExplainedVariance(reason, reason)
    centred = values - values.mean(axis=(0, 1))
    if standardise:
        deviation = centred.std(axis=(0, 1))
        centred = centred[..., deviation > 0] / deviation[deviation > 0]
    total = float((centred**2).sum())
    if total == 0:
        reason = missing("nothing varies")
        return ExplainedVariance(reason, reason)
    by_type = views * float((centred.mean(axis=1) ** 2).sum())
    by_view = types * float((centred.mean(axis=0) ** 2).sum())
    count = types * views
    return ExplainedVariance(single(by_type / total, count), single(by_view / total, count))
