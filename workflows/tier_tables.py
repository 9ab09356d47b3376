"""The tables that a tier has, with the user's own columns and metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from ndr.nearest_name import check_names
from workflows.configuration import (
    Settings,
    SuiteConfig,
    Table,
    Tier,
    names_in,
    read_table,
    read_tier,
)
from workflows.own_sets import table_with_own_columns

log = logging.getLogger(__name__)


def tables_of_tier(
    config: SuiteConfig, tier: Tier, settings: Settings, folder: Path
) -> dict[str, Table]:
    """Every table of the tier by name, as its file and the configuration say.

    Raises:
        UnknownNameError: a table that is asked for has a column that the tier lacks, or one that
            no tier has.
    """
    tables = {name: read_table(name, folder) for name in names_in("tables", folder)}
    return {
        name: table_with_own_columns(name, each, tier, config, settings).with_metrics(
            config.metrics
        )
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
