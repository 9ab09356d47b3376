"""Tables of ablations and exposure with differences that a reader chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ndr.records.claim_results import ClaimResult
from ndr.records.table_result import TableResult
from ndr.specs.table_plan import PlannedColumn, PlannedRow
from reports.claims.specs import Claim, Claims
from reports.judge_claims import evaluate_claims
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, NOISE, RAIN

BLOCK = "noise+rain+haze"
FULL = "ndr_restore__noise_rain_haze__seed_0"
SETS = (NOISE, RAIN, HAZE)
IMAGES = "abcdefghijklmnop"
SPREAD = 2 * (0.0, 0.02, -0.01, 0.03, -0.02, 0.01, -0.03, 0.04)
"""Added to the differences, so that intervals have a width; 0.005 on average."""
SPREAD_MEAN = 0.005


def values(level: float, images: str = IMAGES, spread: float = 0.0) -> dict[str, float]:
    """PSNR per image: images differ by decibels, all systems alike."""
    return {
        image: 25.0 + position + level + spread * SPREAD[position]
        for position, image in enumerate(images)
    }


def everywhere(level: float, spread: float = 0.0) -> dict[str, dict[str, float]]:
    return {test_set: values(level, spread=spread) for test_set in SETS}


def table_10(results: Path, levels: Mapping[str, Mapping[str, Mapping[str, float]]]) -> TableResult:
    """Table X: the full network and its ablations; a system without values is not run.

    Args:
        results: folder that is written to.
        levels: values by the system's name in the paper; others of Table X have no results.
    """
    rows = []
    for method in ("no_DQ", "no_DI", "no_CP", ""):
        name = f"NDR-Restore({method})" if method else "NDR-Restore"
        run = FULL.replace("seed", f"use_{method}__seed") if method else FULL
        if name in levels:
            made.write_trained(results, run, levels[name])
        rows.append(made.row(run, name, SETS, block=BLOCK))
    return _summarised(results, rows, name="table_10", paper_values="table10.csv")


def _summarised(results: Path, rows: Iterable[PlannedRow], **facts: object) -> TableResult:
    made.write_evaluation(results, made.INPUT, everywhere(-5.0))
    content = {"average": False, "label": "Table", "notes": (), **facts}
    return summarise(made.plan(rows, **content), results)


def table_9(
    results: Path, levels: Mapping[str, float], facts: Mapping[str, Mapping[str, object]]
) -> TableResult:
    """Table IX with one level per size of D, and facts of provenance per size."""
    rows = []
    for name, level in levels.items():
        run = f"ndr_restore__{name.strip('()').replace('=', '_').replace(',', '__')}__seed_0"
        made.write_trained(results, run, everywhere(level, 1.0), **facts.get(name, {}))
        rows.append(made.row(run, f"NDR-Restore({name})", SETS, block=BLOCK))
    return _summarised(results, rows, name="table_09", paper_values="table09.csv")


def table_14(results: Path, levels: Mapping[str, tuple[float, float]]) -> TableResult:
    """Table XIV with the level of each system under and over."""
    rows = []
    for method, (under, over) in levels.items():
        run = f"{method.lower().replace('-', '_')}__exposure__seed_0"
        scored = {"under": values(under, spread=1.0), "over": values(over, spread=1.0)}
        made.write_trained(results, run, scored)
        rows.append(made.row(run, method, scored, block="exposure"))
    made.write_evaluation(results, made.INPUT, {"under": values(-5), "over": values(-5)})
    columns = tuple(PlannedColumn(name, name, name) for name in ("under", "over"))
    plan = made.plan(
        rows,
        name="table_14",
        columns=columns,
        average=True,
        average_weights=(0.4, 0.6),
        paper_values="table14.csv",
    )
    return summarise(plan, results)


def table_checkpoints(results: Path, half: float) -> TableResult:
    """A table that the paper does not have: one training half-way and at its end."""
    rows = []
    for label, level, change in (("half", half, "stops_at_0.5__"), ("the end", 0.0, "")):
        run = FULL.replace("seed", f"{change}seed")
        made.write_trained(results, run, everywhere(level, 1.0 if change else 0.0))
        rows.append(made.row(run, "", SETS, block=BLOCK, label=label))
    return _summarised(results, rows, name="table_checkpoints", paper_values=None)


def judge(claim: Claim, tables: Iterable[TableResult], results: Path) -> ClaimResult:
    """One claim on its own."""
    found = evaluate_claims(Claims((claim,)), list(tables), results, results / "counts.json")
    return found.claims[0]
