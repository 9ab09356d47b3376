"""Which runs the report shows beside its tables: in figures, in the section on D, as comparisons.

Plain functions of the plan. None of them asks for a training that no table asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ndr.metrics.protocol import NO_REFERENCE, description
from ndr.nearest_name import check_names, named_entry
from ndr.registry import method_class
from ndr.specs.figure_plan import KINDS, REPRESENTATION_KINDS, FigurePlan, FigureRow
from ndr.specs.run_spec import RunSpec
from ndr.specs.table_plan import ComparedRow, ComparedTestSet, SensitivityPlan
from workflows.configuration import Figure, FigureSystem
from workflows.main_run import METHOD, SETTING, TABLE, main_input, main_run, other_noise
from workflows.official_rows import official_run, weights_of, why_no_weights
from workflows.planning import SHIPPED, Plan
from workflows.rows import (
    input_row,
    method_info,
    row_label,
    truth_row,
)

RETRAINED = "retrained"
"""Source of numbers of the networks that are trained here."""
DRAWING = "network_drawing"
"""Kind of figures that show the network as it is built, and no run."""
WITH_CONTROLS = ("picture_grid", "residuals")
"""Kinds of figures that show the degraded input and the truth beside the rows."""
WITH_INPUT = ("scatter", "quality_cost")
"""Kinds of figures that show how good the degraded input is."""
ENLARGING_SETTING = "noise_rain_haze_x2"
REPRESENTED: tuple[dict[str, object], ...] = ({}, {"lambda_degrad": 0})
"""Changes of the runs whose D the report shows: as published, and without the degradation loss."""


def figure_plan(plan: Plan, name: str) -> FigurePlan:
    """One figure, resolved.

    Raises:
        UnknownNameError: unknown figure, kind, setting, method or column, with the nearest names.
        SpecError: test sets of two scales, or a system that no table has.
    """
    figure = named_entry("figure", name, plan.all_figures)
    check_names(f"kind of {name}", [figure.kind], KINDS)
    sets = [plan.rows.test_set(column) for column in figure.test_sets]
    scale = plan.scale_of(figure.label, figure.test_sets) if sets else 1
    judged = not sets or any(each.reference for each in sets)
    protocol = plan.config.protocols[0] if judged else NO_REFERENCE
    stand_ins = [text for text in dict.fromkeys(each.stand_in for each in sets) if text]
    here = [f"Here: {', '.join(stand_ins)}."] if stand_ins else []
    return FigurePlan(
        name=name,
        label=figure.label,
        title=figure.title,
        caption=" ".join([figure.caption.strip(), *here]),
        kind=figure.kind,
        tier=plan.config.tier,
        rows=tuple(_figure_row(plan, system, figure) for system in figure.rows),
        test_sets=tuple(each.name for each in sets),
        test_set_labels=tuple(each.label for each in sets),
        input_run=plan.rows.run_of(input_row(scale), plan.seed),
        truth_run=plan.rows.run_of(truth_row(scale), plan.seed) if sets and judged else "",
        paper=figure.paper,
        protocol=protocol,
        protocol_description=description(protocol),
        content=figure.content,
    )


def _figure_row(plan: Plan, system: FigureSystem, figure: Figure) -> FigureRow:
    row, info = system.row, method_info(system.row)
    run = plan.rows.run_of(row, plan.seed)
    reason = plan.rows.left_out(row) or plan.not_shipped(row)
    if info.trainable and not {RETRAINED, SHIPPED} & {*plan.sources}:
        weights = weights_of(row)
        if figure.kind in REPRESENTATION_KINDS:
            reason = reason or "it is drawn from a training of this suite (sources: retrained)"
        run = run if weights is None else official_run(row, weights)
        reason = reason or ("" if weights else why_no_weights(row))
    columns = plan.rows.figure_columns(system, figure)
    asked = [plan.rows.test_set(column).name for column in columns]
    scored = {test_set.name for test_set in plan.evaluations[run].test_sets}
    return FigureRow(
        label=system.label or row_label(system.row),
        run=None if reason else run,
        reason=reason,
        setting=plan.rows.setting(row.setting).label if info.trainable else "",
        test_sets=tuple(name for name in asked if name in scored),
    )


def figure_runs(figure: FigurePlan) -> list[str]:
    """Runs whose evaluations a figure is drawn from, the controls' included."""
    if figure.kind in (*REPRESENTATION_KINDS, DRAWING):
        return []
    runs = [row.run for row in figure.rows if row.run is not None]
    if figure.kind in WITH_CONTROLS:
        runs += [run for run in (figure.input_run, figure.truth_run) if run]
    if figure.kind in WITH_INPUT:
        runs.append(figure.input_run)
    return list(dict.fromkeys(runs))


