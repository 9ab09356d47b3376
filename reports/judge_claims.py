"""The claims' command: `python -m reports.judge_claims --claims FILE --tables ...`.

Each claim of `config/claims.yaml` is evaluated from the per-image values behind the report's tables
(`reports.claims.measurement`), gets a verdict (`reports.claims.verdicts`) and is written to
`results/<tier>/claims.json` with its interval and with what the paper's own cells give.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from ndr.records.claim_results import (
    RATIO,
    SECONDS,
    ClaimResult,
    ClaimResults,
    PartResult,
)
from ndr.records.record import ResultFileError
from ndr.records.table_result import TableResult
from ndr.specs.typed_file import SpecError
from reports.claims.measurement import Measurement, NotRunError
from reports.claims.parts import parts_of
from reports.claims.quantities import count_part, share_part, study_parts, timing_part
from reports.claims.specs import Claim, Claims, read_claims
from reports.claims.verdicts import NOT_RUN, combined


def evaluate_claims(
    claims: Claims, tables: Sequence[TableResult], results: Path, parameter_counts: Path
) -> ClaimResults:
    """All claims with their verdicts.

    Args:
        claims: what the paper says.
        tables: of the report; claims about others are not run.
        results: `results/<tier>`.
        parameter_counts: written by `python -m ndr.network.parameter_counts`.

    Raises:
        UnknownNameError: a claim names a cell that the paper does not have.
        ValueError: no table, or tables of two tiers.
    """
    tiers = {table.tier for table in tables}
    if len(tiers) != 1:
        raise ValueError(f"expected tables of one tier, found {sorted(tiers) or 'none'}")
    measurement = Measurement(tables, results)
    found = tuple(_evaluate(claim, measurement, parameter_counts) for claim in claims.claims)
    return ClaimResults(tiers.pop(), found)


def _parts(claim: Claim, measurement: Measurement, parameter_counts: Path) -> list[PartResult]:
    """What the results say to a claim; nothing where the suite measures nothing of it."""
    if claim.timing is not None:
        return [timing_part(claim.timing, measurement.results)]
    if claim.study is not None:
        return study_parts(claim.study, measurement)
    if claim.count is not None:
        spec = claim.count
        return [count_part(spec, part, measurement, parameter_counts) for part in spec.parts]
    if claim.shares:
        return [share_part(spec, measurement, parameter_counts) for spec in claim.shares]
    parts = parts_of(claim)
    return [measurement.part(part, parts) for part in parts]


def _evaluate(claim: Claim, measurement: Measurement, parameter_counts: Path) -> ClaimResult:
    reason = " ".join(claim.missing.split())
    try:
        parts = _parts(claim, measurement, parameter_counts)
    except (NotRunError, ResultFileError) as error:
        parts, reason = [], str(error)
    verdict = combined([part.verdict for part in parts]) if parts else NOT_RUN
    return ClaimResult(
        id=claim.id,
        says=" ".join(claim.says.split()),
        quote=" ".join(claim.quote.split()),
        where=claim.where,
        kind=claim.kind,
        tables=tables_of(claim),
        verdict=verdict,
        deciding=_deciding(parts, verdict),
        parts=tuple(parts),
        reason=reason,
        note=" ".join(claim.note.split()),
    )


def tables_of(claim: Claim) -> tuple[str, ...]:
    """Tables whose cells a claim is about."""
    named = [term.system.table for part in parts_of(claim) for term in part.terms]
    named += [claim.study.system.table] if claim.study is not None else []
    return tuple(dict.fromkeys(named))


def _distance(part: PartResult) -> float:
    """How far a part lies above what is claimed; of ratios and bounded seconds, below."""
    if part.estimate is None:
        return math.inf
    bound = part.bound or 0.0
    below = part.unit == RATIO or (part.unit == SECONDS and part.bound is not None)
    return bound - part.estimate if below else part.estimate - bound


def _deciding(parts: Sequence[PartResult], verdict: str) -> int | None:
    """The weakest of the parts that have the claim's verdict."""
    own = [index for index, part in enumerate(parts) if part.verdict == verdict]
    return min(own, key=lambda index: _distance(parts[index])) if own else None


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m reports.judge_claims", description=__doc__)
    parser.add_argument("--claims", required=True, type=Path, help="config/claims.yaml")
    parser.add_argument("--tables", required=True, nargs="+", type=Path, help="table files")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    parser.add_argument("--parameter-counts", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    try:
        found = evaluate_claims(
            read_claims(arguments.claims),
            [TableResult.read(path) for path in arguments.tables],
            arguments.results,
            arguments.parameter_counts,
        )
        found.write(arguments.out)
    except (SpecError, ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
