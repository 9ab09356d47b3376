"""The configuration, read once and validated: a misspelt key stops with the nearest valid one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from ndr.data.fetch.fetch_errors import check_address
from ndr.method import TIERS
from ndr.metrics.metric import METRICS, check_metrics
from ndr.metrics.protocol import NO_REFERENCE
from ndr.nearest_name import check_names, unknown_name
from ndr.specs.run_spec import BALANCES, NOISE_VARIANTS, X2_ORDERS, Name, Recipe
from ndr.specs.typed_file import (
    SpecError,
    at_least,
    build,
    filled,
    one_of,
    read_yaml,
    read_yaml_spec,
)
from ndr.specs.yaml_text import check_aliases

CONFIG = Path(__file__).resolve().parent.parent / "config"

Address = Annotated[str, check_address]
Source = Literal["shipped", "retrained", "official_weights"]
Balance = Annotated[str, one_of(*BALANCES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTestSet:
    """A set of the user's own that becomes a column of tables (docs/add_a_test_set.md)."""

    name: Name
    folder: str
    """With `clean/` and `degraded/`, from the folder of the suite."""
    task: str
    label: str = ""
    """Head of the column; empty: the name."""
    sigma: float | None = None
    """Noise to add, for a folder with `clean/` alone."""
    scale: Literal[1, 2] = 1
    """Size of the clean images over that of the degraded ones."""
    tables: tuple[str, ...] = ()
    """Tables to stand in; empty: all that it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTrainSet:
    """Pairs of the user's own to train on: a setting names them in its `train_sets`."""

    name: Name
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteConfig:
    """`config/config.yaml` and `--config` (comments there)."""

    tier: str = "quick"
    tables: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    """Shown in all tables beside their own."""
    seeds: Annotated[tuple[int, ...], filled] | None = None
    suite_seed: int = 9
    balance: Balance | None = None
    noise_variant: Annotated[str, one_of(*NOISE_VARIANTS)] = "float_clip"
    protocols: Annotated[tuple[str, ...], filled] = ("ndr",)
    recipe: Literal["common", "own"] = "common"
    x2_order: Annotated[str, one_of(*X2_ORDERS)] = "degrade_then_down"
    upscale: Literal["pixel_shuffle", "pre_upsample"] = "pixel_shuffle"
    sources: Annotated[tuple[Source, ...], filled] | None = None
    train_missing: bool = False
    weights_mirrors: tuple[Address, ...] = ()
    only_settings: tuple[str, ...] = ()
    only_methods: tuple[str, ...] = ()
    data_mirrors: tuple[Address, ...] = ()
    accepted_terms: tuple[str, ...] = ()
    quoted_numbers: tuple[str, ...] = ()
    """CSV files of published numbers beside rows of the tables."""
    method_paths: tuple[str, ...] = ()
    """Folders outside of the suite whose Python files register methods."""
    own_test_sets: tuple[OwnTestSet, ...] = ()
    own_train_sets: tuple[OwnTrainSet, ...] = ()
    allow_partial_sets: bool | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus_per_run: Annotated[int, at_least(1)] | None = None
    tile: Annotated[int, at_least(1)] | None = None
    tile_overlap: Annotated[int, at_least(0)] = 32
    pictures_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.tile is not None and 2 * self.tile_overlap > self.tile:
            raise SpecError(
                f"tile_overlap: expected at most half of the tile of {self.tile} pixels, found "
                f"{self.tile_overlap}"
            )
        if self.sources and {"shipped", "retrained"} <= {*self.sources}:
            raise SpecError(
                "sources: expected shipped or retrained, which are one training each, found both; "
                "--config train_missing=true trains what is not shipped"
            )

    @property
    def first_seed(self) -> int:
        """The seed of all that is shown once."""
        return self.seeds[0] if self.seeds else 0


LISTS = tuple(each.name for each in dataclasses.fields(SuiteConfig) if "tuple[" in str(each.type))


