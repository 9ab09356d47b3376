"""What a configuration says of single rows: whether they are asked for, and their recipe."""

from __future__ import annotations

import dataclasses

from ndr.method import MethodInfo
from ndr.nearest_name import check_names
from ndr.run_spec import Recipe
from workflows.configuration import ConfigurationError, SuiteConfig, TableRow, Tier

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
