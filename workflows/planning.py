"""What a table needs: from the configuration to run specs, evaluation specs and table plans.

Plain functions of the configuration: nothing is read but committed files, nothing is written.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.method import OfficialWeights
from ndr.metrics.protocol import PROTOCOLS
from ndr.nearest_name import check_names
from ndr.registry import method_names
from ndr.specs.run_spec import OFFICIAL, EvaluationSpec, RunSpec, run_id
from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan
from workflows.configuration import (
    CONFIG,
    ConfigurationError,
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
from workflows.main_run import variant_evaluations
from workflows.rows import (
    INPUT_CONTROLS,
    RowSpecs,
    SetIdentities,
    columns_of,
    input_row,
    left_out,
    official_run,
    truth_row,
    untrained_rows,
    weights_of,
    why_none,
)


@dataclass(frozen=True)
class Plan:
    """Everything that the tables of one configuration need, resolved."""

    config: SuiteConfig
    tier: Tier
    rows: RowSpecs
    folder: Path = CONFIG

    @functools.cached_property
    def all_tables(self) -> Mapping[str, Table]:
        """Every table of the tier: which test sets a run is scored on depends on all of them."""
        tables = {name: read_table(name, self.folder) for name in names_in("tables", self.folder)}
        return {name: each for name, each in tables.items() if self.config.tier in each.tiers}

    @functools.cached_property
    def all_figures(self) -> Mapping[str, Figure]:
        """Every figure: which test sets a run is scored on depends on them too."""
        return {name: read_figure(name, self.folder) for name in names_in("figures", self.folder)}

    def scale_of(self, label: str, columns: Sequence[str]) -> int:
        """Scale of the test sets of a table or figure, which must be one."""
        scales = {self.rows.test_set(column).scale for column in columns}
        if len(scales) != 1:
            raise ConfigurationError(
                f"{label}: expected columns of one scale, found scales {sorted(scales)}"
            )
        return scales.pop()

    def _input_run(self, table: Table) -> str:
        """Run of the control that shows the degraded input of a table's columns."""
        scale = self.scale_of(table.label, table.columns)
        return self.rows.run_of(input_row(scale), self.config.seeds[0])

    @functools.cached_property
    def tables(self) -> Mapping[str, TablePlan]:
        """Plans of all tables by name."""
        return {name: self._table_plan(name, table) for name, table in self.all_tables.items()}

    @functools.cached_property
    def runs(self) -> Mapping[str, RunSpec]:
        """Specs of all trainings by run id, for every seed."""
        specs = {}
        for table in self.all_tables.values():
            for row in table.rows:
                if self.rows.info(row).trainable:
                    for seed in self.config.seeds:
                        spec = self.rows.run_spec(row, seed)
                        specs[spec.run] = spec
        return specs

    @functools.cached_property
    def evaluations(self) -> Mapping[str, EvaluationSpec]:
        """Specs of all evaluations by run id, the controls' included."""
        columns: dict[str, set[str]] = {}
        for table in self.all_tables.values():
            for row in table.rows:
                runs = [self.rows.run_of(row, seed) for seed in self.config.seeds]
                weights = weights_of(self.rows.info(row), row)
                if weights is not None:
                    runs.append(official_run(row, weights))
                for run in runs:
                    columns.setdefault(run, set()).update(self.rows.columns_of(row, table))
        for figure in self.all_figures.values():
            for system in figure.rows:
                run = self.rows.run_of(system.row, self.config.seeds[0])
                columns.setdefault(run, set()).update(columns_of(self.rows, system, figure))
        for scale in INPUT_CONTROLS:
            own = {name: t for name, t in self.tier.test_sets.items() if t.scale == scale}
            known = [name for name, test_set in own.items() if test_set.reference]
            for row, names in ((input_row(scale), own), (truth_row(scale), known)):
                if names:
                    run = self.rows.run_of(row, self.config.seeds[0])
                    columns.setdefault(run, set()).update(names)
        specs = {run: self._evaluation(run, columns[run]) for run in sorted(columns)}
        return specs | variant_evaluations(specs, self.config.noise_variant, self.config.seeds)

    def _evaluation(self, run: str, columns: set[str]) -> EvaluationSpec:
        if run in self.official_runs:
            row, weights = self.official_runs[run]
            return self.rows.evaluation_spec(run, row, columns, None, weights)
        row, _ = self._row_and_seed[run]
        training = self._training_run(run)
        spec = None if training is None else self.runs[training]
        return self.rows.evaluation_spec(run, row, columns, spec, None)

    @functools.cached_property
    def _row_and_seed(self) -> Mapping[str, tuple[TableRow, int]]:
        """A row that each run fills, and the run's seed."""
        rows = [row for table in self.all_tables.values() for row in table.rows]
        rows += untrained_rows(self.rows, self.all_figures.values())
        rows += [row for scale in INPUT_CONTROLS for row in (input_row(scale), truth_row(scale))]
        return {
            self.rows.run_of(row, seed): (row, seed) for row in rows for seed in self.config.seeds
        }

    @functools.cached_property
    def official_runs(self) -> Mapping[str, tuple[TableRow, OfficialWeights]]:
        """Runs that evaluate published checkpoints: a row that each fills, and the checkpoint."""
        return {
            official_run(row, weights): (row, weights)
            for table in self.all_tables.values()
            for row in table.rows
            if (weights := weights_of(self.rows.info(row), row)) is not None
        }

    def _training_run(self, run: str) -> str | None:
        """Id of the training whose checkpoint a run evaluates; None where nothing is trained.

        It is another one than the run's own where the evaluation adds a self-ensemble.
        """
        row, seed = self._row_and_seed[run]
        if not self.rows.info(row).trainable:
            return None
        return run_id(row.method, row.setting, self.rows.changes(row), seed)

    @property
    def input_runs(self) -> list[str]:
        """Runs whose pictures are the degraded inputs, one per scale."""
        return self._controls(input_row)

    @property
    def truth_runs(self) -> list[str]:
        """Runs whose pictures are the ground truths, one per scale."""
        return self._controls(truth_row)

    def _controls(self, row_of: Callable[[int], TableRow]) -> list[str]:
        runs = [self.rows.run_of(row_of(scale), self.config.seeds[0]) for scale in INPUT_CONTROLS]
        return [run for run in runs if run in self.evaluations]

    def runs_of_table(self, name: str) -> list[str]:
        """Runs whose evaluations fill a table, the degraded input's included."""
        plan = self.tables[name]
        runs = {run for row in plan.rows for run in row.runs}
        return sorted(runs | {plan.degraded_input_run})

    def _table_plan(self, name: str, table: Table) -> TablePlan:
        return TablePlan(
            name=name,
            label=table.label,
            title=table.title,
            tier=self.config.tier,
            metrics=table.metrics,
            protocol=table.protocol or self.config.protocols[0],
            columns=tuple(
                PlannedColumn(
                    self.rows.test_set(c).name,
                    self.rows.test_set(c).label,
                    self.rows.test_set(c).paper_column or c,
                    self.rows.test_set(c).stand_in,
                )
                for c in table.columns
            ),
            rows=tuple(
                self._official_row(row, table)
                if source == OFFICIAL and self.rows.info(row).trainable
                else self._planned_row(row, table)
                for row in table.rows
                for source in self._sources_of(row)
            ),
            degraded_input_run=self._input_run(table),
            average=bool(table.average),
            average_weights=tuple(table.average[c] for c in table.columns)
            if isinstance(table.average, Mapping)
            else (),
            own_metrics=table.own_metrics,
            paper_values=table.paper_values,
            notes=table.notes,
        )

    def _sources_of(self, row: TableRow) -> tuple[str, ...]:
        """Where the numbers of a row come from: one line of the table each."""
        return self.config.sources if self.rows.info(row).trainable else self.config.sources[:1]

    def _official_row(self, row: TableRow, table: Table) -> PlannedRow:
        """The row with the weights that the method's authors publish."""
        planned = self._planned_row(row, table)
        info = self.rows.info(row)
        weights = weights_of(info, row)
        reason = planned.reason or ("" if weights else why_none(info, row))
        return dataclasses.replace(
            planned,
            label=planned.label + (", authors' weights" if len(self.config.sources) > 1 else ""),
            run=official_run(row, weights) if weights and not reason else None,
            other_seeds=(),
            reason=reason,
            protocol=weights.protocol if weights else None,
            own_noise=bool(
                weights and weights.noise_variant not in (None, self.config.noise_variant)
            ),
        )

    def _planned_row(self, row: TableRow, table: Table) -> PlannedRow:
        setting = self.rows.setting(row.setting)
        reason = left_out(self.config, row)
        runs = dict.fromkeys(self.rows.run_of(row, seed) for seed in self.config.seeds)
        first, *others = runs
        return PlannedRow(
            block=setting.block,
            label=row.label or row.paper_method,
            paper_method=row.paper_method,
            run=None if reason else first,
            columns=tuple(self.rows.test_set(c).name for c in self.rows.columns_of(row, table)),
            reason=reason,
            printed=row.printed,
            other_seeds=() if reason else tuple(others),
        )


