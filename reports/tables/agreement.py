"""Whether a measured mean agrees with the paper's printed number."""

from __future__ import annotations

from collections.abc import Mapping

from reports.tables.result import CLOSE, INSIDE, OFF

TOLERANCES: Mapping[str, float] = {"PSNR": 0.1, "SSIM": 0.005}
OTHER_TOLERANCE = 1.0
"""For metrics without reference, whose scales go to 100."""


def tolerance(metric: str) -> float:
    """How far outside the interval the paper's number still counts as close.

    A tenth of a decibel and half a hundredth of SSIM are what the unspecified choices of a
    protocol (rounding, crop, window) move.

    >>> tolerance("PSNR")
    0.1
    """
    return TOLERANCES.get(metric, OTHER_TOLERANCE)


def agreement(metric: str, paper: float | None, interval: tuple[float, float] | None) -> str:
    """Where the paper's number lies: `inside` the interval, `close` to it, or `off`.

    Empty where the paper has no number, or ours no interval.

    >>> [agreement("PSNR", paper, (30.0, 31.0)) for paper in (30.5, 31.1, 31.11)]
    ['inside', 'close', 'off']
    """
    if paper is None or interval is None:
        return ""
    low, high = interval
    # Rounded: 31.1 - 31.0 is a little above 0.1.
    distance = round(max(low - paper, paper - high), 9)
    if distance <= 0:
        return INSIDE
    return CLOSE if distance <= tolerance(metric) else OFF
