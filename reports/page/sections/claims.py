"""The section of claims: what the paper says, and what the results here say to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ndr.records.claim_results import ClaimResults
from reports.analysis.evidence import MINIMUM_SCENES, MINIMUM_TRAININGS
from reports.claims.verdicts import (
    DECIDED,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
    decided_words,
)
from reports.number_format import MISSING

MARKS = {REPRODUCED: "✓", NOT_REPRODUCED: "✕", UNDECIDED: "?", NOT_RUN: MISSING}


class ClaimTierError(ValueError):
    """Claims of another tier than the page's."""


def claims_section(
    path: Path | None, tier: str, tables: Iterable[str] = ()
) -> dict[str, Any] | None:
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
        return None
    found = ClaimResults.read(path)
    if found.tier != tier:
        raise ClaimTierError(f"{path} is of tier {found.tier!r}, the report of tier {tier!r}")
    few = [
        claim.verdict
        for claim in found.claims
        if claim.verdict in DECIDED and 0 < claim.trainings < MINIMUM_TRAININGS
    ]
    return {
        "results": found,
        "marks": MARKS,
        "words": decided_words,
        "few_trainings": Counter(few),
        "minimum_scenes": MINIMUM_SCENES,
        "minimum_trainings": MINIMUM_TRAININGS,
        "on_page": frozenset(tables),
    }
