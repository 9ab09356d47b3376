"""The report beside its tables: figures, runs whose D is studied, the comparison of protocols.

Plain functions of the configuration, as `workflows.planning` is for the tables, and their jobs in
the shape that Snakemake's rules take.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ndr.metrics.protocol import NO_REFERENCE, description
from ndr.nearest_name import check_names, unknown_name
from ndr.registry import method_class
from ndr.source_fingerprint import source_fingerprint
from ndr.specs.figure_plan import KINDS, REPRESENTATION_KINDS, FigurePlan, FigureRow
from ndr.specs.run_spec import UNTRAINED, RunSpec, run_id
from ndr.specs.sensitivity_plan import (
    ComparedNoise,
    ComparedRow,
    ComparedTestSet,
    SensitivityPlan,
)
from workflows.configuration import ConfigurationError, Figure, FigureSystem
from workflows.main_run import INPUT, METHOD, SETTING, main_run, other_variants
from workflows.planning import Plan
from workflows.rows import (
    columns_of,
    input_row,
    left_out,
    official_run,
    truth_row,
    weights_of,
    why_none,
)

REPORTS = Path(__file__).resolve().parent.parent / "reports"
NETWORK_LAYOUT = "network_layout.json"
"""What `network_drawing` draws from, below `results/<tier>`."""
RETRAINED = "retrained"
"""Source of numbers of the networks that are trained here."""
WITH_CONTROLS = ("picture_grid", "residuals")
"""Kinds that show the degraded input and the truth beside the rows."""


def fingerprint_with_files(*modules: str, folders: Iterable[str]) -> str:
    """Hash of modules of `reports` and of the committed files that they read, by folder."""
    digest = hashlib.sha256(source_fingerprint(*modules).encode())
    for folder in folders:
        for path in sorted((REPORTS / folder).iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


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


DRAWN_NETWORK = ("ndr_restore", "noise_rain_haze")
"""Method and setting of the network that Figures 2, 3 and 6 draw."""


class FigureJobs:
    """How the figures of one configuration are drawn.

    Args:
        plan: the plan of the suite.
        results: `results/<tier>`.
        evaluation_results: the files that the evaluations of runs leave.
    """

    def __init__(
        self, plan: Plan, results: str, evaluation_results: Callable[[list[str]], list[str]]
    ) -> None:
        self._plan = plan
        self._results = results
        self._evaluation_results = evaluation_results

    @functools.cached_property
    def _figures(self) -> dict[str, FigurePlan]:
        return {name: figure_plan(self._plan, name) for name in self._plan.all_figures}

    def _figure(self, name: str) -> FigurePlan:
        if name not in self._figures:
            raise unknown_name("figure", name, self._figures)
        return self._figures[name]

    @property
    def names(self) -> list[str]:
        """All figures of the suite."""
        return list(self._figures)

    @property
    def plots(self) -> list[str]:
        """Figures that are also written as an SVG."""
        return [name for name, figure in self._figures.items() if figure.has_svg]

    @property
    def pictures(self) -> list[str]:
        """Figures that are written as a PNG alone."""
        return [name for name, figure in self._figures.items() if not figure.has_svg]

    def inputs(self, wildcards: Any) -> list[str]:
        """Files that a figure is drawn from."""
        figure = self._figure(wildcards.figure)
        runs = figure_runs(figure)
        folders = [
            f"{self._results}/evaluations/{run}/pictures"
            for run in runs
            if figure.kind in ("picture_grid", "residuals")
        ]
        tensors = [
            f"{self._results}/representation/{run}.npz" for run in representation_runs(figure)
        ]
        layout = [f"{self._results}/{NETWORK_LAYOUT}"] if figure.kind == "network_drawing" else []
        return self._evaluation_results(runs) + folders + tensors + layout

    def plan(self, wildcards: Any) -> str:
        """The figure plan as canonical JSON."""
        return self._figure(wildcards.figure).canonical_json()

    def fingerprint(self, wildcards: Any) -> str:
        """Hash of the code that draws a figure, and of its templates."""
        kind = self._figure(wildcards.figure).kind
        folders = ["figures/drawings"] if kind == "network_drawing" else []
        modules = "reports.figures.draw", f"reports.figures.{kind}"
        return fingerprint_with_files(*modules, folders=folders)

    @property
    def of_report(self) -> list[str]:
        """Records of the figures that need no training beyond those of the report's tables."""
        names = figures_of_tables(self._plan, self._plan.config.tables)
        return [f"{self._results}/figures/{name}.json" for name in names]

    @property
    def network_spec(self) -> str:
        """Spec of the network that is drawn, as canonical JSON."""
        method, setting = DRAWN_NETWORK
        run = run_id(method, setting, {}, self._plan.config.seeds[0])
        return self._plan.runs[run].canonical_json()


CHANGES: tuple[dict[str, Any], ...] = ({}, {"lambda_degrad": 0})
"""The runs of the report's section: as published, and without the degradation loss."""
FIGURE_IMAGES = 4
"""Images per test set whose inner maps are kept for the figures."""


class RepresentationJobs:
    """Which runs are studied, and how.

    Args:
        plan: the plan of the suite.
        results: `results/<tier>`.
    """

    def __init__(self, plan: Plan, results: str) -> None:
        self._plan = plan
        self._results = results

    def _training(self, run: str) -> RunSpec:
        if run not in self._plan.runs:
            raise unknown_name("trained run", run, self._plan.runs)
        return self._plan.runs[run]

    def snapshots(self, wildcards: Any) -> str:
        """Snapshots of D that the training kept."""
        return f"{self._results}/runs/{wildcards.run}/representation.safetensors"

    def figure_images(self, wildcards: Any) -> int:
        """How many images per test set leave their maps: none of runs that no figure shows."""
        changes = self._training(wildcards.run).changes
        return FIGURE_IMAGES if not changes.keys() - {"upscale"} else 0

    def fingerprint(self, wildcards: Any) -> str:
        """Hash of the code that looks at a run."""
        method = self._training(wildcards.run).method
        return source_fingerprint("ndr.represent", method_class(method).__module__)

    def runs_of_tables(self, tables: Iterable[str]) -> list[str]:
        """Runs that the section on D shows, of those that the tables ask for, main run first."""
        asked = {run for table in tables for run in self._plan.runs_of_table(table)}
        seed = self._plan.config.seeds[0]
        return [
            run
            for changes in CHANGES
            for run, spec in self._plan.runs.items()
            if run in asked
            and (spec.method, spec.setting.name, spec.seed) == (METHOD, SETTING, seed)
            and spec.changes == changes
        ]

    @property
    def of_report(self) -> list[str]:
        """Numbers that the report's section shows."""
        runs = self.runs_of_tables(self._plan.config.tables)
        return [f"{self._results}/representation/{run}.json" for run in runs]


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
