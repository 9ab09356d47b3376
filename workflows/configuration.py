"""The configuration, read once and validated: a misspelt key stops with the nearest valid one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import pydantic
import yaml

from ndr.nearest_name import unknown_name
from ndr.run_spec import BALANCES, NOISE_VARIANTS

CONFIG = Path(__file__).resolve().parent.parent / "config"


class ConfigurationError(ValueError):
    """A value in the configuration that is of the wrong kind or contradicts another."""


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class SuiteConfig(_Model):
    """`config/config.yaml` and `--config` (comments there)."""

    tier: str = "quick"
    tables: tuple[str, ...]
    seeds: tuple[int, ...] = pydantic.Field(default=(0,), min_length=1)
    suite_seed: int = 9
    balance: Literal[BALANCES] = "task_uniform"
    noise_variant: Literal[NOISE_VARIANTS] = "float_clip"
    protocols: tuple[str, ...] = pydantic.Field(default=("ndr",), min_length=1)
    data_mirrors: tuple[str, ...] = ()
    allow_partial_sets: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"


class TierRecipe(_Model):
    """The part of a `Recipe` that a tier sets; the rest are its defaults."""

    steps: int
    batch: int
    patch: int
    learning_rate: float
    weight_decay: float = 1e-8
    schedule: str
    milestones: tuple[int, ...] = ()
    gamma: float = 0.5
    warmup_steps: int = 0


class TierTestSet(_Model):
    """What stands at this tier in a column of the paper."""

    name: str
    label: str
    task: str
    set: str
    sigma: float | None = None


class Tier(_Model):
    """`config/tiers/<tier>.yaml`: one budget."""

    note: str
    comparable_with_paper: bool
    recipe: TierRecipe
    precision: str = "fp32"
    cpu_threads: int = 1
    train_sets: Mapping[str, tuple[str, ...]]
    test_sets: Mapping[str, TierTestSet]
    test_crop: int | None = None
    test_images: int | None = None
    """Images per test set, the first of its manifest; None: all."""
    slow_method_images: int | None = None
    """Images per test set for methods that need minutes per image."""
    pictures: int = 1


class Task(_Model):
    """A task of a training mix."""

    sigmas: tuple[float, ...] = ()
    repeat: float = 1.0


class Setting(_Model):
    """A training mix, one block of the paper's tables."""

    label: str
    block: str
    tasks: tuple[str, ...]


class Settings(_Model):
    """`config/settings.yaml`."""

    settings: Mapping[str, Setting]
    tasks: Mapping[str, Task]


class TableRow(_Model):
    """One system of a table."""

    setting: str
    method: str
    paper_method: str
    label: str | None = None
    changes: Mapping[str, bool | int | float | str] = {}
    in_suite: bool = True


class Table(_Model):
    """`config/tables/<table>.yaml`: rows, columns and the paper's numbers."""

    label: str
    title: str
    metrics: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    average: bool = False
    paper_values: str | None = None
    notes: tuple[str, ...] = ()


ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)


def _fields_at(model: type[pydantic.BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that are valid where an unknown key was found."""
    kind: Any = model
    for part in location:
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            kind = kind.model_fields[str(part)].annotation
        else:  # a mapping or a tuple of models
            kind = next(
                (
                    inner
                    for inner in getattr(kind, "__args__", ())
                    if isinstance(inner, type) and issubclass(inner, pydantic.BaseModel)
                ),
                kind,
            )
    return list(getattr(kind, "model_fields", ()))


def validated(model: type[ModelT], content: Any, source: str) -> ModelT:
    """Build `model` from parsed YAML.

    Raises:
        UnknownNameError: a key that the model does not have, with the nearest one.
        ConfigurationError: any other mismatch: where, what was expected, what was found.
    """
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        problems = error.errors()
        for problem in problems:
            if problem["type"] == "extra_forbidden":
                *parents, key = problem["loc"]
                where = " in " + ".".join(map(str, parents)) if parents else ""
                raise unknown_name(
                    f"key of {source}{where}", str(key), _fields_at(model, tuple(parents))
                ) from None
        lines = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}, found {problem['input']!r}"
            for problem in problems
        ]
        raise ConfigurationError(f"{source}: " + "; ".join(lines)) from None


def read_yaml(path: Path) -> Any:
    """Parse a YAML file; syntax errors name the file and the line."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no valid YAML: {error}") from error


def names_in(folder: str, config: Path = CONFIG) -> list[str]:
    """Names of the YAML files in a folder of the configuration."""
    return sorted(path.stem for path in (config / folder).glob("*.yaml"))


def _read_named(kind: str, folder: str, name: str, model: type[ModelT], config: Path) -> ModelT:
    known = names_in(folder, config)
    if name not in known:
        raise unknown_name(kind, name, known)
    path = config / folder / f"{name}.yaml"
    return validated(model, read_yaml(path), f"config/{folder}/{name}.yaml")


def suite_config(content: Mapping[str, Any]) -> SuiteConfig:
    """Validate what Snakemake parsed from `config/config.yaml` and `--config`."""
    content = dict(content)
    if isinstance(content.get("tables"), str):
        content["tables"] = [content["tables"]]  # --config tables=table_11
    return validated(SuiteConfig, content, "config/config.yaml")


def read_tier(name: str, config: Path = CONFIG) -> Tier:
    """Read one tier; raises `UnknownNameError` with the nearest tiers."""
    return _read_named("tier", "tiers", name, Tier, config)


def read_table(name: str, config: Path = CONFIG) -> Table:
    """Read one table; raises `UnknownNameError` with the nearest tables."""
    return _read_named("table", "tables", name, Table, config)


def read_settings(config: Path = CONFIG) -> Settings:
    """Read the training mixes; every task they name must exist."""
    settings = validated(Settings, read_yaml(config / "settings.yaml"), "config/settings.yaml")
    for name, setting in settings.settings.items():
        for task in setting.tasks:
            if task not in settings.tasks:
                raise unknown_name(f"task of setting {name}", task, settings.tasks)
    return settings
