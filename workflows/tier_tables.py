"""The tables that a tier has, with its further columns and the user's own columns and metrics."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from ndr.metrics.protocol import NO_REFERENCE
from ndr.nearest_name import check_names
from ndr.specs.typed_file import SpecError
from workflows.configuration import (
    OwnTestSet,
    Settings,
    SuiteConfig,
    Table,
    Tier,
    names_in,
    read_table,
    read_tier,
)

log = logging.getLogger(__name__)


def tables_of_tier(
    config: SuiteConfig, tier: Tier, settings: Settings, folder: Path
) -> dict[str, Table]:
    """Every table of the tier by name, as its file and the configuration say.

    Raises:
        UnknownNameError: a table that is asked for has a column that the tier lacks, or one that
            no tier has; a test set stands beside a column that the tier lacks.
        SpecError: a test set that stands beside a column has a number of the paper.
    """
    for key, each in tier.test_sets.items():
        if each.beside is not None:
            check_names(f"column beside {key} at tier {config.tier}", [each.beside], tier.test_sets)
            if each.paper_column != "":
                raise SpecError(
                    f"{key} at tier {config.tier}: expected paper_column '', because the paper's "
                    f"numbers stand at {each.beside}; found {each.paper_column!r}"
                )
    tables = {name: read_table(name, folder) for name in names_in("tables", folder)}
    return {
        name: _with_own_columns(
            name, _with_columns_beside(each, tier), tier, config, settings
        ).with_metrics(config.metrics)
        for name, each in tables.items()
        if config.tier in each.tiers and _has_columns(name, each, config, tier, folder)
    }


def _has_columns(name: str, table: Table, config: SuiteConfig, tier: Tier, folder: Path) -> bool:
    """Whether the tier has all columns of a table; one that nobody asks for is left out."""
    lacking = [column for column in table.columns if column not in tier.test_sets]
    if not lacking:
        return True
    known: Iterable[str] = tier.test_sets
    if name not in config.tables:
        tiers = (read_tier(other, folder) for other in names_in("tiers", folder))
        known = {column for each in tiers for column in each.test_sets}
    check_names(
        f"column of {name} at tier {config.tier}, whose test sets are in config/tiers/"
        f"{config.tier}.yaml (`tiers:` in config/tables/{name}.yaml leaves the others out)",
        lacking,
        known,
    )
    log.warning("%s is left out: the tier %s has no column %s", name, config.tier, lacking[0])
    return False


def _misfit(own: OwnTestSet, table: Table, tier: Tier, settings: Settings) -> str:
    """Why a set of the user's own cannot be a column of a table; empty where it can."""
    if not any(own.task in settings.settings[row.setting].tasks for row in table.rows):
        return f"none of its systems is trained for the task {own.task}"
    if {tier.test_sets[column].scale for column in table.columns} != {own.scale}:
        return f"its images are not of scale {own.scale}"
    reference = tier.test_sets[own.name].reference
    if (table.protocol == NO_REFERENCE) == reference:
        return (
            "it rates photographs without ground truth, and the set has a folder clean/"
            if reference
            else "it compares with ground truth, and the set has no folder clean/"
        )
    return ""


def _with_own_columns(
    name: str, table: Table, tier: Tier, config: SuiteConfig, settings: Settings
) -> Table:
    """The table with a column for each of the user's sets that fits, or that names the table.

    Raises:
        SpecError: a set that names the table does not fit.
    """
    added: list[str] = []
    for own in config.own_test_sets:
        if own.tables and name not in own.tables:
            continue
        problem = _misfit(own, table, tier, settings)
        if problem and own.tables:
            raise SpecError(f"own test set {own.name!r} cannot stand in {name}: {problem}")
        if not problem:
            added.append(own.name)
    return _with_columns(table, (*table.columns, *added))


def _with_columns_beside(table: Table, tier: Tier) -> Table:
    """The table with those of the tier's columns that stand beside one of its own, after it."""
    columns: list[str] = []
    for column in table.columns:
        columns += [column, *(key for key, each in tier.test_sets.items() if each.beside == column)]
    return _with_columns(table, columns)


def _with_columns(table: Table, columns: Sequence[str]) -> Table:
    """The table with more columns, which count in no average: that is the paper's."""
    average = table.average
    if not isinstance(average, bool):
        average = {column: average.get(column, 0.0) for column in columns}
    return dataclasses.replace(table, columns=tuple(columns), average=average)
