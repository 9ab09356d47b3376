"""How numbers are printed: with their metric's digits, signs, seconds, counts."""

from __future__ import annotations

import math

from ndr.metrics.metric import METRICS

MISSING = "\N{EN DASH}"
INFINITE = "\N{INFINITY}"
MINUS = "\N{MINUS SIGN}"


def digits(metric: str) -> int:
    """Digits after the point of a metric; of other quantities that claims compare, four."""
    return METRICS[metric].digits if metric in METRICS else 4


def unit(metric: str) -> str:
    """What stands after a metric's number, with its space: " dB", or nothing."""
    return f" {METRICS[metric].unit}" if METRICS[metric].unit else ""


def metric_text(metric: str, value: float | None, infinite: bool = False) -> str:
    """A metric with the digits that the paper prints (PSNR 2, SSIM 4).

    >>> metric_text("PSNR", 31.456), metric_text("SSIM", 0.88), metric_text("PSNR", None, True)
    ('31.46', '0.8800', '∞')
    """
    if infinite or (value is not None and math.isinf(value)):
        return INFINITE
    if value is None:
        return MISSING
    return f"{value:.{digits(metric)}f}".replace("-", MINUS)


def interval_text(metric: str, interval: tuple[float, float]) -> str:
    """An interval in small print, with one digit less than the number that it stands below.

    >>> interval_text("PSNR", (31.16, 31.94)), interval_text("SSIM", (0.8812, 0.9))
    ('31.2–31.9', '0.881–0.900')
    """
    return MISSING.join(f"{end:.{digits(metric) - 1}f}".replace("-", MINUS) for end in interval)


def difference_text(metric: str, difference: float | None) -> str:
    """A difference with its sign; what rounds to zero has none.

    >>> difference_text("PSNR", -0.126), difference_text("PSNR", 0.001)
    ('−0.13', '±0.00')
    """
    if difference is None:
        return MISSING
    size = f"{abs(difference):.{digits(metric)}f}"
    if float(size) == 0:
        return f"±{size}"
    return ("+" if difference > 0 else MINUS) + size


def csv_number(value: float | None, infinite: bool = False) -> str:
    """A number at full precision for files; empty where there is none.

    >>> csv_number(0.1), csv_number(None, infinite=True), csv_number(None)
    ('0.1', 'inf', '')
    """
    if infinite:
        return "inf"
    return "" if value is None else repr(value)


def duration_text(seconds: float) -> str:
    """Seconds in the two largest units that matter.

    >>> duration_text(3.21), duration_text(75), duration_text(7384), duration_text(190_000)
    ('3.2 s', '1 min 15 s', '2 h 3 min', '2 d 4 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def count_text(count: int | None) -> str:
    """A count with separated thousands.

    >>> count_text(27330315)
    '27,330,315'
    """
    return MISSING if count is None else f"{count:,}"


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "error"), counted(0, "error")
    ('1 error', '0 errors')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
