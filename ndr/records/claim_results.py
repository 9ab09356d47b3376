"""The file `results/<tier>/claims.json`: each claim of the paper with its verdict and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ndr.records.record import Record

RATIO, MILLIONS = "ratio", "M"
"""Units beside the metrics' own."""


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
    holds_in_paper: bool | None = None
    """Whether the paper's own numbers support the sentence; None where they are not printed."""
    images: int = 0
    scenes: int = 0
    seeds: int = 0


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One sentence of the paper."""

    id: str
    says: str
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

    @property
    def decisive(self) -> PartResult | None:
        """The part that decided: the weakest of those that hold, or the one that fails."""
        return None if self.deciding is None else self.parts[self.deciding]

    @property
    def held_in_paper(self) -> int:
        """Parts that the paper's own numbers support."""
        return sum(part.holds_in_paper is True for part in self.parts)

    @property
    def printed_in_paper(self) -> int:
        """Parts for which the paper prints all numbers."""
        return sum(part.holds_in_paper is not None for part in self.parts)


@dataclass(frozen=True, slots=True)
class ClaimResults(Record):
    """All claims at one tier."""

    FILE: ClassVar[str] = "file of claims"

    tier: str
    claims: tuple[ClaimResult, ...]

    def count(self, verdict: str) -> int:
        """How many claims have a verdict."""
        return sum(claim.verdict == verdict for claim in self.claims)
