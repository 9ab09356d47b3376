"""Sets of the user's own in the plan: test sets of the tier and images to train on.

`own_test_sets` and `own_train_sets` of the configuration, explained in docs/add_a_test_set.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ndr.data.catalogue import Catalogue, load_catalogue
from ndr.data.own_set import OwnSet, has_clean_images, own_set, with_own_sets
from ndr.nearest_name import check_names
from ndr.specs.typed_file import SpecError
from workflows.configuration import (
    OwnTestSet,
    OwnTrainSet,
    Settings,
    SuiteConfig,
    Tier,
    TierTestSet,
)


def own_sets(config: SuiteConfig) -> dict[str, OwnSet]:
    """The sets of the user's own, by name.

    Raises:
        SpecError: a name twice, a folder without images, clean images without noise to add.
    """
    found: dict[str, OwnSet] = {}
    every: list[OwnTestSet | OwnTrainSet] = [*config.own_test_sets, *config.own_train_sets]
    for own in every:
        scale = own.scale if isinstance(own, OwnTestSet) else 1
        entry = own_set(own.name, own.folder, scale)
        if own.name in found:
            raise SpecError(f"own set {own.name!r}: two have this name; rename one of them")
        alone = entry.reference and not entry.layouts[0].degraded
        if isinstance(own, OwnTestSet) and alone != (own.sigma is not None):
            raise SpecError(
                f"own set {own.name!r}: expected clean images alone where sigma says which noise "
                f"is added, and degraded ones beside them otherwise; found sigma: {own.sigma} and "
                f"{'no' if alone else 'some'} images in {Path(entry.folder) / 'degraded'}"
            )
        found[own.name] = entry
    return found


def suite_catalogue(config: SuiteConfig, path: Path) -> Catalogue:
    """The catalogue at `path` with the sets of the user's own."""
    return with_own_sets(load_catalogue(path), own_sets(config))


def tier_with_own_sets(tier: Tier, config: SuiteConfig, settings: Settings) -> Tier:
    """The tier with the user's sets, under their own names.

    Raises:
        UnknownNameError: a task that no setting trains, with the nearest.
        SpecError: a name that a column or a list of training sets has.
    """
    columns = dict(tier.test_sets)
    for own in config.own_test_sets:
        check_names(f"task of own test set {own.name!r}", [own.task], settings.tasks)
        if own.name in columns or own.name in (each.name for each in columns.values()):
            raise SpecError(
                f"own test set {own.name!r}: the tier {config.tier!r} has a test set of this "
                "name; choose another"
            )
        columns[own.name] = TierTestSet(
            name=own.name,
            label=own.label or own.name,
            task=own.task,
            set=own.name,
            sigma=own.sigma,
            paper_column="",
            scale=own.scale,
            reference=has_clean_images(own.folder),
        )
    train_sets = dict(tier.train_sets)
    for train in config.own_train_sets:
        if train.name in train_sets:
            raise SpecError(
                f"own training set {train.name!r}: the tier {config.tier!r} trains on sets of "
                "this name; choose another"
            )
        train_sets[train.name] = (train.name,)
    return dataclasses.replace(tier, test_sets=columns, train_sets=train_sets)