@dataclass(frozen=True, slots=True, kw_only=True)
class DownFirst:
    """A test set of reduced clean images that noise is added to, for `x2_order`."""

    set: str
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTestSet:
    """What stands at this tier in a column of the paper."""

    name: Name
    label: str
    task: str
    set: Name
    sigma: float | None = None
    paper_column: str | None = None
    """Its name among the paper's numbers, if not the key here; empty: the paper has none."""
    scale: Literal[1, 2] = 1
    """Size of the truth over the size of the input."""
    parameter: str | None = None
    parameter_values: tuple[float, ...] = ()
    """Only the images whose `parameter` in the manifest is one of these."""
    down_first: DownFirst | None = None
    """What takes the place of `set` where the reduction by 2 comes before the noise."""
    reference: bool = True
    stand_in: str = ""
    """What is shown in place of the paper's set, in a few words."""
    beside: str | None = None
    """Column that it follows in each table that has it, without a number of the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """`config/tiers/<tier>.yaml`: one budget."""

    note: str
    comparable_with_paper: bool
    balance: Balance = "task_uniform"
    """How tasks are mixed where neither the configuration nor the setting says."""
    allow_partial_sets: bool = False
    """Whether a published set of which a mirror holds only a part may be used."""
    trained_as: str | None = None
    """Tier whose networks this one scores: the keys of `TRAINING_KEYS` are that tier's."""
    recipe: Recipe
    steps_of_mixes: tuple[int, ...] = ()
    """Steps of a mix of one task, of two, and so on, in place of the recipe's: a wider mix sees
    each of its tasks less often."""
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    """Rates of methods whose rate is not the recipe's, chosen on validation images."""
    repeats: Mapping[str, float] = field(default_factory=dict)
    """Turns of a task in a cycle of `weighted_cycle`."""
    precision: str = "fp32"
    cpu_threads: int = 1
    train_sets: Mapping[str, tuple[str, ...]]
    test_sets: Mapping[str, TierTestSet]
    validation_sets: Mapping[str, str] = field(default_factory=dict)
    """Set of a task that hyper-parameters are chosen on and shipped networks are checked on."""
    sources: Annotated[tuple[Source, ...], filled] = ("retrained",)
    """Where numbers come from if the configuration does not say."""
    test_crop: int | None = None
    test_images: int | None = None
    """Images per test set, the first of its manifest; None: all."""
    slow_method_images: int | None = None
    """Images per test set for methods that need minutes per image."""
    pictures: int = 1
    warm_start: bool = False
    """Whether jobs on this machine are forks of one process with its imports done: they are so many
    and so short that imports take most of their time. `benchmarks/` does not see into them."""


