"""From a table's row to specs: its run's id, its training, its evaluation."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ndr.method import MethodInfo, OfficialWeights
from ndr.nearest_name import check_names, unknown_name
from ndr.registry import method_arguments, method_class
from ndr.specs.run_spec import (
    OFFICIAL,
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
    ConfigurationError,
    Figure,
    FigureSystem,
    Setting,
    Settings,
    SuiteConfig,
    Table,
    TableRow,
    Tier,
    TierTestSet,
)


def weights_of(info: MethodInfo, row: TableRow) -> OfficialWeights | None:
    """The published checkpoint that may stand in a row; none for a changed network."""
    if row.changes:
        return None
    return next((w for w in info.official_weights if row.setting in w.settings), None)


def official_run(row: TableRow, weights: OfficialWeights) -> str:
    """Id of the run that evaluates a published checkpoint."""
    changes: dict[str, object] = {"weights": weights.name}
    if row.self_ensemble:
        changes["self_ensemble"] = True
    return run_id(row.method, OFFICIAL, changes, 0)


def why_none(info: MethodInfo, row: TableRow) -> str:
    """Why a row has no published checkpoint."""
    if not info.official_weights:
        return f"the authors of {info.paper_label} publish no weights that this suite can read"
    if row.changes:
        return "its authors publish no weights of this changed network"
    names = ", ".join(weights.name for weights in info.official_weights)
    return f"its authors publish no weights for this training mix (known: {names})"


def noise_of(weights: OfficialWeights | None, sigma: float, variant: str) -> NoiseSpec:
    """Noise of a test set: the suite's, or that which the authors test their weights with."""
    if weights is None or weights.noise_variant is None:
        return NoiseSpec((sigma,), variant)
    return NoiseSpec((sigma,), weights.noise_variant, weights.noise_seeding)


_RECIPE_FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))


def left_out(config: SuiteConfig, row: TableRow) -> str:
    """Why the configuration leaves a row out; empty where it is asked for."""
    for key, allowed, value in (
        ("only_settings", config.only_settings, row.setting),
        ("only_methods", config.only_methods, row.method),
    ):
        if allowed and value not in allowed:
            return f"left out by {key}: {', '.join(allowed)}"
    return ""


def recipe_of(config: SuiteConfig, tier: Tier, info: MethodInfo) -> Recipe:
    """The tier's recipe, or with `recipe: own` what the method's authors published.

    Raises:
        ConfigurationError: the authors' recipe at a tier of another budget.
        UnknownNameError: a method's own recipe names a field that a recipe does not have.
    """
    common = tier.recipe.model_dump()
    if config.recipe == "common":
        return Recipe(**common)
    if not tier.comparable_with_paper:
        raise ConfigurationError(
            f"recipe: own holds for the authors' budgets, not for the tier {config.tier!r}; take "
            "recipe: common, or a tier of the paper's size"
        )
    check_names(f"field of {info.name}'s own recipe", info.own_recipe, _RECIPE_FIELDS)
    return Recipe(**{**common, **info.own_recipe})


class SetIdentities(Protocol):
    """What the plan asks of the catalogue of data sets."""

    def identity(self, name: str, suite_seed: int) -> str:
        """Hash of the set's committed manifest or of its synthesis."""


