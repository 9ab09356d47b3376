"""The rules by which a claim counts as reproduced, and nothing else.

A part is one mean difference; the claim gives a margin (zero where it names only a direction).
Whether it is told from the margin is the rule of `reports.analysis.evidence`, which the tables'
marks follow too.

- reproduced: the difference is told to lie above the margin;
- not reproduced: it is told to lie below it;
- undecided: neither;
- not run: a result is missing.

A claim with several parts says that all of them hold. It is reproduced where every part is. It is
not reproduced where one part is refuted; because one of many parts strays by luck more often than a
single one, that part has to stand out among all parts of the claim (`Comparisons.at_least`). Where
nothing is refuted and a part was not run, the claim was not run; otherwise it is undecided.

With fewer than three trainings of each system a verdict is one about these trainings, which
`decided_words` says. The paper's own numbers are judged by the same margins and the same smallest
effect, without images and trainings (`paper_word`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ndr.records.claim_results import FAILS, HOLDS, TOO_CLOSE
from reports.analysis.bootstrap import Interval
from reports.analysis.evidence import MINIMUM_TRAININGS, Comparisons, Evidence

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
UNDECIDED, NOT_RUN = "undecided", "not run"
DECIDED = (REPRODUCED, NOT_REPRODUCED)


def part_verdict(
    found: Evidence, margin: float, smallest: float, comparisons: Comparisons, parts: int
) -> tuple[str, str]:
    """Verdict of one of a claim's `parts`, and why it is undecided.

    Args:
        found: the difference.
        margin: what is claimed.
        smallest: distances below it are no effect.
        comparisons: of the table that the part is about.
        parts: of the claim.
    """
    doubt = found.doubt(margin, smallest, comparisons)
    if doubt:
        return UNDECIDED, doubt
    if found.estimate > margin:
        return REPRODUCED, ""
    doubt = found.doubt(margin, smallest, comparisons.at_least(parts))
    return (UNDECIDED, f"below, but {doubt}") if doubt else (NOT_REPRODUCED, "")


def combined(verdicts: Sequence[str]) -> str:
    """Verdict of a claim that says that all of its parts hold.

    >>> combined(["reproduced", "not run"]), combined(["not reproduced", "not run"])
    ('not run', 'not reproduced')
    """
    for verdict in (NOT_REPRODUCED, NOT_RUN, UNDECIDED):
        if verdict in verdicts:
            return verdict
    return REPRODUCED


def decided_words(verdict: str, trainings: int) -> str:
    """A verdict in its own words: one about a few trainings says so.

    Args:
        verdict: of the part or claim.
        trainings: of each system behind it; 0 where nothing was trained for it (counts).

    >>> decided_words("reproduced", 1), decided_words("undecided", 1)
    ('reproduced for one training', 'undecided')
    """
    if verdict not in DECIDED or not 0 < trainings < MINIMUM_TRAININGS:
        return verdict
    return f"{verdict} for {'one training' if trainings == 1 else 'two trainings'}"


def paper_word(difference: Decimal | None, margin: float, smallest: float) -> str:
    """Whether a difference of the paper's own printed numbers supports what is claimed.

    >>> [paper_word(Decimal(gap), 0.7, 0.02) for gap in ("0.75", "0.70", "0.5")]
    ['holds', 'too close to say', 'does not hold']
    """
    if difference is None:
        return ""
    distance = difference - Decimal(repr(margin))
    if abs(distance) < Decimal(repr(smallest)):
        return TOO_CLOSE
    return HOLDS if distance > 0 else FAILS


def gap_word(paper: float | None, interval: Interval | None) -> str:
    """Where the paper's own gap lies: `inside` our interval, `above` it or `below` it.

    >>> gap_word(0.5, Interval(0.1, 0.4)), gap_word(None, Interval(0.1, 0.4))
    ('above', '')
    """
    if paper is None or interval is None:
        return ""
    if interval.contains(paper):
        return "inside"
    return "above" if paper > interval.high else "below"