def make_plan(config: SuiteConfig, catalogue: SetIdentities, folder: Path = CONFIG) -> Plan:
    """Plan all tables of a configuration.

    Raises:
        UnknownNameError: unknown tier, table, setting, method or change, with the nearest names.
    """
    check_names("tier", [config.tier], names_in("tiers", folder))
    check_names("table", config.tables, names_in("tables", folder))
    for name in config.tables:
        tiers = read_table(name, folder).tiers
        if config.tier not in tiers:
            raise ConfigurationError(
                f"{name}: the tier {config.tier!r} does not have this table; leave it out of "
                f"`tables`, or take the tier {' or '.join(tiers)}"
            )
    check_names("protocol", config.protocols, PROTOCOLS)
    settings = read_settings(folder)
    check_names("setting in only_settings", config.only_settings, settings.settings)
    check_names("method in only_methods", config.only_methods, method_names())
    tier = read_tier(config.tier, folder)
    return Plan(config, tier, RowSpecs(config, tier, settings, catalogue), folder)


def sets_of_training(spec: RunSpec) -> list[str]:
    """Prepared sets that a training reads, each once."""
    return list(dict.fromkeys(name for task in spec.setting.tasks for name in task.sets))


def sets_of_evaluation(spec: EvaluationSpec) -> list[str]:
    """Prepared sets that an evaluation reads, each once."""
    return list(dict.fromkeys(test_set.set for test_set in spec.test_sets))
