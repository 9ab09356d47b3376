"""A small report: two tables, pictures, curves, an unfinished run, names that try to break out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ndr.records.parameter_counts import (
    AblationCounts,
    ParameterCounts,
    PartCounts,
    VariantCounts,
)
from ndr.records.table_result import TableResult
from ndr.specs.report_description import ReportDescription
from reports.build import build_page
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, INPUT, NAFNET, NDR, NOISE, RAIN, TRUTH

NASTY = """</style><script>alert("1")</script> & 'quoted' <img src=x onerror=alert(2)>"""
COUNTS = PartCounts(
    restore=5, degrade=4, query_and_injection=2, representation=1, encoder_and_decoder=2
)
ABLATION = AblationCounts(restore=1234567, degrade=4, restore_relative_to_full=1.0)
VARIANT = VariantCounts(
    in_use=COUNTS,
    with_never_used=COUNTS,
    never_used_per_network=0,
    ablations={"full": ABLATION},
)


@dataclass(frozen=True)
class SmallReport:
    """Inputs of a page; `html()` builds it."""

    description: ReportDescription
    tables: list[TableResult]
    results: Path
    parameter_counts: Path

    def html(self) -> str:
        return build_page(self.description, self.tables, self.results, self.parameter_counts)


def write_results(results: Path) -> None:
    made.write_standard(results)
    made.write_trained(
        results,
        NAFNET,
        {NOISE: {"a": 1 / 3, "b": 29.1}, RAIN: {"a": 25.0}},
        images={NOISE: [2, 2], RAIN: [1, 2]},
    )
    made.write_training(results, NAFNET, done=12)
    exact = {"a": math.inf, "b": math.inf}
    made.write_evaluation(results, TRUTH, {NOISE: exact, RAIN: exact, HAZE: exact})
    for test_set in (NOISE, RAIN):
        for grey, run in enumerate((INPUT, NDR, NAFNET, TRUTH)):
            made.write_picture(results, run, test_set, "a", 40 * grey)


def write_small_report(folder: Path) -> SmallReport:
    results = folder / "results" / "quick"
    write_results(results)
    first = made.plan(
        [
            made.row(NAFNET, "NAFNet", label=NASTY),
            made.row(None, "AirNet"),
            made.row(NDR, "NDR-Restore"),
            made.row(NDR.replace("rain", "haze"), "NDR-Restore", (NOISE, HAZE), block="noise+haze"),
        ],
        notes=(NASTY,),
    )
    second = made.plan(
        [made.row(TRUTH, "", (NOISE,), label="oracle", block="controls")],
        name="table_controls",
        label="Controls",
        title="Controls",
        average=False,
        paper_values=None,
    )
    counts = folder / "parameter_counts.json"
    ParameterCounts({"current_release": VARIANT}).write(counts)
    description = ReportDescription(
        tier="quick",
        tier_note=NASTY,
        comparable_with_paper=False,
        attributions=("A photograph, CC BY 2.0, https://example.org/by", NASTY),
        input_runs=(INPUT,),
        truth_runs=(TRUTH,),
        balance="task_uniform",
        weights=("retrained",),
    )
    tables = [summarise(plan, results) for plan in (first, second)]
    return SmallReport(description, tables, results, counts)
