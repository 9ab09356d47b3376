"""From tables to runs: what is trained, on what, and what changes when the configuration does."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ndr.data.catalogue import load_catalogue
from ndr.method import Tiling, parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.registry import method_arguments, method_class
from ndr.specs.table_plan import PlannedRow
from ndr.specs.typed_file import SpecError, read_yaml
from workflows.configuration import CONFIG, names_in, suite_config
from workflows.planning import Plan, make_plan


class NamedSets:
    """Identities that are readable: the set's name and the seed."""

    terms = load_catalogue(CONFIG / "datasets.yaml").terms

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
    # I to IV: 8 + 9 + 9 + 9 systems, three of them announced only. V and VI: 5 systems in 4 mixes.
    # VIII: 4. IX: 4 sizes. X: 3 parts. XI: 4 weights. XII: 1 loss. XIII and XIV: 3 each.
    assert len(runs) == 8 + 9 + 9 + 9 + 20 + 20 + 4 + 4 + 3 + 4 + 1 + 3 + 3
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
    # Table V, Table VII without reference, and the man-made scene of Figure 7.
    assert len(main.test_sets) == 5 + 3 + 1
    ablation = one["ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0"]
    assert [test_set.name for test_set in ablation.test_sets] == [
        "smoke_sigma25",
        "smoke_rain",
        "smoke_haze",
    ]


def test_controls_need_no_training() -> None:
    evaluations = plan().evaluations
    for run in ("identity__no_training__seed_0", "bicubic__no_training__seed_0"):
        assert evaluations[run].training_sha256 is None
    sets = {run: {t.name for t in spec.test_sets} for run, spec in evaluations.items()}
    enlarged = set(sets["bicubic__no_training__seed_0"])
    assert enlarged == {f"smoke_{name}" for name in (
        "x2", "sigma15_x2", "sigma25_x2", "sigma50_x2", "rain_x2", "haze_x2"
    )}  # fmt: skip
    assert enlarged == sets["oracle__no_training__scale_2__seed_0"]
    assert not enlarged & sets["identity__no_training__seed_0"]
    # Without a reference there is no truth to show.
    real = {name for name in sets["identity__no_training__seed_0"] if "real" in name}
    assert sets["identity__no_training__seed_0"] - sets["oracle__no_training__seed_0"] == real
    assert len(real) == 3


def test_a_package_under_terms_runs_once_they_are_accepted() -> None:
    def bm3d_row(**changes: object) -> PlannedRow:
        (row,) = (row for row in plan(**changes).tables["table_01"].rows if row.label == "CBM3D")
        return row

    refused = bm3d_row()
    assert refused.run is None
    assert "For non-commercial use only" in refused.reason
    assert "accepted_terms: [bm3d_non_commercial]" in refused.reason
    assert "bm3d__no_training__seed_0" not in plan().runs_of_table("table_01")
    accepted = bm3d_row(accepted_terms=["bm3d_non_commercial"])
    assert accepted.run == "bm3d__no_training__seed_0"
    assert not accepted.reason


def test_slow_methods_see_fewer_images() -> None:
    evaluations = plan(tier="quick").evaluations
    assert method_class("bm3d").info.slow
    assert {t.first_images for t in evaluations["bm3d__no_training__seed_0"].test_sets} == {2}
    assert {t.first_images for t in evaluations["oracle__no_training__seed_0"].test_sets} == {None}


def test_tiles_go_to_methods_that_allow_them() -> None:
    usual, tiled = plan().evaluations, plan(tile=32, tile_overlap=8).evaluations
    assert {spec.tile for spec in usual.values()} == {None}
    forbidding = {
        name
        for name in {spec.method for spec in tiled.values()}
        if method_class(name).info.tiling is Tiling.FORBIDDEN
    }
    assert forbidding
    for run, spec in tiled.items():
        if spec.method in forbidding:
            assert spec == usual[run]
        else:
            assert (spec.tile, spec.tile_overlap) == (32, 8)
            assert spec.sha256() != usual[run].sha256()
    with pytest.raises(SpecError, match="at most half of the tile of 32 pixels, found 17"):
        plan(tile=32, tile_overlap=17)


