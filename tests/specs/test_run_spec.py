"""Specs: canonical text, identity, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from ndr.nearest_name import UnknownNameError
from ndr.specs.run_spec import (
    EvaluationSpec,
    NoiseSpec,
    Recipe,
    RunSpec,
    SettingSpec,
    TaskSpec,
    TestSetSpec,
    run_id,
)
from ndr.specs.typed_file import SpecError


def make_run_spec(**changes: object) -> RunSpec:
    values = {
        "tier": "smoke",
        "method": "ndr_restore",
        "arguments": {"width": 8, "heads": [1, 2]},
        "changes": {"lambda_degrad": 0.5},
        "setting": SettingSpec(
            "noise_rain",
            (
                TaskSpec("noise", ("a", "b"), ("1", "2"), NoiseSpec((15.0, 25.0))),
                TaskSpec("rain", ("c",), ("3",)),
            ),
        ),
        "recipe": Recipe(steps=5, batch=2, patch=16, learning_rate=1e-3, milestones=(2, 4)),
        "seed": 0,
        "suite_seed": 9,
    }
    return RunSpec(**{**values, **changes})


def test_run_spec_survives_json() -> None:
    spec = make_run_spec()
    assert RunSpec.from_json(spec.canonical_json()) == spec


def test_evaluation_spec_survives_json() -> None:
    spec = EvaluationSpec(
        tier="smoke",
        run="identity__no_training__seed_0",
        method="identity",
        arguments={},
        training_sha256=None,
        test_sets=(TestSetSpec("x", "noise", "photographs_test", "h", NoiseSpec((25.0,)), 64, 2),),
        protocols=("ndr",),
        suite_seed=9,
    )
    assert EvaluationSpec.from_json(spec.canonical_json()) == spec


def test_equal_specs_have_one_identity_and_any_change_another() -> None:
    spec = make_run_spec()
    assert spec.sha256() == make_run_spec().sha256()
    assert spec.sha256() != make_run_spec(seed=1).sha256()
    longer = dataclasses.replace(spec.recipe, steps=6)
    assert spec.sha256() != make_run_spec(recipe=longer).sha256()


def test_an_average_of_the_weights_is_part_of_the_identity_where_it_is_asked_for() -> None:
    assert "ema_decay" not in make_run_spec().canonical_json()
    averaged = make_run_spec(recipe=dataclasses.replace(make_run_spec().recipe, ema_decay=0.99))
    assert averaged.sha256() != make_run_spec().sha256()
    assert RunSpec.from_json(averaged.canonical_json()) == averaged


def test_order_of_arguments_does_not_count() -> None:
    other = make_run_spec(arguments={"heads": [1, 2], "width": 8})
    assert make_run_spec().canonical_json() == other.canonical_json()


def test_run_id_reads_like_the_design() -> None:
    assert make_run_spec().run == "ndr_restore__noise_rain__lambda_degrad_0.5__seed_0"


@pytest.mark.parametrize("bad", ["a__b", "a/b", "a b", "a;rm"])
def test_run_id_refuses_what_cannot_be_a_file_name(bad: str) -> None:
    with pytest.raises(SpecError, match="run id"):
        run_id(bad, "noise", {}, 0)


def test_misspelt_key_names_the_nearest() -> None:
    content = json.loads(make_run_spec().canonical_json())
    content["recipe"]["stepps"] = content["recipe"].pop("steps")
    with pytest.raises(SpecError, match=r"'stepps': did you mean 'steps'"):
        RunSpec.from_json(json.dumps(content))


def test_values_outside_the_known_choices_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'float_clip'"):
        NoiseSpec((15.0,), variant="float_clipp")
    with pytest.raises(UnknownNameError, match="balance"):
        SettingSpec("x", (TaskSpec("rain", ("c",), ("3",)),), balance="fair")
    with pytest.raises(SpecError, match="steps must be at least 1"):
        Recipe(steps=0, batch=1, patch=1, learning_rate=1)
    for decay in (0.0, 1.0, -0.5):
        with pytest.raises(SpecError, match=f"ema_decay must lie between 0 and 1, found {decay}"):
            Recipe(steps=1, batch=1, patch=1, learning_rate=1, ema_decay=decay)
    numbers = {"learning_rate": (0.0, -1e-3, math.nan), "gradient_clip_norm": (0.0, math.inf)}
    for name, values in numbers.items():
        for value in values:
            with pytest.raises(SpecError, match=f"{name} must be above 0, found {value}"):
                Recipe(**{"steps": 1, "batch": 1, "patch": 1, "learning_rate": 1.0, name: value})
    for name in ("weight_decay", "minimum_learning_rate", "warmup_steps"):
        with pytest.raises(SpecError, match=f"{name} must be at least 0, found -1"):
            Recipe(**{"steps": 1, "batch": 1, "patch": 1, "learning_rate": 1.0, name: -1})
    with pytest.raises(UnknownNameError, match=r"'adamm': did you mean"):
        Recipe(steps=1, batch=1, patch=1, learning_rate=1, optimiser="adamm")
    with pytest.raises(SpecError, match="no task"):
        SettingSpec("x", ())