@dataclass(frozen=True)
class RowSpecs:
    """What the rows of tables mean under one configuration."""

    config: SuiteConfig
    tier: Tier
    settings: Settings
    catalogue: SetIdentities

    @staticmethod
    def info(row: TableRow) -> MethodInfo:
        """What the row's method says of itself; raises `UnknownNameError` with the nearest."""
        return method_class(row.method).info

    def setting(self, name: str) -> Setting:
        """A training mix; raises `UnknownNameError` with the nearest names."""
        if name not in self.settings.settings:
            raise unknown_name("setting", name, self.settings.settings)
        return self.settings.settings[name]

    def test_set(self, column: str) -> TierTestSet:
        """What stands in a column at this tier; raises `UnknownNameError` with the nearest."""
        if column not in self.tier.test_sets:
            raise unknown_name(f"column at tier {self.config.tier}", column, self.tier.test_sets)
        test_set = self.tier.test_sets[column]
        first = test_set.down_first
        if first is None or self.config.x2_order != "down_then_degrade":
            return test_set
        return test_set.model_copy(update={"set": first.set, "sigma": first.sigma})

    def columns_of(self, row: TableRow, table: Table) -> list[str]:
        """Columns that a row fills: the test sets of the tasks it was trained for."""
        setting = self.setting(row.setting)
        return [name for name in table.columns if self.test_set(name).task in setting.tasks]

    def changes(self, row: TableRow) -> dict[str, Any]:
        """Changes of a row without those that repeat the preset, so that equal runs are one."""
        preset = method_arguments(row.method, self.config.tier, {})
        changes = dict(row.changes)
        if self._scale_of(row) > self.info(row).scale:
            if "upscale" not in preset:
                raise ConfigurationError(
                    f"setting {row.setting!r} has scale 2, but {row.method!r} has no x2 head; "
                    "choose a method whose constructor takes `upscale`, or one of scale 2"
                )
            changes.setdefault("upscale", self.config.upscale)
        check_names(f"change of {row.method}", changes, preset)
        return {key: value for key, value in changes.items() if preset[key] != value}

    def _scale_of(self, row: TableRow) -> int:
        return 1 if row.setting == UNTRAINED else self.setting(row.setting).scale

    def run_of(self, row: TableRow, seed: int) -> str:
        """Id of the run that fills a row."""
        changes = self.changes(row)
        if row.self_ensemble:
            changes = {**changes, "self_ensemble": True}
        if not self.info(row).trainable:
            return run_id(row.method, UNTRAINED, changes, self.config.seeds[0])
        return run_id(row.method, row.setting, changes, seed)

    def run_spec(self, row: TableRow, seed: int) -> RunSpec:
        """The training behind a row."""
        changes = self.changes(row)
        return RunSpec(
            tier=self.config.tier,
            method=row.method,
            arguments=method_arguments(row.method, self.config.tier, changes),
            changes=changes,
            setting=self._setting_spec(row.setting),
            recipe=recipe_of(self.config, self.tier, self.info(row)),
            seed=seed,
            suite_seed=self.config.suite_seed,
            precision=self.tier.precision,
            cpu_threads=self.tier.cpu_threads,
        )

    def evaluation_spec(
        self,
        run: str,
        row: TableRow,
        columns: Collection[str],
        training: RunSpec | None,
        weights: OfficialWeights | None,
    ) -> EvaluationSpec:
        """The evaluation of a run on the test sets of `columns`.

        Args:
            run: its id.
            row: a row that it fills.
            columns: names of test sets of the tier.
            training: of the checkpoint to evaluate, where there is one.
            weights: the authors' checkpoint instead.
        """
        info = self.info(row)
        limits = [self.tier.test_images, self.tier.slow_method_images if info.slow else None]
        limit = min((value for value in limits if value is not None), default=None)
        own_protocol = (weights.protocol,) if weights and weights.protocol else ()
        return EvaluationSpec(
            tier=self.config.tier,
            run=run,
            method=row.method,
            arguments=method_arguments(row.method, weights.preset, weights.changes)
            if weights
            else method_arguments(row.method, self.config.tier, self.changes(row)),
            training_run=training.run if training else None,
            training_sha256=training.sha256() if training else None,
            official_weights=weights.name if weights else None,
            self_ensemble=row.self_ensemble,
            test_sets=tuple(
                self._test_set_spec(column, limit, weights)
                for column in sorted(columns)  # another order in the file is no other evaluation
            ),
            protocols=tuple(dict.fromkeys((*self.config.protocols, *own_protocol))),
            suite_seed=self.config.suite_seed,
            # Published numbers are of single precision: bf16 costs FFDNet 0.04 dB at sigma 15.
            precision="fp32" if weights else self.tier.precision,
            cpu_threads=self.tier.cpu_threads,
            pictures=self.tier.pictures,
        )

    def _test_set_spec(
        self, column: str, limit: int | None, weights: OfficialWeights | None
    ) -> TestSetSpec:
        test_set = self.test_set(column)
        return TestSetSpec(
            name=test_set.name,
            task=test_set.task,
            set=test_set.set,
            set_sha256=self._identity(test_set.set),
            noise=None
            if test_set.sigma is None
            else noise_of(weights, test_set.sigma, self.config.noise_variant),
            crop=self.tier.test_crop,
            first_images=limit,
            parameter=test_set.parameter,
            parameter_values=test_set.parameter_values,
            reference=test_set.reference,
        )

    def _setting_spec(self, name: str) -> SettingSpec:
        setting = self.setting(name)
        tasks = []
        for task in setting.tasks:
            key = setting.train_sets.get(task, task)
            if key not in self.tier.train_sets:
                raise ConfigurationError(
                    f"config/tiers/{self.config.tier}.yaml: setting {name!r} needs train_sets."
                    f"{key}; found only {', '.join(self.tier.train_sets)}"
                )
            sets = self.tier.train_sets[key]
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
        return SettingSpec(
            name=name,
            tasks=tuple(tasks),
            balance=setting.balance or self.config.balance or self.tier.balance,
            scale=setting.scale,
            x2_order=self.config.x2_order,
        )

    @functools.cached_property
    def _identities(self) -> dict[str, str]:
        return {}

    def _identity(self, set_name: str) -> str:
        # Each reads a committed manifest, and every run and test set asks: read it once.
        if set_name not in self._identities:
            self._identities[set_name] = self.catalogue.identity(set_name, self.config.suite_seed)
        return self._identities[set_name]


INPUT_CONTROLS = {1: "identity", 2: "bicubic"}
"""The control that shows the degraded input of each scale: as it is, or enlarged."""
TRUTH_CONTROL = "oracle"


def input_row(scale: int) -> TableRow:
    """Row of the degraded input of a scale."""
    return TableRow(setting=UNTRAINED, method=INPUT_CONTROLS[scale], paper_method="")


def truth_row(scale: int) -> TableRow:
    """Row of the ground truth of test sets of a scale."""
    changes = {} if scale == 1 else {"scale": scale}
    return TableRow(setting=UNTRAINED, method=TRUTH_CONTROL, paper_method="", changes=changes)


def columns_of(rows: RowSpecs, system: FigureSystem, figure: Figure) -> list[str]:
    """Columns of a figure that a system fills.

    They are the test sets of the tasks it was trained for, or with `across_tasks` all of them;
    never one without the noise level that the method must be told.
    """
    tasks = rows.setting(system.setting).tasks
    sets = {name: rows.test_set(name) for name in figure.test_sets}
    told = "sigma" in rows.info(system.row).side_information
    return [
        name
        for name, test_set in sets.items()
        if (figure.across_tasks or test_set.task in tasks) and not (told and test_set.sigma is None)
    ]


def untrained_rows(rows: RowSpecs, figures: Iterable[Figure]) -> Iterator[TableRow]:
    """Rows of the systems that a figure alone may bring in: nothing has to be trained for them."""
    for figure in figures:
        for system in figure.rows:
            if not rows.info(system.row).trainable:
                yield system.row
