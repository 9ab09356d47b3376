"""What a table needs: from the configuration to run specs, evaluation specs and table plans.

Plain functions of the configuration: nothing is read but committed files, nothing is written.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ndr.method import OfficialWeights
from ndr.metrics.metric import METRICS, check_metrics
from ndr.metrics.protocol import PROTOCOLS
from ndr.nearest_name import check_names
from ndr.registry import add_method_paths, lost_method, method_names
from ndr.shipped_weights import ShippedWeights
from ndr.specs.run_spec import OFFICIAL, EvaluationSpec, RunSpec
from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan
from ndr.specs.typed_file import SpecError
from workflows.configuration import (
    CONFIG,
    Figure,
    SuiteConfig,
    Table,
    TableRow,
    Tier,
    names_in,
    read_figure,
    read_settings,
    read_table,
    read_tier,
)
from workflows.main_run import INPUT_CONTROLS, noise_evaluations
from workflows.official_rows import official_run, weights_of, why_no_weights
from workflows.own_sets import tier_with_own_sets
from workflows.quoted_numbers import QuotedNumbers, quotation_notes, read_quoted_numbers
from workflows.rows import (
    RowSpecs,
    SetIdentities,
    input_row,
    method_info,
    paper_method,
    row_label,
    truth_row,
)
from workflows.tier_tables import tables_of_tier

SHIPPED = "shipped"
"""Source of numbers: the networks that the suite has trained, in `weights/`."""


@dataclass(slots=True)
class _AskedRun:
    """A run that is to be evaluated, and all test sets that something shows it on."""

    row: TableRow
    training: str | None
    weights: OfficialWeights | None
    columns: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    """Those that run under terms, which were accepted."""


@dataclass(frozen=True)
class Plan:
    """Everything that the tables of one configuration need, resolved."""

    config: SuiteConfig
    tier: Tier
    rows: RowSpecs
    folder: Path = CONFIG

    @property
    def seed(self) -> int:
        """The first seed: that of all that is shown once."""
        return self.config.first_seed

    @property
    def sources(self) -> tuple[str, ...]:
        """Where numbers come from."""
        return self.config.sources or self.tier.sources

    @functools.cached_property
    def shipped(self) -> ShippedWeights:
        """The trained networks that may stand in these tables; none where all is trained here."""
        if SHIPPED in self.sources:
            return ShippedWeights.of(self.folder.parent / "weights")
        return ShippedWeights(self.folder.parent / "weights", {})

    def seeds_of(self, row: TableRow) -> tuple[int, ...]:
        """Seeds of a row's trainings: those that are asked for, or else all that are shipped."""
        if self.config.seeds:
            return self.config.seeds
        if not self.shipped.files or not method_info(row).trainable:
            return (self.seed,)
        seeds = self.shipped.seeds
        found = [seed for seed in seeds if self.shipped.find(self.rows.run_spec(row, seed))]
        return tuple(found) or (self.seed,)

    @functools.cached_property
    def _shipped_problems(self) -> Mapping[str, str]:
        """What is wrong with a shipped file, by key: each file is read once."""
        return {key: self.shipped.problem(entry) for key, entry in self.shipped.files.items()}

    @functools.cached_property
    def shipped_runs(self) -> frozenset[str]:
        """Runs that are taken from the shipped networks."""
        return frozenset(run for run, spec in self.runs.items() if self._shipped(spec))

    def _shipped(self, spec: RunSpec) -> bool:
        entry = self.shipped.find(spec)
        return entry is not None and not self._shipped_problems[entry.key]

    def not_shipped(self, row: TableRow) -> str:
        """Why no shipped network fills a row, and what to do; empty where one does."""
        if SHIPPED not in self.sources or self.config.train_missing:
            return ""
        if not method_info(row).trainable:
            return ""
        spec = self.rows.run_spec(row, self.seeds_of(row)[0])
        entry = self.shipped.find(spec)
        if entry is not None:
            return self._shipped_problems[entry.key]
        seconds, steps = self.shipped.step_seconds(row.method), spec.recipe.last_step
        time = f", about {seconds * steps / 60:.0f} min on one core" if seconds else ""
        effort = f"{steps} steps{time}"
        return f"not trained yet; --config train_missing=true trains it ({effort})"

    @functools.cached_property
    def all_tables(self) -> Mapping[str, Table]:
        """Every table of the tier: which test sets a run is scored on depends on all of them.

        Rows whose method's file is broken are left out; the plans of the tables show them.
        """
        return {
            name: dataclasses.replace(
                table, rows=tuple(row for row in table.rows if not lost_method(row.method))
            )
            for name, table in self._written_tables.items()
        }

    @functools.cached_property
    def _written_tables(self) -> Mapping[str, Table]:
        return tables_of_tier(self.config, self.tier, self.rows.settings, self.folder)

    @functools.cached_property
    def all_figures(self) -> Mapping[str, Figure]:
        """Every figure: which test sets a run is scored on depends on them too."""
        names = names_in("figures", self.folder)
        return {name: self._figure(read_figure(name, self.folder)) for name in names}

    @staticmethod
    def _figure(figure: Figure) -> Figure:
        sound = tuple(each for each in figure.rows if not lost_method(each.method))
        return dataclasses.replace(figure, rows=sound)

    @functools.cached_property
    def tables(self) -> Mapping[str, TablePlan]:
        """Plans of all tables by name."""
        return {name: self._table_plan(name, table) for name, table in self.all_tables.items()}

    @functools.cached_property
    def runs(self) -> Mapping[str, RunSpec]:
        """Specs of all trainings by run id, for every seed."""
        specs = [
            self.rows.run_spec(row, seed)
            for table in self.all_tables.values()
            for row in table.rows
            if method_info(row).trainable
            for seed in self.seeds_of(row)
        ]
        return {spec.run: spec for spec in specs}

    @functools.cached_property
    def evaluations(self) -> Mapping[str, EvaluationSpec]:
        """Specs of all evaluations by run id, the controls' included."""
        specs = {
            run: self.rows.evaluation_spec(
                run,
                asked.row,
                asked.columns,
                None if asked.training is None else self.runs[asked.training],
                asked.weights,
                metrics=asked.metrics,
            )
            for run, asked in sorted(self._asked_runs().items())
        }
        return specs | noise_evaluations(specs, self.config.noise_variant, self.seed)

    def _asked_runs(self) -> dict[str, _AskedRun]:
        """All runs that a table, a figure or a picture of the page shows."""
        found: dict[str, _AskedRun] = {}

        def add(
            run: str, wanted: _AskedRun, columns: Iterable[str], metrics: Iterable[str]
        ) -> None:
            asked = found.setdefault(run, wanted)
            asked.columns.update(columns)
            asked.metrics.update(metrics)

        def ask(
            row: TableRow, seed: int, columns: Iterable[str], metrics: Iterable[str] = ()
        ) -> None:
            wanted = _AskedRun(row, self.rows.training_of(row, seed), None)
            add(self.rows.run_of(row, seed), wanted, columns, metrics)

        for table in self.all_tables.values():
            metrics = self.rows.allowed(table.metrics)
            for row in table.rows:
                columns = self.rows.table_columns(row, table)
                for seed in self.seeds_of(row):
                    ask(row, seed, columns, metrics)
                if weights := weights_of(row):
                    official = official_run(row, weights)
                    add(official, _AskedRun(row, None, weights), columns, metrics)
            if metrics:  # the degraded input, which the table starts with
                scale = self.scale_of(table.label, table.columns)
                ask(input_row(scale), self.seed, table.columns, metrics)
        for figure in self.all_figures.values():
            for system in figure.rows:
                run = self.rows.training_of(system.row, self.seed)
                if run is not None and run not in self.runs:
                    raise SpecError(
                        f"{figure.label}: expected a system of a table, found {system.method} in "
                        f"{system.setting} ({run}); add the row to a table, or name one that has "
                        "a row"
                    )
                ask(system.row, self.seed, self.rows.figure_columns(system, figure))
        for scale in INPUT_CONTROLS:
            own = [name for name, each in self.tier.test_sets.items() if each.scale == scale]
            known = [name for name in own if self.tier.test_sets[name].reference]
            for row, columns in ((input_row(scale), own), (truth_row(scale), known)):
                if columns:
                    ask(row, self.seed, columns)
        return found

    @property
    def input_runs(self) -> list[str]:
        """Runs whose pictures are the degraded inputs, one per scale."""
        return self._controls(input_row)

    @property
    def truth_runs(self) -> list[str]:
        """Runs whose pictures are the ground truths, one per scale."""
        return self._controls(truth_row)

    def _controls(self, row_of: Callable[[int], TableRow]) -> list[str]:
        runs = [self.rows.run_of(row_of(scale), self.seed) for scale in INPUT_CONTROLS]
        return [run for run in runs if run in self.evaluations]

    def runs_of_table(self, name: str) -> list[str]:
        """Runs whose evaluations fill a table, the degraded input's included."""
        plan = self.tables[name]
        runs = {run for row in plan.rows for run in row.runs}
        return sorted(runs | {plan.degraded_input_run})

    def runs_of_tables(self, names: Iterable[str] | None = None) -> list[str]:
        """Runs of several tables, each once; by default those that the configuration asks for."""
        names = self.config.tables if names is None else names
        return list(dict.fromkeys(run for name in names for run in self.runs_of_table(name)))

    def scale_of(self, label: str, columns: Sequence[str]) -> int:
        """Scale of the test sets of a table or figure, which must be one."""
        scales = {self.rows.test_set(column).scale for column in columns}
        if len(scales) != 1:
            raise SpecError(
                f"{label}: expected columns of one scale, found scales {sorted(scales)}"
            )
        return scales.pop()

    @functools.cached_property
    def _quoted(self) -> QuotedNumbers:
        """Published numbers of the configuration's files, which all tables share."""
        return read_quoted_numbers(self.config.quoted_numbers, self._written_tables)

    def _table_plan(self, name: str, table: Table) -> TablePlan:
        scale = self.scale_of(table.label, table.columns)
        test_sets = {column: self.rows.test_set(column) for column in table.columns}
        names = {column: each.name for column, each in test_sets.items()}
        rows = tuple(
            self._quoted.beside(self._sourced_row(row, source, table), row, name, names)
            for row in self._written_tables[name].rows
            for source in self._sources_of(row)
        )
        return TablePlan(
            name=name,
            label=table.label,
            title=table.title,
            tier=self.config.tier,
            metrics=table.metrics,
            protocol=table.protocol or self.config.protocols[0],
            columns=tuple(
                PlannedColumn(
                    each.name,
                    each.label,
                    column if each.paper_column is None else each.paper_column,
                    each.stand_in,
                )
                for column, each in test_sets.items()
            ),
            rows=rows,
            degraded_input_run=self.rows.run_of(input_row(scale), self.seed),
            average=bool(table.average),
            average_weights=tuple(table.average[column] for column in table.columns)
            if isinstance(table.average, Mapping)
            else (),
            own_metrics=tuple(
                name
                for name in table.metrics
                if name in table.own_metrics or name not in METRICS.own
            ),
            paper_values=table.paper_values,
            comparable_with_paper=self.tier.comparable_with_paper,
            withheld={
                name: reason for name in table.metrics if (reason := self.rows.withheld(name))
            },
            notes=(*table.notes, *quotation_notes(rows)),
        )

    def _sourced_row(self, row: TableRow, source: str, table: Table) -> PlannedRow:
        if lost_method(row.method):
            return self.rows.lost_row(row, table, lost_method(row.method))
        if source == OFFICIAL and method_info(row).trainable:
            return self._official_row(row, table)
        return self._planned_row(row, table)

    def _sources_of(self, row: TableRow) -> tuple[str, ...]:
        """Where the numbers of a row come from: one line of the table each."""
        several = not lost_method(row.method) and method_info(row).trainable
        return self.sources if several else self.sources[:1]

    def _official_row(self, row: TableRow, table: Table) -> PlannedRow:
        """The row with the weights that the method's authors publish."""
        planned = self._planned_row(row, table)
        weights = weights_of(row)
        reason = self.rows.left_out(row) or ("" if weights else why_no_weights(row))
        return dataclasses.replace(
            planned,
            label=planned.label + (", authors' weights" if len(self.sources) > 1 else ""),
            run=official_run(row, weights) if weights and not reason else None,
            other_seeds=(),
            reason=reason,
            protocol=weights.protocol if weights else None,
            own_noise=bool(
                weights and weights.noise_variant not in (None, self.config.noise_variant)
            ),
        )

    def _planned_row(self, row: TableRow, table: Table) -> PlannedRow:
        reason = self.rows.left_out(row) or self.not_shipped(row)
        columns = self.rows.table_columns(row, table)
        first, *others = dict.fromkeys(self.rows.run_of(row, seed) for seed in self.seeds_of(row))
        return PlannedRow(
            block=self.rows.setting(row.setting).block,
            label=row_label(row),
            paper_method=paper_method(row),
            run=None if reason else first,
            columns=tuple(self.rows.test_set(column).name for column in columns),
            reason=reason,
            printed=row.printed,
            other_seeds=() if reason else tuple(others),
        )


