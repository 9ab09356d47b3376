"""From the plan to the comparison of protocols and noise variants."""

from __future__ import annotations

from ndr.method import method_class
from ndr.run_spec import UNTRAINED, run_id
from workflows.noise_variants import INPUT, METHOD, SETTING, main_run, other_variants
from workflows.planning import Plan
from workflows.sensitivity_plan import (
    ComparedNoise,
    ComparedRow,
    ComparedTestSet,
    SensitivityPlan,
)

TABLE = "table_05"
"""One of its blocks is that of the main run."""


def sensitivity_plan(plan: Plan) -> SensitivityPlan:
    """The main run, its rivals of Table V and the noise variants.

    Rivals are those whose runs some table of the configuration asks for: the comparison trains
    nothing of its own.
    """
    seeds = plan.config.seeds
    main = main_run(seeds[0])
    asked = {run for name in plan.config.tables for run in plan.runs_of_table(name)}
    table = plan.tables[TABLE]
    block = plan.rows.setting(SETTING).block
    rows = [row for row in table.rows if row.block == block and row.run in asked]
    reason = ""
    if main not in asked:
        reason = "no table of this configuration asks for the main run"
    return SensitivityPlan(
        tier=plan.config.tier,
        run=None if reason else main,
        reason=reason,
        label=method_class(METHOD).info.paper_label,
        input_run=run_id(INPUT, UNTRAINED, {}, seeds[0]),
        test_sets=tuple(ComparedTestSet(c.test_set, c.label) for c in table.columns),
        metrics=table.metrics,
        protocols=plan.config.protocols,
        noise_in_use=plan.config.noise_variant,
        noise=tuple(
            ComparedNoise(one.variant, one.run, one.input_run)
            for one in other_variants(plan.config.noise_variant, seeds)
        ),
        rows=tuple(ComparedRow(row.label, row.run) for row in rows if row.run is not None),
    )
