"""The section of claims: what the paper says, and what the results here say to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ndr.records.claim_results import ClaimResults
from reports.claims.verdicts import (
    MINIMUM_SCENES,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
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
    seeds = [part.seeds for claim in found.claims for part in claim.parts if part.images]
    return {
        "results": found,
        "marks": MARKS,
        "minimum_scenes": MINIMUM_SCENES,
        "one_training": bool(seeds) and max(seeds) == 1,
        "on_page": frozenset(tables),
    }
