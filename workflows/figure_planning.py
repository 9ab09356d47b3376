"""What a figure needs: from `config/figures/` to figure plans and to the files they are drawn from.

Plain functions of the configuration, as `workflows.planning` is for the tables.
"""

from __future__ import annotations

from collections.abc import Iterable

from ndr.evaluation.protocol import NO_REFERENCE, description
from ndr.nearest_name import check_names, unknown_name
from workflows.configuration import ConfigurationError, Figure, FigureSystem
from workflows.control_rows import input_row, truth_row
from workflows.figure_plan import KINDS, REPRESENTATION_KINDS, FigurePlan, FigureRow
from workflows.figure_rows import columns_of
from workflows.official_rows import official_run, weights_of, why_none
from workflows.planning import Plan
from workflows.row_rules import left_out

NETWORK_LAYOUT = "network_layout.json"
"""What `network_drawing` draws from, below `results/<tier>`."""
RETRAINED = "retrained"
"""Source of numbers of the networks that are trained here."""
WITH_CONTROLS = ("picture_grid", "residuals")
"""Kinds that show the degraded input and the truth beside the rows."""


def figure_plan(plan: Plan, name: str) -> FigurePlan:
    """One figure, resolved.

    Raises:
        UnknownNameError: unknown figure, kind, setting, method or column, with the nearest names.
        ConfigurationError: a row that no table has, or test sets of two scales.
    """
    if name not in plan.all_figures:
        raise unknown_name("figure", name, plan.all_figures)
    figure = plan.all_figures[name]
    check_names(f"kind of {name}", [figure.kind], KINDS)
    sets = [plan.rows.test_set(column) for column in figure.test_sets]
    scale = plan.scale_of(figure.label, figure.test_sets) if sets else 1
    seed = plan.config.seeds[0]
    judged = not sets or any(each.reference for each in sets)
    protocol = plan.config.protocols[0] if judged else NO_REFERENCE
    return FigurePlan(
        name=name,
        label=figure.label,
        title=figure.title,
        caption=_caption(figure, [each.stand_in for each in sets]),
        kind=figure.kind,
        tier=plan.config.tier,
        rows=tuple(_figure_row(plan, system, figure) for system in figure.rows),
        test_sets=tuple(each.name for each in sets),
        test_set_labels=tuple(each.label for each in sets),
        input_run=plan.rows.run_of(input_row(scale), seed),
        truth_run=plan.rows.run_of(truth_row(scale), seed) if sets and judged else "",
        paper=figure.paper,
        protocol=protocol,
        protocol_description=description(protocol),
        content=figure.content,
    )


def _caption(figure: Figure, stand_ins: Iterable[str]) -> str:
    shown = [text for text in dict.fromkeys(stand_ins) if text]
    return " ".join([figure.caption.strip(), *([f"Here: {', '.join(shown)}."] if shown else [])])


def _figure_row(plan: Plan, system: FigureSystem, figure: Figure) -> FigureRow:
    row = system.row
    run = plan.rows.run_of(row, plan.config.seeds[0])
    info = plan.rows.info(row)
    if info.trainable and run not in plan.runs:
        raise ConfigurationError(
            f"{figure.label}: expected a system of a table, found {system.method} in "
            f"{system.setting} ({run}); add the row to a table, or name one that has a row"
        )
    reason = left_out(plan.config, row)
    if info.trainable and RETRAINED not in plan.config.sources:
        weights = weights_of(info, row)
        if figure.kind in REPRESENTATION_KINDS:
            reason = reason or "it is drawn from a training of this suite (sources: retrained)"
        run = run if weights is None else official_run(row, weights)
        reason = reason or ("" if weights else why_none(info, row))
    asked = [plan.rows.test_set(column).name for column in columns_of(plan.rows, system, figure)]
    scored = {test_set.name for test_set in plan.evaluations[run].test_sets}
    return FigureRow(
        label=system.label or info.paper_label,
        run=None if reason else run,
        reason=reason,
        setting=plan.rows.setting(row.setting).label if info.trainable else "",
        test_sets=tuple(name for name in asked if name in scored),
    )


def figure_runs(figure: FigurePlan) -> list[str]:
    """Runs whose evaluations a figure is drawn from, the controls' included."""
    if figure.kind in REPRESENTATION_KINDS or figure.kind == "network_drawing":
        return []
    runs = [row.run for row in figure.rows if row.run is not None]
    if figure.kind in WITH_CONTROLS:
        runs += [run for run in (figure.input_run, figure.truth_run) if run]
    return list(dict.fromkeys(runs))


def representation_runs(figure: FigurePlan) -> list[str]:
    """Runs whose tensors a figure is drawn from."""
    if figure.kind not in REPRESENTATION_KINDS:
        return []
    return [row.run for row in figure.rows if row.run is not None]


def figures_of_tables(plan: Plan, tables: Iterable[str]) -> list[str]:
    """Figures that need no training and no authors' weights beyond those that the tables need."""
    at_hand = {_costly_part(plan, run) for table in tables for run in plan.runs_of_table(table)}
    names = []
    for name in plan.all_figures:
        figure = figure_plan(plan, name)
        runs = [row.run for row in figure.rows if row.run is not None]
        needed = {_costly_part(plan, run) for run in runs} - {None}
        if figure.kind == "network_drawing" or (runs and needed <= at_hand):
            names.append(name)
    return names


def _costly_part(plan: Plan, run: str) -> str | None:
    """What must be there before a run can be evaluated: a training or authors' weights, or None."""
    evaluation = plan.evaluations[run]
    return evaluation.training_run or (run if evaluation.official_weights else None)
