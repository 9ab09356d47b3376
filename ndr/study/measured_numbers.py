"""Numbers of a measurement with their mean per picture, or with why there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ndr.records.representation import Measured


def missing(reason: str) -> Measured:
    """A number that is unavailable.

    >>> missing("needs 3 pictures, found 2").value is None
    True
    """
    return Measured(None, 0, {}, reason)


def single(value: float, n: int) -> Measured:
    """A number that is no mean over pictures; None with a reason where it is not finite.

    >>> single(0.5, 12).value, single(float("nan"), 12).value
    (0.5, None)
    """
    if not np.isfinite(value):
        return missing("the number is not defined for these values (nothing varies)")
    return Measured(float(value), n)


def mean_over_pictures(values: ArrayLike, pictures: Sequence[str]) -> Measured:
    """Mean of the means per picture, so that a picture with more values counts no more.

    Args:
        values: one per sample; NaN where a sample has none (a correlation of constants).
        pictures: the picture of each sample.

    >>> mean_over_pictures([1.0, 0.0, 1.0, float("nan")], ["a", "a", "b", "b"])
    Measured(value=0.75, n=3, pictures={'a': 0.5, 'b': 1.0}, reason='')
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(pictures),):
        raise ValueError(f"expected {len(pictures)} values, one per picture's name: {array.shape}")
    known = np.isfinite(array)
    owners = np.asarray(pictures)
    means = {
        str(picture): float(array[known & (owners == picture)].mean())
        for picture in dict.fromkeys(pictures)
        if (known & (owners == picture)).any()
    }
    if not means:
        return missing("the number is not defined for any picture (nothing varies)")
    return Measured(float(np.mean(list(means.values()))), int(known.sum()), means)
