"""What an answer on D is, and how its numbers are printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ndr.records.representation import Measured
from reports.analysis.bootstrap import Interval
from reports.analysis.representation_intervals import Known, interval_of
from reports.number_format import MINUS, MISSING

TOO_FEW = "undecided: too few pictures"
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with its answer in one word or few, and the numbers it follows from.

    Every word follows from a 95 % interval.
    """

    question: str
    verdict: str
    text: str
    yes: bool | None = None
    """Whether the question is answered yes; None: undecided, or not measured."""
    measured: str = ""
    """The number that decides, in words."""
    value: float | None = None
    interval: Interval | None = None
    bound: float = 0.0
    """What the interval is compared with."""
    unit: str = ""
    """The main metric for decibels; empty: a share, a correlation, a ratio."""
    trainings: int = 1
    reason: str = ""
    """Why it is undecided or was not measured."""


def decided_by_interval(
    question: str,
    words: tuple[str, str, str],
    text: str,
    number: Known,
    *,
    measured: str,
    unit: str = "",
    bound: float = 0.0,
) -> Answer:
    """An answer that one interval decides.

    Args:
        question: what is asked.
        words: the verdicts above the bound (yes), below it (no), and where neither is certain.
        text: what was measured, in sentences.
        number: it decides.
        measured: the number in words.
        unit: as `Answer.unit`.
        bound: what the interval is compared with.
    """
    sign = number.sign(bound)
    verdict = TOO_FEW if number.interval is None else words[{1: 0, -1: 1, 0: 2}[sign]]
    return Answer(
        question,
        verdict,
        text,
        {1: True, -1: False, 0: None}[sign],
        measured,
        number.value,
        number.interval,
        bound,
        unit,
        number.trainings,
        "" if number.interval else "too few pictures",
    )


def unmeasured(question: str, reason: str) -> Answer:
    """The answer where there is no number."""
    sentence = f"{reason[:1].upper()}{reason[1:]}."
    return Answer(question, NOT_MEASURED, sentence, reason=reason)


def percent(value: float) -> str:
    """A share in per cent.

    >>> percent(0.734)
    '73 %'
    """
    return f"{100 * value:.0f} %".replace("-", MINUS)


def decibel(value: float) -> str:
    """A PSNR.

    >>> decibel(22.134)
    '22.13 dB'
    """
    return f"{value:.2f} dB"


def gain(value: float) -> str:
    """A difference of PSNR.

    >>> gain(-0.5), gain(0.02)
    ('−0.50 dB', '+0.02 dB')
    """
    return f"{value:+.2f} dB".replace("-", MINUS)


def plain(value: float) -> str:
    """A number with two decimals and a real minus sign.

    >>> plain(-0.128)
    '−0.13'
    """
    text = f"{value:.2f}"
    return (MINUS + text[1:] if text.startswith("-") else text).replace(f"{MINUS}0.00", "0.00")


def vectors(value: float) -> str:
    """A number of vectors.

    >>> vectors(17.04)
    '17.0'
    """
    return f"{value:.1f}"


def cosine(value: float) -> str:
    """A mean cosine.

    >>> cosine(0.0714)
    '0.071'
    """
    return f"{value:.3f}"


Form = Callable[[float], str]


def shown(number: Measured | Known, form: Form) -> str:
    """A number, or a dash."""
    return MISSING if number.value is None else form(number.value)


def interval_text(number: Measured | Known, form: Form) -> str:
    """The ends of the 95 % interval; empty where there is none."""
    interval = number.interval if isinstance(number, Known) else interval_of(number)
    return "" if interval is None else f"{form(interval.low)} to {form(interval.high)}"


def with_interval(number: Measured | Known, form: Form) -> str:
    """A number, and its interval in brackets."""
    ends = interval_text(number, form)
    return shown(number, form) + (f" ({ends})" if ends else "")