def test_pictures_may_be_kept_of_some_columns_only() -> None:
    evaluations = plan(pictures_of=["Rain100L", "SOTS"]).evaluations
    rain_and_haze = evaluations["restormer__rain_haze__seed_0"]
    assert rain_and_haze.pictures_of == ("smoke_rain", "smoke_haze")
    assert rain_and_haze.pictures == plan().tier.pictures
    assert evaluations["ndr_restore__derain__seed_0"].pictures_of == ("smoke_rain",)
    assert (evaluations["dncnn__denoise__seed_0"].pictures_of) == ()
    assert evaluations["dncnn__denoise__seed_0"].pictures == 0
    for spec in evaluations.values():
        assert set(spec.pictures_of) <= {test_set.name for test_set in spec.test_sets}
    with pytest.raises(UnknownNameError, match="did you mean 'Rain100L'"):
        plan(pictures_of=["Rain100"])


def test_tables_may_be_restricted_and_say_so() -> None:
    chosen = plan(only_settings="noise_rain_haze", only_methods=["ndr_restore", "nafnet"])
    rows = chosen.tables["table_05"].rows
    assert {(row.block, row.paper_method) for row in rows if row.run} == {
        ("noise+rain+haze", "NDR-Restore"),
        ("noise+rain+haze", "NAFNet"),
    }
    reasons = {row.reason for row in rows if row.run is None}
    assert reasons == {
        "left out by only_settings: noise_rain_haze",
        "left out by only_methods: ndr_restore, nafnet",
    }
    assert chosen.runs == plan().runs  # each can still be asked for by its id
    with pytest.raises(UnknownNameError, match="'nafnet'"):
        plan(only_methods=["nafnett"])


def test_x2_rows_enlarge_with_the_suites_head() -> None:
    made = plan()
    spec = made.runs["restormer__noise_rain_x2__upscale_pixel_shuffle__seed_0"]
    assert spec.setting.scale == 2
    assert spec.arguments["upscale"] == "pixel_shuffle"
    # A network of super-resolution enlarges by itself.
    assert made.runs["edsr__sr_x2__seed_0"].setting.scale == 2
    assert made.tables["table_06"].degraded_input_run == "bicubic__no_training__seed_0"
    assert made.tables["table_05"].degraded_input_run == "identity__no_training__seed_0"
    assert [column.paper_column for column in made.tables["table_06"].columns] == [
        column.paper_column for column in made.tables["table_05"].columns
    ]


def test_the_order_of_noise_and_reduction_changes_training_and_test() -> None:
    before, after = plan(), plan(x2_order="down_then_degrade")
    run = "restormer__noise_rain_x2__upscale_pixel_shuffle__seed_0"
    assert before.runs[run].setting.x2_order == "degrade_then_down"
    assert after.runs[run].setting.x2_order == "down_then_degrade"
    tested = {t.name: t for t in after.evaluations[run].test_sets}["smoke_sigma25_x2"]
    assert (tested.set, tested.noise.sigmas) == ("smoke_x2_test", (25.0,))
    tested = {t.name: t for t in before.evaluations[run].test_sets}["smoke_sigma25_x2"]
    assert (tested.set, tested.noise) == ("smoke_sigma25_x2_test", None)


def test_a_self_ensemble_shares_the_training() -> None:
    made = plan()
    spec = made.evaluations["han__sr_x2__self_ensemble_true__seed_0"]
    assert spec.self_ensemble
    assert spec.training_run == "han__sr_x2__seed_0"
    assert spec.training_sha256 == made.runs["han__sr_x2__seed_0"].sha256()


def test_averages_are_plain_or_weighted() -> None:
    tables = plan().tables
    assert (tables["table_05"].average, tables["table_05"].average_weights) == (True, ())
    assert tables["table_14"].average_weights == (0.4, 0.6)
    assert not tables["table_09"].average


def test_authors_weights_fill_rows_without_training() -> None:
    made = plan(sources="official_weights", accepted_terms="bm3d_non_commercial")
    rows = {row.paper_method: row for row in made.tables["table_01"].rows}
    run = "ffdnet__official_weights__weights_ffdnet_color__seed_0"
    assert rows["FFDNet"].run == run
    assert (rows["FFDNet"].protocol, rows["FFDNet"].own_noise) == ("rgb_uint8", True)
    spec = made.evaluations[run]
    assert (spec.official_weights, spec.training_run) == ("ffdnet_color", None)
    assert spec.arguments == method_arguments("ffdnet", "paper", {})
    assert {(t.noise.variant, t.noise.seeding) for t in spec.test_sets} == {
        ("float_noclip", "zero_per_image")
    }
    assert "rgb_uint8" in spec.protocols
    # Untrained systems run as ever; a row without published weights says why.
    assert rows["CBM3D"].run == "bm3d__no_training__seed_0"
    assert rows["BRDNet"].run is None
    assert "publish no weights" in rows["BRDNet"].reason
    ablation = made.tables["table_11"].rows[0]
    assert ablation.reason == "its authors publish no weights of this changed network"


