"""The rules by which a claim counts as reproduced, and nothing else.

A part is one mean difference with its 95 % interval; the claim gives a margin (zero where it names
only a direction).

- reproduced: the whole interval lies above the margin;
- not reproduced: the whole interval lies below it;
- undecided: the interval contains the margin, or there are too few scenes for one;
- not run: a result is missing.

A claim with several parts says that all of them hold. It is reproduced where every part is (each at
95 %: that all of them hold by luck is then rarer still). It is not reproduced where one part is
refuted; because one of many parts strays by luck more often than a single one, that part's interval
is widened to 1 - 0.05 / parts (Bonferroni). Where nothing is refuted and a part was not run, the
claim was not run; otherwise it is undecided.

Fewer than six scenes never decide: with five, even differences of one sign come about by chance
more often than once in twenty (2 / 2^5).
"""

from __future__ import annotations

from collections.abc import Sequence

from reports.analysis.bootstrap import LEVEL, Interval

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
UNDECIDED, NOT_RUN = "undecided", "not run"

MINIMUM_SCENES = 6


def widened_level(parts: int) -> float:
    """Level at which one of several parts may refute a claim.

    >>> widened_level(1), round(widened_level(5), 4)
    (0.95, 0.99)
    """
    return 1 - (1 - LEVEL) / parts


def part_verdict(
    interval: Interval, widened: Interval, margin: float, includes_margin: bool
) -> str:
    """Verdict of one difference.

    Args:
        interval: 95 %.
        widened: at `widened_level`; equals `interval` for a claim of one part.
        margin: what is claimed.
        includes_margin: whether a difference of just the margin is enough.

    >>> part_verdict(Interval(0.1, 0.3), Interval(0.1, 0.3), 0.0, False)
    'reproduced'
    """
    above = interval.low >= margin if includes_margin else interval.low > margin
    if above:
        return REPRODUCED
    below = widened.high < margin if includes_margin or not margin else widened.high <= margin
    return NOT_REPRODUCED if below else UNDECIDED


def combined(verdicts: Sequence[str]) -> str:
    """Verdict of a claim that says that all of its parts hold.

    >>> combined(["reproduced", "not run"]), combined(["not reproduced", "not run"])
    ('not run', 'not reproduced')
    """
    for verdict in (NOT_REPRODUCED, NOT_RUN, UNDECIDED):
        if verdict in verdicts:
            return verdict
    return REPRODUCED


def ratio_verdict(ratio: float, at_most: float, tolerance: float) -> str:
    """Verdict of a ratio of two times that were measured once each.

    >>> [ratio_verdict(r, at_most=1.1, tolerance=0.05) for r in (1.0, 1.1, 1.3)]
    ['reproduced', 'undecided', 'not reproduced']
    """
    if ratio * (1 + tolerance) <= at_most:
        return REPRODUCED
    return NOT_REPRODUCED if ratio * (1 - tolerance) > at_most else UNDECIDED


def settling_verdict(ratios: Sequence[float]) -> str:
    """Verdict on D: each ratio is a later speed over an earlier one, with the learning rate out.

    >>> [settling_verdict(r) for r in ((0.5, 0.8), (1.2, 1.1), (0.5, 1.1))]
    ['reproduced', 'not reproduced', 'undecided']
    """
    if all(ratio < 1 for ratio in ratios):
        return REPRODUCED
    return NOT_REPRODUCED if all(ratio > 1 for ratio in ratios) else UNDECIDED
