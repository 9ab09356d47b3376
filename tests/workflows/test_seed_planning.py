"""Several seeds: the tables name the run of each, and depend on all of them."""

from __future__ import annotations

import pytest

from ndr.specs.typed_file import read_yaml
from workflows.configuration import CONFIG, suite_config
from workflows.planning import Plan
from workflows.suite import Suite

NDR = "ndr_restore__noise_rain_haze__seed_"


def suite(**changes: object) -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke", **changes}))


@pytest.fixture(scope="module")
def seeded() -> Suite:
    return suite(seeds=[0, 1, 2])


def runs_of(plan: Plan, table: str, label: str) -> set[tuple[str, ...]]:
    return {row.runs for row in plan.tables[table].rows if row.label == label}


def test_a_row_names_the_run_of_each_seed(seeded: Suite) -> None:
    assert (f"{NDR}0", f"{NDR}1", f"{NDR}2") in runs_of(seeded.plan, "table_05", "NDR-Restore")
    with_two = suite(seeds=[5, 3])
    assert (f"{NDR}5", f"{NDR}3") in runs_of(with_two.plan, "table_05", "NDR-Restore")
    single = runs_of(suite().plan, "table_05", "NDR-Restore")
    assert (f"{NDR}0",) in single
    assert all(len(runs) == 1 for runs in single)


def test_a_method_without_training_has_one_run(seeded: Suite) -> None:
    for table in seeded.plan.tables.values():
        for row in table.rows:
            untrained = row.run is not None and "no_training" in row.run
            assert len(row.runs) == (0 if row.run is None else 1 if untrained else 3)


def test_authors_weights_have_no_seeds() -> None:
    plan = suite(seeds=[0, 1], sources=["retrained", "official_weights"]).plan
    rows = [row for table in plan.tables.values() for row in table.rows if row.run]
    official = [row for row in rows if row.run is not None and "official" in row.run]
    assert official
    assert {len(row.runs) for row in official} == {1}


def test_a_table_depends_on_all_seeds(seeded: Suite) -> None:
    files = seeded.table_results("table_05")
    for seed in range(3):
        assert f"results/smoke/evaluations/{NDR}{seed}/per_image.csv" in files
        assert f"results/smoke/runs/{NDR}{seed}/provenance.json" in files
    assert set(files) <= set(seeded.report_evaluations)
    known = set(seeded.plan.evaluations)
    assert all(run in known for row in seeded.plan.tables["table_05"].rows for run in row.runs)
