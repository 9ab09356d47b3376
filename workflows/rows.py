"""What a row of a table means: its run's id, its training, its evaluation."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ndr.data.fetch.source import Terms
from ndr.method import MethodInfo, OfficialWeights, Tiling
from ndr.metrics.metric import METRICS
from ndr.nearest_name import check_names, named_entry
from ndr.registry import method_arguments, method_class
from ndr.specs.run_spec import (
    UNTRAINED,
    EvaluationSpec,
    NoiseSpec,
    Recipe,
    RunSpec,
    SettingSpec,
    TaskSpec,
    TestSetSpec,
    in_lowest_terms,
    run_id,
)
from ndr.specs.table_plan import PlannedRow
from ndr.specs.typed_file import SpecError
from workflows.configuration import (
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
from workflows.main_run import INPUT_CONTROLS, TRUTH_CONTROL

LONGER = "longer"
"""In a row's recipe: how many times as many steps."""


def input_row(scale: int) -> TableRow:
    """Row of the degraded input of a scale."""
    return TableRow(setting=UNTRAINED, method=INPUT_CONTROLS[scale], paper_method="")


def truth_row(scale: int) -> TableRow:
    """Row of the ground truth of test sets of a scale."""
    changes = {} if scale == 1 else {"scale": scale}
    return TableRow(setting=UNTRAINED, method=TRUTH_CONTROL, paper_method="", changes=changes)


def method_info(row: TableRow) -> MethodInfo:
    """What the row's method says of itself; raises `UnknownNameError` with the nearest."""
    return method_class(row.method).info


def paper_method(row: TableRow) -> str:
    """The row's name in the file of the paper's numbers; empty where the paper has none.

    >>> paper_method(TableRow(setting="denoise", method="bm3d", paper_method="none"))
    ''
    """
    return "" if row.paper_method.lower() == "none" else row.paper_method


def row_label(row: TableRow) -> str:
    """What a row is called: as it says, as the paper does, or its method with its changes."""
    if row.label or paper_method(row):
        return row.label or paper_method(row)
    changed = {**row.changes, **row.recipe}
    words = (f"{key} = {str(value).lower()}" for key, value in changed.items())
    return ", ".join([method_info(row).paper_label, *words])


class SetIdentities(Protocol):
    """What the plan asks of the catalogue of data sets."""

    @property
    def terms(self) -> Mapping[str, Terms]:
        """Licences that the user accepts once, by name."""

    def identity(self, name: str, suite_seed: int) -> str:
        """Hash of the set's committed manifest or of its synthesis."""


