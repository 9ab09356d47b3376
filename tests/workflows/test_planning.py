"""From tables to runs: what is trained, on what, and what changes when the configuration does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from ndr.method import method_class
from ndr.nearest_name import UnknownNameError
from workflows.configuration import CONFIG, ConfigurationError, names_in, read_yaml, suite_config
from workflows.planning import Plan, make_plan, sets_of_evaluation, sets_of_training


class NamedSets:
    """Identities that are readable: the set's name and the seed."""

    def identity(self, name: str, suite_seed: int) -> str:
        return f"{name}:{suite_seed}"


def plan(folder: Path = CONFIG, **changes: object) -> Plan:
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke", **changes})
    return make_plan(config, NamedSets(), folder)


@pytest.fixture
def config_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def test_one_model_serves_the_tables_that_describe_it() -> None:
    tables = plan().tables
    main = "ndr_restore__noise_rain_haze__seed_0"
    for name in ("table_05", "table_09", "table_10", "table_11", "table_12"):
        assert main in {row.run for row in tables[name].rows}


def test_trainings_are_those_of_the_tables_once_each() -> None:
    runs = plan().runs
    # Table V: 3 systems in 4 mixes. IX: 4 sizes. X: 3 parts. XI: 4 weights. XII: 1 loss.
    assert len(runs) == 12 + 4 + 3 + 4 + 1
    assert "ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0" in runs
    assert all(spec.run == run for run, spec in runs.items())


def test_specs_are_resolved() -> None:
    spec = plan().runs["ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0"]
    assert spec.arguments["lambda_degrad"] == 0.5
    assert spec.changes == {"lambda_degrad": 0.5}
    assert [task.name for task in spec.setting.tasks] == ["noise", "rain", "haze"]
    assert spec.setting.tasks[0].noise.sigmas == (15.0, 25.0, 50.0)
    assert spec.setting.tasks[1].sets_sha256 == ("smoke_rain_train:9",)
    assert json.loads(spec.canonical_json())["recipe"]["steps"] == spec.recipe.steps


def test_a_row_is_scored_on_the_tasks_it_was_trained_for() -> None:
    rows = {(row.block, row.paper_method): row for row in plan().tables["table_05"].rows}
    assert rows["rain+haze", "Restormer"].columns == ("smoke_rain", "smoke_haze")
    assert len(rows["noise+rain", "Restormer"].columns) == 4
    assert len(rows["noise+rain+haze", "Restormer"].columns) == 5


def test_evaluations_cover_every_table_whatever_is_asked_for() -> None:
    one = plan(tables=["table_11"]).evaluations
    assert one == plan().evaluations
    main = one["ndr_restore__noise_rain_haze__seed_0"]
    assert len(main.test_sets) == 5
    ablation = one["ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0"]
    assert [test_set.name for test_set in ablation.test_sets] == [
        "smoke_sigma25",
        "smoke_rain",
        "smoke_haze",
    ]


def test_controls_need_no_training() -> None:
    evaluations = plan().evaluations
    for control in ("identity", "oracle"):
        spec = evaluations[f"{control}__no_training__seed_0"]
        assert spec.training_sha256 is None
        assert len(spec.test_sets) == 5


def test_slow_methods_see_fewer_images() -> None:
    evaluations = plan(tier="quick").evaluations
    assert method_class("bm3d").info.slow
    assert {t.first_images for t in evaluations["bm3d__no_training__seed_0"].test_sets} == {2}
    assert {t.first_images for t in evaluations["oracle__no_training__seed_0"].test_sets} == {None}


def test_systems_that_are_not_there_yet_keep_their_row() -> None:
    rows = [row for row in plan().tables["table_05"].rows if row.run is None]
    assert {row.paper_method for row in rows} == {"MPRNet", "AirNet"}
    assert {row.reason for row in rows} == {"not yet in the suite"}


def test_a_system_that_is_there_is_not_called_missing(config_copy: Path) -> None:
    path = config_copy / "tables" / "table_05.yaml"
    path.write_text(path.read_text().replace("mprnet,", "dncnn,"))
    with pytest.raises(ConfigurationError, match="'dncnn' is not in the suite, but"):
        _ = plan(config_copy).tables


def test_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'ndrr': did you mean 'ndr'"):
        plan(protocols=["ndrr"])


def test_one_changed_weight_changes_one_training(config_copy: Path) -> None:
    before = plan().runs
    path = config_copy / "tables" / "table_11.yaml"
    text = path.read_text()
    path.write_text(text.replace("lambda_degrad: 0.5}", "lambda_degrad: 0.7}"))
    after = plan(config_copy).runs
    assert {run for run in after if after[run] != before.get(run)} == {
        "ndr_restore__noise_rain_haze__lambda_degrad_0.7__seed_0"
    }


def test_an_unrelated_edit_changes_no_spec(config_copy: Path) -> None:
    path = config_copy / "tiers" / "smoke.yaml"
    content = yaml.safe_load(path.read_text())
    content["note"] = "other words"
    path.write_text(yaml.safe_dump(content))
    assert plan(config_copy).runs == plan().runs
    assert plan(config_copy).evaluations == plan().evaluations


def test_a_change_that_repeats_the_preset_is_no_other_run(config_copy: Path) -> None:
    table = read_yaml(config_copy / "tables" / "table_12.yaml")
    table["rows"][0]["changes"] = {"lambda_degrad": 1.0}
    (config_copy / "tables" / "table_12.yaml").write_text(yaml.safe_dump(table))
    assert plan(config_copy).tables["table_12"].rows[0].run == (
        "ndr_restore__noise_rain_haze__seed_0"
    )


def test_seeds_multiply_the_trainings() -> None:
    assert len(plan(seeds=[0, 1, 2]).runs) == 3 * len(plan().runs)


def test_misspelt_change_names_the_nearest(config_copy: Path) -> None:
    table = read_yaml(config_copy / "tables" / "table_11.yaml")
    table["rows"][0]["changes"] = {"lamda_degrad": 0}
    (config_copy / "tables" / "table_11.yaml").write_text(yaml.safe_dump(table))
    with pytest.raises(UnknownNameError, match=r"'lamda_degrad': did you mean 'lambda_degrad'"):
        _ = plan(config_copy).runs


def test_unknown_table_is_refused_at_once() -> None:
    with pytest.raises(UnknownNameError, match="'table_11'"):
        plan(tables=["table_111"])


@pytest.mark.parametrize("tier", names_in("tiers"))
def test_every_tier_resolves(tier: str) -> None:
    resolved = plan(tier=tier)
    assert resolved.runs
    for spec in resolved.runs.values():
        assert sets_of_training(spec)
    for spec in resolved.evaluations.values():
        assert sets_of_evaluation(spec)
    for table in resolved.tables.values():
        assert table.tier == tier
