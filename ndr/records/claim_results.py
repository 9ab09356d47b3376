"""The file `results/<tier>/claims.json`: each claim of the paper with its verdict and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ndr.records.record import Record

RATIO, MILLIONS, SECONDS, NUMBER = "ratio", "M", "s", "number"
"""Units beside the metrics' own; `number`: a correlation, a share, without a unit."""
HOLDS, FAILS, TOO_CLOSE = "holds", "does not hold", "too close to say"
"""What the paper's own numbers say to a sentence."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """One difference, ratio or count of a claim."""

    label: str
    """What is compared, e.g. "NDR-Restore over AirNet, SOTS"."""
    verdict: str
    reason: str = ""
    """Why it is undecided or was not run; empty where the interval says it."""
    unit: str = ""
    """The metric of a difference, `ratio`, or `M` for millions of parameters."""
    estimate: float | None = None
    interval: tuple[float, ...] | None = None
    """Lower and upper end, 95 %."""
    bound: float | None = None
    """Margin or upper bound that is claimed; None: only a direction."""
    paper: float | None = None
    """The same from the paper's own numbers."""
    in_paper: str = ""
    """What the paper's own numbers say: `HOLDS`, `FAILS`, `TOO_CLOSE`; empty: not printed."""
    paper_gap: str = ""
    """Where the paper's own gap lies: `inside` our interval, `above` or `below` it; or empty."""
    images: int = 0
    scenes: int = 0
    trainings: int = 0
    """Of each system, at least; 0: nothing was trained for it."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One sentence of the paper."""

    id: str
    says: str
    quote: str
    where: str
    kind: str
    tables: tuple[str, ...]
    """Tables whose cells it is about, e.g. `table_05`."""
    verdict: str
    deciding: int | None
    """Which part decided the verdict; None where nothing was asked of results."""
    parts: tuple[PartResult, ...]
    reason: str = ""
    """For a claim without parts: why it was not run."""
    note: str = ""
    """What a reader of the verdict has to know."""

    @property
    def decisive(self) -> PartResult | None:
        """The part that decided: the weakest of those that hold, or the one that fails."""
        return None if self.deciding is None else self.parts[self.deciding]

    @property
    def trainings(self) -> int:
        """Of each system behind the parts that have the verdict, at least; 0: nothing trained."""
        known = [part.trainings for part in self.parts if part.verdict == self.verdict]
        return min((number for number in known if number), default=0)

    @property
    def held_in_paper(self) -> int:
        """Parts that the paper's own numbers support."""
        return sum(part.in_paper == HOLDS for part in self.parts)

    @property
    def printed_in_paper(self) -> int:
        """Parts for which the paper prints all numbers."""
        return sum(bool(part.in_paper) for part in self.parts)

    @property
    def in_paper(self) -> str:
        """What the paper's own numbers say to the whole claim; empty: not printed.

        As for a verdict, one part that fails is enough, and all have to hold.
        """
        words = [part.in_paper for part in self.parts if part.in_paper]
        for word in (FAILS, TOO_CLOSE):
            if word in words:
                return word
        return HOLDS if words else ""


@dataclass(frozen=True, slots=True)
class ClaimResults(Record):
    """All claims at one tier."""

    SCHEMA: ClassVar[int] = 2
    FILE: ClassVar[str] = "file of claims"

    tier: str
    claims: tuple[ClaimResult, ...]

    def count(self, verdict: str) -> int:
        """How many claims have a verdict."""
        return sum(claim.verdict == verdict for claim in self.claims)
