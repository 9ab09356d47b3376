"""Which runs the comparison of protocols and noise variants needs."""

from __future__ import annotations

import pytest

from ndr.specs.run_spec import NOISE_VARIANTS
from tests.workflows.test_planning import plan
from workflows.configuration import names_in
from workflows.report_parts import sensitivity_plan

MAIN = "ndr_restore__noise_rain_haze__seed_0"


@pytest.mark.parametrize("tier", names_in("tiers"))
def test_every_variant_is_evaluated_on_the_same_noisy_sets(tier: str) -> None:
    made = plan(tier=tier)
    compared = sensitivity_plan(made)
    assert {made.config.noise_variant} | {one.variant for one in compared.noise} == set(
        NOISE_VARIANTS
    )
    main = made.evaluations[MAIN]
    noisy = [one.name for one in main.test_sets if one.noise is not None]
    assert len(noisy) >= 3
    for one in compared.noise:
        spec = made.evaluations[one.run]
        assert [test_set.name for test_set in spec.test_sets] == noisy
        assert {test_set.noise.variant for test_set in spec.test_sets} == {one.variant}
        assert (spec.training_run, spec.training_sha256) == (MAIN, main.training_sha256)
        control = made.evaluations[one.input_run]
        assert {test_set.name for test_set in control.test_sets} == set(noisy)
    assert set(compared.runs) <= set(made.evaluations)


def test_nothing_is_trained_for_the_comparison() -> None:
    one_table = plan(tables=["table_11"])
    compared = sensitivity_plan(one_table)
    assert compared.run == MAIN, "its row lambda = 1 is the main run"
    assert [row.run for row in compared.rows] == [MAIN]
    assert set(compared.runs) & set(one_table.runs) == {MAIN}


def test_a_configuration_without_the_main_run_says_so() -> None:
    compared = sensitivity_plan(plan(tables=["table_01"]))
    assert (compared.run, compared.runs) == (None, ())
    assert "main run" in compared.reason