def make_plan(config: SuiteConfig, catalogue: SetIdentities, folder: Path = CONFIG) -> Plan:
    """Plan all tables of a configuration.

    Raises:
        UnknownNameError: unknown tier, table, setting, method or change, with the nearest names.
        FileNotFoundError: a folder of `method_paths` that is not there.
    """
    add_method_paths(config.method_paths)
    check_names("tier", [config.tier], names_in("tiers", folder))
    check_names("table", config.tables, names_in("tables", folder))
    for name in config.tables:
        tiers = read_table(name, folder).tiers
        if config.tier not in tiers:
            raise SpecError(
                f"{name}: the tier {config.tier!r} does not have this table; leave it out of "
                f"`tables`, or take the tier {' or '.join(tiers)}"
            )
    check_names("protocol", config.protocols, PROTOCOLS)
    settings = read_settings(folder)
    check_names("setting in only_settings", config.only_settings, settings.settings)
    check_names("method in only_methods", config.only_methods, method_names())
    tier = read_tier(config.tier, folder)
    for column, test_set in tier.test_sets.items():
        check_names(f"task of {column} at tier {config.tier}", [test_set.task], settings.tasks)
    tier = tier_with_own_sets(tier, config, settings)
    for own in config.own_test_sets:
        check_names(f"table of own test set {own.name!r}", own.tables, names_in("tables", folder))
    check_metrics("metric", config.metrics)
    check_names("column in pictures_of", config.pictures_of, tier.test_sets)
    return Plan(config, tier, RowSpecs(config, tier, settings, catalogue), folder)