def representation_runs(figure: FigurePlan) -> list[str]:
    """Runs whose tensors a figure is drawn from."""
    if figure.kind not in REPRESENTATION_KINDS:
        return []
    return [row.run for row in figure.rows if row.run is not None]


def figures_of_tables(plan: Plan, tables: Iterable[str]) -> list[str]:
    """Figures that need no training and no authors' weights beyond those that the tables need."""
    at_hand = {_costly_part(plan, run) for run in plan.runs_of_tables(tables)} | {None}
    names = []
    for name in plan.all_figures:
        figure = figure_plan(plan, name)
        needed = {_costly_part(plan, row.run) for row in figure.rows if row.run is not None}
        if figure.kind == DRAWING or (needed and needed <= at_hand):
            names.append(name)
    return names


def _costly_part(plan: Plan, run: str) -> str | None:
    """What must be there before a run can be evaluated: a training or authors' weights, or None."""
    evaluation = plan.evaluations[run]
    return evaluation.training_run or (run if evaluation.official_weights else None)


def represented_runs(plan: Plan) -> list[str]:
    """Runs that the section on D shows, of those that the tables ask for, main run first.

    Trainings of one network that differ in their seeds follow each other: they answer together.
    """
    return [run for changes in REPRESENTED for run in _asked_runs(plan, SETTING, changes)]


def enlarging_runs(plan: Plan) -> list[str]:
    """Trainings of the network of Figure 14, whose D claims ask too: it enlarges by 2."""
    changes = {"upscale": plan.config.upscale}
    return _asked_runs(plan, ENLARGING_SETTING, changes)[:1]


def is_represented(plan: Plan, spec: RunSpec) -> bool:
    """Whether figures and claims look into the D of a training, whatever its seed."""
    asked = [(SETTING, changes) for changes in REPRESENTED]
    asked.append((ENLARGING_SETTING, {"upscale": plan.config.upscale}))
    return any(_is_of(spec, *each) for each in asked)


def _asked_runs(plan: Plan, setting: str, changes: Mapping[str, object]) -> list[str]:
    """Runs of the paper's network in a mix, with these changes, that the tables ask for."""
    asked = plan.runs_of_tables()
    return [
        run for run, spec in plan.runs.items() if run in asked and _is_of(spec, setting, changes)
    ]


def _is_of(spec: RunSpec, setting: str, changes: Mapping[str, object]) -> bool:
    """Whether a training is one of the paper's network in a mix, with these changes."""
    found = (spec.method, spec.setting.name, dict(spec.changes))
    return found == (METHOD, setting, changes)


def sensitivity_plan(plan: Plan) -> SensitivityPlan:
    """The main run, its rivals of Table V and the noise variants.

    Rivals are those whose runs some table of the configuration asks for.
    """
    asked = plan.runs_of_tables()
    main = main_run(plan.seed)
    table = plan.tables[TABLE]
    block = plan.rows.setting(SETTING).block
    return SensitivityPlan(
        tier=plan.config.tier,
        run=main if main in asked else None,
        reason="" if main in asked else "no table of this configuration asks for the main run",
        label=method_class(METHOD).info.paper_label,
        input_run=main_input(plan.seed),
        test_sets=tuple(ComparedTestSet(c.test_set, c.label) for c in table.columns),
        metrics=table.metrics,
        protocols=plan.config.protocols,
        noise_in_use=plan.config.noise_variant,
        noise=other_noise(plan.config.noise_variant, plan.seed),
        rows=tuple(
            ComparedRow(row.label, row.run)
            for row in table.rows
            if row.block == block and row.run is not None and row.run in asked
        ),
    )