TRAINING_KEYS = frozenset(
    {
        "balance", "cpu_threads", "learning_rates", "precision", "recipe", "repeats",
        "steps_of_mixes", "train_sets",
    }
)  # fmt: skip
"""Keys of a tier that say how its networks are trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of a training mix."""

    sigmas: tuple[float, ...] = ()
    repeat: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A training mix, one block of the paper's tables."""

    label: str
    block: str
    tasks: tuple[str, ...]
    scale: Literal[1, 2] = 1
    """2: the degraded images are also half as large."""
    balance: Balance | None = None
    """In place of the configuration's and the tier's, where the paper names one."""
    train_sets: Mapping[str, str] = field(default_factory=dict)
    """Task to the key of the tier's `train_sets` that it takes its images from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`config/settings.yaml`."""

    settings: Mapping[str, Setting]
    tasks: Mapping[str, Task]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One system of a table."""

    setting: str
    method: str
    paper_method: str
    label: str | None = None
    changes: Mapping[str, bool | int | float | str | None] = field(default_factory=dict)
    recipe: Mapping[str, int | float | str] = field(default_factory=dict)
    """Entries of the recipe that the row's training changes; `longer` multiplies the steps."""
    self_ensemble: bool = False
    """Mean over the eight flips and rotations of the input."""
    printed: bool = True
    """False: the paper announces the system, but its table has no row for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`config/tables/<table>.yaml`: rows, columns and the paper's numbers."""

    label: str
    title: str
    metrics: tuple[str, ...]
    own_metrics: tuple[str, ...] = ()
    """Those of `metrics` that the paper does not print."""
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    tiers: tuple[str, ...] = TIERS
    """Tiers that have the table."""
    protocol: str | None = None
    """Protocol of its numbers, where it is not the first of the configuration."""
    average: bool | Mapping[str, float] = False
    """True: the plain mean over the row's columns; or the weight of each column."""
    paper_values: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_metrics("metric", self.metrics)
        compared = [name for name in self.metrics if not self.can_show(name)]
        if compared:
            raise SpecError(
                f"metrics: {', '.join(compared)} compare with a ground truth, which photographs "
                f"under the protocol {NO_REFERENCE} have not"
            )
        check_names("metric of the table", self.own_metrics, self.metrics)
        if isinstance(self.average, Mapping) and set(self.average) != set(self.columns):
            raise SpecError(
                f"average: expected a weight for each of {', '.join(self.columns)}, found "
                f"{', '.join(self.average)}"
            )

    def can_show(self, metric: str) -> bool:
        """Whether a metric fits the table: photographs without ground truth are not compared."""
        facts = METRICS[metric]
        unreferenced = self.protocol == NO_REFERENCE
        return not (unreferenced and facts.needs_reference) or bool(facts.unknown)

    def with_metrics(self, names: Iterable[str]) -> Table:
        """The table with further metrics, of those that fit it."""
        further = [each for each in names if each not in self.metrics and self.can_show(each)]
        own = (*self.own_metrics, *further)
        return dataclasses.replace(self, metrics=(*self.metrics, *further), own_metrics=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSystem:
    """One system of a figure, named as in the tables."""

    setting: str
    method: str
    label: str | None = None
    changes: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    @property
    def row(self) -> TableRow:
        """The table's row of the same run."""
        return TableRow(
            setting=self.setting, method=self.method, paper_method="", changes=self.changes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`config/figures/<figure>.yaml`: what is drawn from which runs and test sets."""

    label: str
    title: str
    caption: str
    kind: str
    """Module of `reports/figures` that draws it."""
    content: str = ""
    """What a kind with several contents shows."""
    rows: tuple[FigureSystem, ...] = ()
    test_sets: tuple[str, ...] = ()
    """Columns of the tables, as in the tier's `test_sets`."""
    across_tasks: bool = False
    """True: systems also restore test sets of tasks that they were not trained for."""
    paper: bool = True
    """False: the suite's own figure."""


KindT = TypeVar("KindT")


def names_in(folder: str, config: Path = CONFIG) -> list[str]:
    """Names of the YAML files in a folder of the configuration."""
    return sorted(path.stem for path in (config / folder).glob("*.yaml"))


def _read_named(what: str, folder: str, name: str, kind: type[KindT], config: Path) -> KindT:
    known = names_in(folder, config)
    if name not in known:
        raise unknown_name(what, name, known)
    return read_yaml_spec(kind, config / folder / f"{name}.yaml")


def suite_config(content: Mapping[str, Any]) -> SuiteConfig:
    """Validate what Snakemake parsed from `config/config.yaml` and `--config`."""
    try:
        check_aliases(content)
    except ValueError as error:
        raise SpecError(f"config/config.yaml: {error}") from error
    content = dict(content)
    for key in ("own_test_sets", "own_train_sets"):
        if isinstance(content.get(key), str):  # --config own_test_sets=my_sets.yaml
            content[key] = read_yaml(Path(content[key]))
        elif isinstance(content.get(key), Mapping):
            content[key] = [content[key]]
    for key in LISTS:  # --config tables=table_11: one value stands for a list of one
        if isinstance(content.get(key), (str, int)):
            content[key] = [content[key]]
    return build(SuiteConfig, content, "config/config.yaml")


def read_tier(name: str, config: Path = CONFIG) -> Tier:
    """Read one tier; raises `UnknownNameError` with the nearest tiers."""
    check_names("tier", [name], names_in("tiers", config))
    path = config / "tiers" / f"{name}.yaml"
    content = read_yaml(path)
    if isinstance(content, dict) and isinstance(other := content.get("trained_as"), str):
        check_names(f"tier in trained_as of {path}", [other], names_in("tiers", config))
        own = sorted(TRAINING_KEYS & content.keys())
        if own:
            raise SpecError(
                f"{path}: {', '.join(own)} are those of the tier {other!r}, which trained_as "
                "names; leave them out here"
            )
        trained = read_yaml(config / "tiers" / f"{other}.yaml")
        content |= {key: value for key, value in trained.items() if key in TRAINING_KEYS}
    return build(Tier, content, str(path))


def read_table(name: str, config: Path = CONFIG) -> Table:
    """Read one table; raises `UnknownNameError` with the nearest tables."""
    return _read_named("table", "tables", name, Table, config)


def read_figure(name: str, config: Path = CONFIG) -> Figure:
    """Read one figure; raises `UnknownNameError` with the nearest figures."""
    return _read_named("figure", "figures", name, Figure, config)


def read_settings(config: Path = CONFIG) -> Settings:
    """Read the training mixes; every task they name must exist."""
    settings = read_yaml_spec(Settings, config / "settings.yaml")
    for name, setting in settings.settings.items():
        for task in setting.tasks:
            if task not in settings.tasks:
                raise unknown_name(f"task of setting {name}", task, settings.tasks)
    return settings
