"""The first section of the page: what the paper claims, and what the results here say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records.claim_results import MILLIONS, RATIO, ClaimResult, PartResult, read_claim_results
from reports.claims.verdicts import (
    MINIMUM_SCENES,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
    VERDICTS,
)
from reports.number_format import MINUS, MISSING, counted, difference_text
from reports.page.sections.tables import anchor
from reports.paper.printed_values import with_symbols

MARKS = {REPRODUCED: "✓", NOT_REPRODUCED: "✕", UNDECIDED: "?", NOT_RUN: MISSING}
TIMES = "\N{MULTIPLICATION SIGN}"
DECIMALS_OF_MILLIONS, DECIMALS_OF_RATIOS = 3, 2


class ClaimTierError(ValueError):
    """Claims of another tier than the page's."""


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One comparison of a claim, as text."""

    label: str
    verdict: str
    ours: str
    interval: str
    paper: str
    paper_holds: str
    """Whether the paper's own numbers support it, in words; empty where nothing is printed."""
    sure: str
    """Images and trainings behind it."""
    reason: str


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """One claim, as text."""

    id: str
    says: str
    where: str
    link: str
    """To the table, where the page has it."""
    verdict: str
    key: str
    """The verdict as the name of a class."""
    deciding: ShownPart | None
    parts: tuple[ShownPart, ...]
    paper: str
    """What the paper's own numbers say of the sentence."""
    paper_fails: bool
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many claims have a verdict."""

    verdict: str
    key: str
    mark: str
    count: int


@dataclass(frozen=True, slots=True)
class ClaimsSection:
    """The section of the page; without a file it says so."""

    tier: str = ""
    counts: tuple[VerdictCount, ...] = ()
    claims: tuple[ShownClaim, ...] = ()
    minimum_scenes: int = MINIMUM_SCENES
    one_training: bool = False
    """Whether the intervals cover images only: no system was trained more than once."""

    @property
    def judged(self) -> bool:
        """Whether there are claims to show."""
        return bool(self.claims)


def claims_section(path: Path | None, tier: str, tables: Iterable[str] = ()) -> ClaimsSection:
    """Read what `python -m reports.judge_claims` wrote.

    Args:
        path: `claims.json`; None where no claims were judged.
        tier: of the page.
        tables: names of the tables on the page: claims link to them.

    Raises:
        FileNotFoundError: `path` does not exist.
        ResultFileError: the file is damaged.
        ClaimTierError: the file is of another tier.
    """
    if path is None:
        return ClaimsSection()
    found = read_claim_results(path)
    if found.tier != tier:
        raise ClaimTierError(f"{path} is of tier {found.tier!r}, the report of tier {tier!r}")
    on_page = frozenset(tables)
    seeds = [part.seeds for claim in found.claims for part in claim.parts if part.images]
    return ClaimsSection(
        tier=tier,
        counts=tuple(
            VerdictCount(verdict, anchor(verdict), MARKS[verdict], found.count(verdict))
            for verdict in VERDICTS
        ),
        claims=tuple(_claim(claim, on_page) for claim in found.claims),
        one_training=bool(seeds) and max(seeds) == 1,
    )


def _claim(claim: ClaimResult, on_page: frozenset[str]) -> ShownClaim:
    parts = tuple(map(_part, claim.parts))
    linked = [name for name in claim.tables if name in on_page]
    deciding = None if claim.deciding is None else parts[claim.deciding]
    return ShownClaim(
        id=claim.id,
        says=with_symbols(claim.says),
        where=claim.where,
        link=f"#{anchor(linked[0])}" if linked else "",
        verdict=claim.verdict,
        key=anchor(claim.verdict),
        deciding=deciding,
        parts=parts,
        paper=_paper_text(claim),
        paper_fails=claim.held_in_paper < claim.printed_in_paper,
        reason=claim.reason,
    )


def _paper_text(claim: ClaimResult) -> str:
    """Whether the paper's own numbers support the sentence."""
    printed, held = claim.printed_in_paper, claim.held_in_paper
    if not claim.parts or claim.kind in ("count", "settling"):
        return ""
    if not printed:
        return "The paper's own numbers did not survive."
    if printed == 1:
        return "The paper's own numbers " + ("support it." if held else "do not support it.")
    if held == printed:
        return f"The paper's own numbers support it in all {printed} comparisons."
    return f"The paper's own numbers support it in {held} of {printed} comparisons only."


def _value(unit: str, value: float | None) -> str:
    """A difference with its sign; ratios and counts without."""
    if value is None:
        return MISSING
    if unit == RATIO:
        return f"{TIMES}{value:.{DECIMALS_OF_RATIOS}f}"
    if unit == MILLIONS:
        return f"{value:.{DECIMALS_OF_MILLIONS}f}"
    return difference_text(unit, value)


def _unit(unit: str) -> str:
    known = METRICS[unit].unit if unit in METRICS else ""
    return "" if unit == RATIO else f" {known or unit}"


def _with_unit(unit: str, value: float | None) -> str:
    return MISSING if value is None else _value(unit, value) + _unit(unit)


def _part(part: PartResult) -> ShownPart:
    interval = ""
    if part.interval is not None:
        low, high = part.interval
        interval = f"{_value(part.unit, low)} to {_value(part.unit, high)}"
    paper = _with_unit(part.unit, part.paper)
    if part.unit == MILLIONS:
        paper = f"{part.paper:g}{_unit(part.unit)}"  # the text has as few digits
    holds = {True: "holds", False: "does not hold", None: ""}[part.holds_in_paper]
    bound = "" if part.bound is None else f", claimed {_bound_text(part)}"
    return ShownPart(
        label=with_symbols(part.label),
        verdict=part.verdict,
        ours=_with_unit(part.unit, part.estimate),
        interval=interval,
        paper=paper + bound,
        paper_holds=holds,
        sure=_sureness(part),
        reason=part.reason,
    )


def _bound_text(part: PartResult) -> str:
    assert part.bound is not None
    if part.unit == RATIO:
        return f"at most {_value(part.unit, part.bound)}"
    return f"{part.bound:+g}".replace("-", MINUS) + _unit(part.unit)


def _sureness(part: PartResult) -> str:
    if not part.images:
        return ""
    words = [counted(part.images, "image")]
    if part.scenes != part.images:
        words.append(counted(part.scenes, "scene"))
    return ", ".join([*words, counted(part.seeds, "training")])
