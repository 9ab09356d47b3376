"""What a table needs: from the configuration to run specs, evaluation specs and table plans.

Plain functions of the configuration: nothing is read but committed files, nothing is written.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ndr.evaluation.protocol import PROTOCOLS
from ndr.method import MethodInfo, method_arguments, method_class, method_names
from ndr.nearest_name import check_names, unknown_name
from ndr.run_spec import (
    UNTRAINED,
    EvaluationSpec,
    NoiseSpec,
    Recipe,
    RunSpec,
    SettingSpec,
    TaskSpec,
    TestSetSpec,
    run_id,
)
from workflows.configuration import (
    CONFIG,
    ConfigurationError,
    Settings,
    SuiteConfig,
    Table,
    TableRow,
    Tier,
    names_in,
    read_settings,
    read_table,
    read_tier,
)
from workflows.table_plan import PlannedColumn, PlannedRow, TablePlan

INPUT_CONTROL = "identity"
TRUTH_CONTROL = "oracle"
NOISE_TASK = "noise"


class SetIdentities(Protocol):
    """What the plan asks of the catalogue of data sets."""

    def identity(self, name: str, suite_seed: int) -> str:
        """Hash of the set's committed manifest or of its synthesis."""


@dataclass(frozen=True)
class Plan:
    """Everything that the tables of one configuration need, resolved."""

    config: SuiteConfig
    tier: Tier
    settings: Settings
    catalogue: SetIdentities
    folder: Path = CONFIG

    @functools.cached_property
    def all_tables(self) -> Mapping[str, Table]:
        """Every table of the suite: which test sets a run is scored on depends on all of them."""
        return {name: read_table(name, self.folder) for name in names_in("tables", self.folder)}

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
                if row.in_suite and method_class(row.method).info.trainable:
                    for seed in self.config.seeds:
                        spec = self._run_spec(row, seed)
                        specs[spec.run] = spec
        return specs

    @functools.cached_property
    def evaluations(self) -> Mapping[str, EvaluationSpec]:
        """Specs of all evaluations by run id, the controls' included."""
        columns: dict[str, set[str]] = {}
        methods: dict[str, tuple[str, dict[str, Any]]] = {}
        for table in self.all_tables.values():
            for row in table.rows:
                if not row.in_suite:
                    continue
                for seed in self.config.seeds:
                    run = self.run_of(row, seed)
                    columns.setdefault(run, set()).update(self._columns_of(row, table))
                    methods[run] = (row.method, self._changes(row))
        for control in (INPUT_CONTROL, TRUTH_CONTROL):
            run = self.control_run(control)
            columns.setdefault(run, set()).update(self.tier.test_sets)
            methods[run] = (control, {})
        return {
            run: self._evaluation_spec(run, *methods[run], columns[run]) for run in sorted(columns)
        }

    def control_run(self, method: str) -> str:
        """Id of the run of a method that nothing is trained for."""
        return run_id(method, UNTRAINED, {}, self.config.seeds[0])

    def run_of(self, row: TableRow, seed: int) -> str:
        """Id of the run that fills a row."""
        info = self._info(row)
        if not info.trainable:
            return run_id(row.method, UNTRAINED, self._changes(row), self.config.seeds[0])
        return run_id(row.method, row.setting, self._changes(row), seed)

    def runs_of_table(self, name: str) -> list[str]:
        """Runs whose evaluations fill a table, the degraded input's included."""
        plan = self.tables[name]
        runs = {row.run for row in plan.rows if row.run is not None}
        return sorted(runs | {plan.degraded_input_run})

    def _info(self, row: TableRow) -> MethodInfo:
        return method_class(row.method).info

    def _changes(self, row: TableRow) -> dict[str, Any]:
        """Changes of a row without those that repeat the preset, so that equal runs are one."""
        preset = method_arguments(row.method, self.config.tier, {})
        check_names(f"change of {row.method}", row.changes, preset)
        return {key: value for key, value in row.changes.items() if preset[key] != value}

    def _columns_of(self, row: TableRow, table: Table) -> list[str]:
        """Columns that a row fills: the test sets of the tasks it was trained for."""
        tasks = self._setting(row.setting).tasks
        return [name for name in table.columns if self._test_set(name).task in tasks]

    def _setting(self, name: str) -> Any:
        if name not in self.settings.settings:
            raise unknown_name("setting", name, self.settings.settings)
        return self.settings.settings[name]

    def _test_set(self, column: str) -> Any:
        if column not in self.tier.test_sets:
            raise unknown_name(f"column at tier {self.config.tier}", column, self.tier.test_sets)
        return self.tier.test_sets[column]

    def _setting_spec(self, name: str) -> SettingSpec:
        tasks = []
        for task in self._setting(name).tasks:
            if task not in self.tier.train_sets:
                raise ConfigurationError(
                    f"config/tiers/{self.config.tier}.yaml: setting {name!r} needs train_sets."
                    f"{task}; found only {', '.join(self.tier.train_sets)}"
                )
            sets = self.tier.train_sets[task]
            details = self.settings.tasks[task]
            tasks.append(
                TaskSpec(
                    name=task,
                    sets=sets,
                    sets_sha256=tuple(self._identity(name) for name in sets),
                    noise=NoiseSpec(details.sigmas, self.config.noise_variant)
                    if details.sigmas
                    else None,
                    repeat=details.repeat,
                )
            )
        return SettingSpec(name=name, tasks=tuple(tasks), balance=self.config.balance)

    @functools.cached_property
    def _identities(self) -> dict[str, str]:
        return {}

    def _identity(self, set_name: str) -> str:
        # Each reads a committed manifest, and every run and test set asks: read it once.
        if set_name not in self._identities:
            self._identities[set_name] = self.catalogue.identity(set_name, self.config.suite_seed)
        return self._identities[set_name]

    def _run_spec(self, row: TableRow, seed: int) -> RunSpec:
        changes = self._changes(row)
        return RunSpec(
            tier=self.config.tier,
            method=row.method,
            arguments=method_arguments(row.method, self.config.tier, changes),
            changes=changes,
            setting=self._setting_spec(row.setting),
            recipe=Recipe(**self.tier.recipe.model_dump()),
            seed=seed,
            suite_seed=self.config.suite_seed,
            precision=self.tier.precision,
            cpu_threads=self.tier.cpu_threads,
        )

    def _evaluation_spec(
        self, run: str, method: str, changes: dict[str, Any], columns: set[str]
    ) -> EvaluationSpec:
        spec = self.runs.get(run)
        info = method_class(method).info
        limits = [self.tier.test_images, self.tier.slow_method_images if info.slow else None]
        limit = min((value for value in limits if value is not None), default=None)
        return EvaluationSpec(
            tier=self.config.tier,
            run=run,
            method=method,
            arguments=method_arguments(method, self.config.tier, changes),
            training_sha256=spec.sha256() if spec else None,
            test_sets=tuple(
                self._test_set_spec(column, limit)
                for column in self.tier.test_sets
                if column in columns
            ),
            protocols=self.config.protocols,
            suite_seed=self.config.suite_seed,
            precision=self.tier.precision,
            cpu_threads=self.tier.cpu_threads,
            pictures=self.tier.pictures,
        )

    def _test_set_spec(self, column: str, limit: int | None) -> TestSetSpec:
        test_set = self._test_set(column)
        return TestSetSpec(
            name=test_set.name,
            task=test_set.task,
            set=test_set.set,
            set_sha256=self._identity(test_set.set),
            noise=None
            if test_set.sigma is None
            else NoiseSpec((test_set.sigma,), self.config.noise_variant),
            crop=self.tier.test_crop,
            first_images=limit,
        )

    def _table_plan(self, name: str, table: Table) -> TablePlan:
        for row in table.rows:
            if not row.in_suite and row.method in method_names():
                raise ConfigurationError(
                    f"config/tables/{name}.yaml says that {row.method!r} is not in the suite, but "
                    "it is registered; remove in_suite: false"
                )
        return TablePlan(
            name=name,
            label=table.label,
            title=table.title,
            tier=self.config.tier,
            metrics=table.metrics,
            protocol=self.config.protocols[0],
            columns=tuple(
                PlannedColumn(self._test_set(c).name, self._test_set(c).label, c)
                for c in table.columns
            ),
            rows=tuple(self._planned_row(row, table) for row in table.rows),
            degraded_input_run=self.control_run(INPUT_CONTROL),
            average=table.average,
            paper_values=table.paper_values,
            notes=table.notes,
        )

    def _planned_row(self, row: TableRow, table: Table) -> PlannedRow:
        setting = self._setting(row.setting)
        return PlannedRow(
            block=setting.block,
            label=row.label or row.paper_method,
            paper_method=row.paper_method,
            run=self.run_of(row, self.config.seeds[0]) if row.in_suite else None,
            columns=tuple(self._test_set(c).name for c in self._columns_of(row, table)),
            reason="" if row.in_suite else "not yet in the suite",
        )


def make_plan(config: SuiteConfig, catalogue: SetIdentities, folder: Path = CONFIG) -> Plan:
    """Plan all tables of a configuration.

    Raises:
        UnknownNameError: unknown tier, table, setting, method or change, with the nearest names.
    """
    check_names("table", config.tables, names_in("tables", folder))
    check_names("protocol", config.protocols, PROTOCOLS)
    return Plan(
        config=config,
        tier=read_tier(config.tier, folder),
        settings=read_settings(folder),
        catalogue=catalogue,
        folder=folder,
    )


def sets_of_training(spec: RunSpec) -> list[str]:
    """Prepared sets that a training reads, each once."""
    return list(dict.fromkeys(name for task in spec.setting.tasks for name in task.sets))


def sets_of_evaluation(spec: EvaluationSpec) -> list[str]:
    """Prepared sets that an evaluation reads, each once."""
    return list(dict.fromkeys(test_set.set for test_set in spec.test_sets))