def test_everything_is_evaluated_in_single_precision() -> None:
    """As published numbers are, whatever a network was trained in."""
    found = plan(tier="small")
    assert {spec.precision for spec in found.runs.values()} == {"bf16"}
    assert {spec.precision for spec in found.evaluations.values()} == {"fp32"}
    assert "ffdnet__official_weights__weights_ffdnet_color__seed_0" in found.evaluations


def test_both_sources_are_two_lines() -> None:
    rows = plan(sources=["retrained", "official_weights"]).tables["table_01"].rows
    assert [row.label for row in rows if row.paper_method == "FFDNet"] == [
        "FFDNet",
        "FFDNet, authors' weights",
    ]
    assert [row.label for row in rows if row.paper_method == "CBM3D"] == ["CBM3D"]


def test_a_tier_may_ask_for_timms_optimiser_and_average(config_copy: Path) -> None:
    file = config_copy / "tiers" / "smoke.yaml"
    asked = {"optimiser": "lion", "betas": [0.9, 0.99], "schedule": "tanh", "ema_decay": 0.99}
    content = read_yaml(file)
    file.write_text(yaml.safe_dump({**content, "recipe": {**content["recipe"], **asked}}))
    run = "ndr_restore__noise_rain_haze__seed_0"
    spec = plan(config_copy).runs[run]
    assert {key: getattr(spec.recipe, key) for key in asked} == asked | {"betas": (0.9, 0.99)}
    assert spec.sha256() != plan().runs[run].sha256()


def test_own_recipes_hold_at_the_papers_tier_only() -> None:
    own = plan(tier="paper", recipe="own").runs["nafnet__noise_rain_haze__seed_0"].recipe
    common = plan(tier="paper").runs["nafnet__noise_rain_haze__seed_0"].recipe
    for field, value in method_class("nafnet").info.own_recipe.items():
        assert getattr(own, field) == value
        assert getattr(common, field) != value
    with pytest.raises(SpecError, match=r"not for the tier 'smoke'"):
        _ = plan(recipe="own").runs


def test_a_table_of_some_tiers_is_refused_at_others() -> None:
    assert "table_leaks" not in plan().all_tables
    assert "table_leaks" in plan(tier="paper").all_tables
    with pytest.raises(SpecError, match="table_leaks: the tier 'smoke' does not have"):
        plan(tables="table_leaks")


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


def test_rows_may_change_the_recipe() -> None:
    runs = plan(tier="small", tables=["table_printed", "table_backbone", "table_checkpoints"]).runs
    main = runs[(start := "ndr_restore__noise_rain_haze__") + "seed_0"]
    squared = runs[start + "pixel_loss_l2__seed_0"]
    assert squared.recipe == dataclasses.replace(main.recipe, pixel_loss="l2")
    assert squared.arguments == main.arguments
    assert squared.changes == {"pixel_loss": "l2"}
    assert squared.argument_changes == {}
    decayed = runs[start + "weight_decay_0.0001__seed_0"]
    assert (decayed.recipe.weight_decay, main.recipe.weight_decay) == (1e-4, 1e-8)
    longer = runs[start + "longer_1.3__use_ndr_false__seed_0"]
    assert longer.recipe == dataclasses.replace(main.recipe, steps=11700)
    assert longer.argument_changes == {"use_ndr": False}
    half = runs[start + "stops_at_0.5__seed_0"]
    assert (half.recipe.steps, half.recipe.last_step) == (9000, 4500)


def test_a_longer_training_reaches_its_milestones_later(config_copy: Path) -> None:
    table = read_yaml(config_copy / "tables" / "table_12.yaml")
    table["rows"][0]["recipe"] = {"longer": 2}
    (config_copy / "tables" / "table_12.yaml").write_text(yaml.safe_dump(table))
    runs = plan(config_copy, tier="paper", tables=["table_12"]).runs
    recipe = plan(tier="paper").runs["ndr_restore__noise_rain_haze__seed_0"].recipe
    (longer,) = (spec.recipe for run, spec in runs.items() if "longer_2" in run)
    assert longer.steps == 2 * recipe.steps
    assert recipe.milestones
    assert longer.milestones == tuple(2 * each for each in recipe.milestones)