@dataclass(frozen=True)
class RowSpecs:
    """What the rows of tables mean under one configuration."""

    config: SuiteConfig
    tier: Tier
    settings: Settings
    catalogue: SetIdentities

    def setting(self, name: str) -> Setting:
        """A training mix; raises `UnknownNameError` with the nearest names."""
        return named_entry("setting", name, self.settings.settings)

    def test_set(self, column: str) -> TierTestSet:
        """What stands in a column at this tier; raises `UnknownNameError` with the nearest."""
        what = f"column at tier {self.config.tier}"
        test_set = named_entry(what, column, self.tier.test_sets)
        first = test_set.down_first
        if first is None or self.config.x2_order != "down_then_degrade":
            return test_set
        return dataclasses.replace(test_set, set=first.set, sigma=first.sigma)

    def left_out(self, row: TableRow) -> str:
        """Why the configuration leaves a row out; empty where it is asked for.

        A method that runs a package under terms of use is asked for once they are accepted.
        """
        for key, allowed, value in (
            ("only_settings", self.config.only_settings, row.setting),
            ("only_methods", self.config.only_methods, row.method),
        ):
            if allowed and value not in allowed:
                return f"left out by {key}: {', '.join(allowed)}"
        for name, terms in self.catalogue.terms.items():
            if row.method in terms.methods and name not in self.config.accepted_terms:
                return f"it runs under terms of use: {terms.request(name)}"
        return ""

    def withheld(self, metric: str) -> str:
        """Why a metric is not computed: it runs a package whose terms nobody has accepted."""
        names = {metric, METRICS[metric].package}
        for name, terms in self.catalogue.terms.items():
            if names & {*terms.metrics} and name not in self.config.accepted_terms:
                return f"it runs under terms of use: {terms.request(name)}"
        return ""

    def allowed(self, metrics: Iterable[str]) -> list[str]:
        """Those of `metrics` that run under terms which are accepted."""
        return [name for name in metrics if METRICS[name].package and not self.withheld(name)]

    def table_columns(self, row: TableRow, table: Table) -> list[str]:
        """Columns that a row fills: the test sets of the tasks it was trained for."""
        tasks = self.setting(row.setting).tasks
        return [name for name in table.columns if self.test_set(name).task in tasks]

    def lost_row(self, row: TableRow, table: Table, reason: str) -> PlannedRow:
        """The row of a method whose file is broken, with the error."""
        columns = self.table_columns(row, table)
        return PlannedRow(
            block=self.setting(row.setting).block,
            label=row.label or paper_method(row) or row.method,
            paper_method=paper_method(row),
            run=None,
            columns=tuple(self.test_set(column).name for column in columns),
            reason=reason,
            printed=row.printed,
        )

    def figure_columns(self, system: FigureSystem, figure: Figure) -> list[str]:
        """Columns of a figure that a system fills.

        They are the test sets of the tasks it was trained for, or with `across_tasks` all of them;
        never one without the noise level that the method must be told.
        """
        tasks = self.setting(system.setting).tasks
        told = "sigma" in method_info(system.row).side_information
        return [
            name
            for name in figure.test_sets
            if (figure.across_tasks or self.test_set(name).task in tasks)
            and not (told and self.test_set(name).sigma is None)
        ]

    @property
    def training_tier(self) -> str:
        """The tier whose networks these rows show: its sizes and its recipe."""
        return self.tier.trained_as or self.config.tier

    def changes(self, row: TableRow) -> dict[str, Any]:
        """Changes of a row's network without those that repeat the preset: equal runs are one."""
        preset = method_arguments(row.method, self.training_tier, {})
        changes = dict(row.changes)
        scale = 1 if row.setting == UNTRAINED else self.setting(row.setting).scale
        if scale > method_info(row).scale:
            if "upscale" not in preset:
                raise SpecError(
                    f"setting {row.setting!r} has scale 2, but {row.method!r} has no x2 head; "
                    "choose a method whose constructor takes `upscale`, or one of scale 2"
                )
            changes.setdefault("upscale", self.config.upscale)
        check_names(f"change of {row.method}", changes, preset)
        return {key: value for key, value in changes.items() if preset[key] != value}

    def recipe_changes(self, row: TableRow) -> dict[str, Any]:
        """Changes of a row's recipe without those that repeat the tier's.

        Raises:
            SpecError: a recipe for a method that is not trained.
            UnknownNameError: `steps` (`longer` is meant), or a field that a recipe does not have.
        """
        if not row.recipe:
            return {}
        if not method_info(row).trainable:
            raise SpecError(f"{row.method} is not trained; a row of it has no recipe")
        fields = {field.name for field in dataclasses.fields(Recipe)} - {"steps"}
        check_names("change of a row's recipe", row.recipe, {*fields, LONGER})
        common = self.recipe(row.method, row.setting)
        return {
            name: value
            for name, value in row.recipe.items()
            if value != (1 if name == LONGER else getattr(common, name))
        }

    def run_changes(self, row: TableRow) -> dict[str, Any]:
        """All changes of a row's training; they make its id."""
        network, recipe = self.changes(row), self.recipe_changes(row)
        if twice := sorted(network.keys() & recipe.keys()):
            raise SpecError(f"{twice[0]!r} is a change of the network and of the recipe")
        return network | recipe

    def run_of(self, row: TableRow, seed: int) -> str:
        """Id of the run that fills a row."""
        changes = self.run_changes(row)
        if row.self_ensemble:
            changes = {**changes, "self_ensemble": True}
        if not method_info(row).trainable:
            return run_id(row.method, UNTRAINED, changes, self.config.first_seed)
        return run_id(row.method, row.setting, changes, seed)

    def training_of(self, row: TableRow, seed: int) -> str | None:
        """Id of the training whose checkpoint fills a row; None where nothing is trained.

        It is another one than the run's own where the evaluation adds a self-ensemble.
        """
        if not method_info(row).trainable:
            return None
        return run_id(row.method, row.setting, self.run_changes(row), seed)

    def recipe(self, method: str, setting: str) -> Recipe:
        """The tier's recipe for a method and a mix, or with `recipe: own` its authors'.

        Raises:
            SpecError: the authors' recipe at a tier of another budget.
            UnknownNameError: a method's own recipe names a field that a recipe does not have.
        """
        if self.config.recipe == "common":
            mixes, tasks = self.tier.steps_of_mixes, len(self.setting(setting).tasks)
            return dataclasses.replace(
                self.tier.recipe,
                steps=mixes[min(tasks, len(mixes)) - 1] if mixes else self.tier.recipe.steps,
                learning_rate=self.tier.learning_rates.get(method, self.tier.recipe.learning_rate),
            )
        if not self.tier.comparable_with_paper:
            raise SpecError(
                "recipe: own holds for the authors' budgets, not for the tier "
                f"{self.config.tier!r}; take recipe: common, or a tier of the paper's size"
            )
        own = method_class(method).info.own_recipe
        fields = [field.name for field in dataclasses.fields(Recipe)]
        check_names(f"field of {method}'s own recipe", own, fields)
        return dataclasses.replace(self.tier.recipe, **own)

    def _recipe_of(self, row: TableRow) -> Recipe:
        common, changes = self.recipe(row.method, row.setting), self.recipe_changes(row)
        steps = max(1, round(common.steps * changes.pop(LONGER, 1)))
        # Milestones are steps: a longer training reaches each at the same share of it.
        milestones = tuple(each * steps // common.steps for each in common.milestones)
        return dataclasses.replace(common, steps=steps, milestones=milestones, **changes)

    def run_spec(self, row: TableRow, seed: int) -> RunSpec:
        """The training behind a row."""
        return RunSpec(
            tier=self.training_tier,
            method=row.method,
            arguments=method_arguments(row.method, self.training_tier, self.changes(row)),
            changes=self.run_changes(row),
            setting=self._setting_spec(row.setting),
            recipe=self._recipe_of(row),
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
        *,
        metrics: Collection[str] = (),
    ) -> EvaluationSpec:
        """The evaluation of a run on the test sets of `columns`.

        Args:
            run: its id.
            row: a row that it fills.
            columns: names of test sets of the tier.
            training: of the checkpoint to evaluate, where there is one.
            weights: the authors' checkpoint instead.
            metrics: those that run under terms, which were accepted.
        """
        tiles: dict[str, Any] = {}
        if self.config.tile is not None and method_info(row).tiling is not Tiling.FORBIDDEN:
            tiles = {"tile": self.config.tile, "tile_overlap": self.config.tile_overlap}
        shown = [column for column in self.config.pictures_of if column in columns]
        slow = self.tier.slow_method_images if method_info(row).slow else None
        limits = [value for value in (self.tier.test_images, slow) if value is not None]
        own_protocol = (weights.protocol,) if weights and weights.protocol else ()
        return EvaluationSpec(
            tier=self.config.tier,
            run=run,
            method=row.method,
            arguments=method_arguments(row.method, weights.preset, weights.changes)
            if weights
            else method_arguments(row.method, self.training_tier, self.changes(row)),
            training_run=training.run if training else None,
            training_sha256=training.sha256() if training else None,
            official_weights=weights.name if weights else None,
            self_ensemble=row.self_ensemble,
            test_sets=tuple(
                self._test_set_spec(column, min(limits, default=None), weights)
                for column in sorted(columns)  # another order in the file is no other evaluation
            ),
            protocols=tuple(dict.fromkeys((*self.config.protocols, *own_protocol))),
            suite_seed=self.config.suite_seed,
            # Published numbers are of single precision: bf16 costs FFDNet 0.04 dB at sigma 15.
            precision="fp32",
            cpu_threads=self.tier.cpu_threads,
            pictures=0 if self.config.pictures_of and not shown else self.tier.pictures,
            pictures_of=tuple(self.test_set(column).name for column in shown),
            metrics=tuple(sorted(metrics)),
            **tiles,
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
            noise=None if test_set.sigma is None else self._noise(test_set.sigma, weights),
            crop=self.tier.test_crop,
            first_images=limit,
            parameter=test_set.parameter,
            parameter_values=test_set.parameter_values,
            reference=test_set.reference,
        )

    def _noise(self, sigma: float, weights: OfficialWeights | None) -> NoiseSpec:
        """Noise of a test set: the suite's, or that which authors test their weights with."""
        if weights is None or weights.noise_variant is None:
            return NoiseSpec((sigma,), self.config.noise_variant)
        return NoiseSpec((sigma,), weights.noise_variant, weights.noise_seeding)

    def _balance(self, name: str) -> str:
        return self.setting(name).balance or self.config.balance or self.tier.balance

    def _setting_spec(self, name: str) -> SettingSpec:
        setting, balance = self.setting(name), self._balance(name)
        tasks = [self._task_spec(name, task) for task in setting.tasks]
        return SettingSpec(
            name=name,
            tasks=in_lowest_terms(tasks) if balance == "weighted_cycle" else tuple(tasks),
            balance=balance,
            scale=setting.scale,
            x2_order=self.config.x2_order,
        )

    def _task_spec(self, setting: str, task: str) -> TaskSpec:
        key = self.setting(setting).train_sets.get(task, task)
        if key not in self.tier.train_sets:
            raise SpecError(
                f"config/tiers/{self.config.tier}.yaml: setting {setting!r} needs train_sets."
                f"{key}; found only {', '.join(self.tier.train_sets)}"
            )
        details, sets = self.settings.tasks[task], self.tier.train_sets[key]
        repeats = self.tier.repeats if self._balance(setting) == "weighted_cycle" else {}
        return TaskSpec(
            name=task,
            sets=sets,
            sets_sha256=tuple(self._identity(name) for name in sets),
            noise=NoiseSpec(details.sigmas, self.config.noise_variant) if details.sigmas else None,
            repeat=repeats.get(task, details.repeat),
        )

    @functools.cached_property
    def _identities(self) -> dict[str, str]:
        return {}

    def _identity(self, set_name: str) -> str:
        # Each reads a committed manifest, and every run and test set asks: read it once.
        if set_name not in self._identities:
            self._identities[set_name] = self.catalogue.identity(set_name, self.config.suite_seed)
        return self._identities[set_name]