@pytest.mark.parametrize(
    ("method", "recipe", "message"),
    [
        ("ndr_restore", {"pixel_los": "l2"}, "did you mean 'pixel_loss'"),
        ("ndr_restore", {"steps": 100}, "unknown change of a row's recipe 'steps'"),
        ("ndr_restore", {"stops_at": 2.0}, "between 0 and 1"),
        ("bm3d", {"longer": 2}, "bm3d is not trained"),
    ],
)
def test_a_recipe_that_is_none_is_refused(
    method: str, recipe: dict[str, Any], message: str, config_copy: Path
) -> None:
    path = config_copy / "tables" / "table_12.yaml"
    table = read_yaml(path)
    setting = "denoise" if method == "bm3d" else "noise_rain_haze"
    table["rows"][0] |= {"recipe": recipe, "method": method, "changes": {}, "setting": setting}
    path.write_text(yaml.safe_dump(table))
    changed = plan(config_copy, accepted_terms=["bm3d_non_commercial"])
    with pytest.raises((UnknownNameError, SpecError), match=message):
        _ = (changed.tables, changed.runs)


def test_a_recipe_that_repeats_the_tiers_is_no_other_run(config_copy: Path) -> None:
    path = config_copy / "tables" / "table_12.yaml"
    table = read_yaml(path)
    table["rows"][0]["recipe"] = {"pixel_loss": "l1", "longer": 1}
    path.write_text(yaml.safe_dump(table))
    assert plan(config_copy).runs == plan().runs


def test_plain_skips_with_the_parameters_of_both_networks_have_them() -> None:
    runs = plan(tier="small", tables=["table_backbone"]).runs
    start = "ndr_restore__noise_rain_haze__"
    sizes = [
        parameter_count(method_class(spec.method)(**spec.arguments))
        for spec in (runs[start + "seed_0"], runs[start + "expansion_5.25__use_ndr_false__seed_0"])
    ]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.005)


def test_setting_before_configuration_before_tier_say_how_tasks_are_mixed() -> None:
    def balances(**changes: object) -> list[str]:
        runs = plan(**changes).runs
        names = ("noise_rain_haze", "promptir_noise_rain_haze")
        return [runs[f"ndr_restore__{name}__seed_0"].setting.balance for name in names]

    assert balances(tier="paper") == ["task_uniform", "promptir_ratio"]
    assert balances(tier="quick") == balances(tier="small")
    assert balances(tier="small") == ["weighted_cycle", "promptir_ratio"]
    assert balances(tier="small", balance="release_ratio") == ["release_ratio", "promptir_ratio"]


def test_turns_in_a_wider_mix_leave_the_runs_of_one_task_alone(config_copy: Path) -> None:
    def turns(rain: int) -> dict[str, list[float]]:
        path = config_copy / "tiers" / "small.yaml"
        content = {**read_yaml(path), "repeats": {"noise": 1, "rain": rain, "haze": 2}}
        path.write_text(yaml.safe_dump(content))
        runs = plan(config_copy, tier="small").runs
        return {
            name: [task.repeat for task in runs[f"ndr_restore__{name}__seed_0"].setting.tasks]
            for name in ("derain", "dehaze", "rain_haze", "noise_rain_haze")
        }

    assert turns(2)["derain"] == turns(4)["derain"] == turns(4)["dehaze"] == [1]
    assert (turns(2)["rain_haze"], turns(4)["rain_haze"]) == ([1, 1], [2, 1])
    assert turns(4)["noise_rain_haze"] == [1, 4, 2]


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
        assert spec.sets
    for spec in resolved.evaluations.values():
        assert spec.sets
    for table in resolved.tables.values():
        assert table.tier == tier


def test_rows_without_label_and_paper_method_are_told_apart(config_copy: Path) -> None:
    rows = [
        {"setting": "denoise", "method": "bm3d", "paper_method": "none"},
        {"setting": "denoise", "method": "dncnn", "paper_method": ""},
        {
            "setting": "noise_rain_haze",
            "method": "ndr_restore",
            "changes": {"lambda_degrad": 0.7, "use_dq": False},
            "paper_method": "none",
        },
        {"setting": "denoise", "method": "bm3d", "label": "Mine", "paper_method": "none"},
    ]
    content = {
        "label": "Mine",
        "title": "Mine",
        "metrics": ["PSNR"],
        "columns": ["BSD68_sigma25"],
        "rows": rows,
    }
    (config_copy / "tables" / "table_mine.yaml").write_text(yaml.safe_dump(content))
    planned = plan(config_copy, tables=["table_mine"]).tables["table_mine"].rows
    assert [row.label for row in planned] == [
        "CBM3D",
        "DnCNN",
        "NDR-Restore, lambda_degrad = 0.7, use_dq = false",
        "Mine",
    ]
    assert {row.paper_method for row in planned} == {""}
