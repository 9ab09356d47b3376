"""Validated configuration: nearest names for what is misspelt."""

from __future__ import annotations

import pytest

from ndr.data.catalogue import load_catalogue
from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError, build, read_yaml
from workflows.configuration import (
    CONFIG,
    Table,
    Tier,
    names_in,
    read_settings,
    read_table,
    read_tier,
    suite_config,
)


def committed() -> dict[str, object]:
    return read_yaml(CONFIG / "config.yaml")


def test_committed_configuration_is_valid() -> None:
    config = suite_config(committed())
    assert config.tier == "quick"
    assert set(config.tables) <= set(names_in("tables"))


@pytest.mark.parametrize("tier", names_in("tiers"))
def test_every_tier_is_valid_and_serves_every_task(tier: str) -> None:
    found = read_tier(tier)
    settings = read_settings()
    assert set(found.train_sets) >= set(settings.tasks)
    assert {test_set.task for test_set in found.test_sets.values()} == set(settings.tasks)
    catalogue = load_catalogue(CONFIG / "datasets.yaml")
    for test_set in found.test_sets.values():
        assert test_set.set in catalogue.entries
        # Noise is added on reading. Reduced images have it already, real photographs their own.
        real = not getattr(catalogue.entry(test_set.set), "reference", True)
        added = test_set.task == "noise" and test_set.scale == 1 and not real
        assert (test_set.sigma is not None) == added
    for names in found.train_sets.values():
        assert set(names) <= set(catalogue.entries)


@pytest.mark.parametrize("table", names_in("tables"))
def test_every_table_names_known_settings_and_columns(table: str) -> None:
    found = read_table(table)
    settings = read_settings().settings
    for row in found.rows:
        assert row.setting in settings
    for tier in found.tiers:
        assert set(found.columns) <= set(read_tier(tier).test_sets)


def test_misspelt_key_stops_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'teir'.*did you mean 'tier'"):
        suite_config({**committed(), "teir": "smoke"})


@pytest.mark.parametrize(
    ("model", "file", "path", "nearest"),
    [
        (Table, "tables/table_05.yaml", ("rows", 0, "methd"), "method"),
        (Tier, "tiers/small.yaml", ("recipe", "step"), "steps"),
        (Tier, "tiers/quick.yaml", ("test_sets", "SOTS", "labl"), "label"),
    ],
)
def test_misspelt_key_deep_inside(model: type, file: str, path: tuple, nearest: str) -> None:
    content = read_yaml(CONFIG / file)
    place = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = 1
    where = ".".join(map(str, path[:-1]))
    message = f"{file}: {where}: unknown key '{path[-1]}': did you mean '{nearest}'"
    with pytest.raises(SpecError, match=message):
        build(model, content, file)


def test_wrong_kind_of_value_says_what_was_found() -> None:
    with pytest.raises(SpecError, match=r"seeds.*found 'many'"):
        suite_config({**committed(), "seeds": "many"})
    with pytest.raises(SpecError, match=r"balance: unknown choice 'fair'.*task_uniform"):
        suite_config({**committed(), "balance": "fair"})


def test_metrics_of_a_table_exist() -> None:
    content = read_yaml(CONFIG / "tables/table_05.yaml")
    for metrics, own, message in (
        (["PNSR"], [], "unknown metric 'PNSR': did you mean 'PSNR'"),
        (["PSNR"], ["SSIM"], "unknown metric of the table 'SSIM'"),
    ):
        changed = {**content, "metrics": metrics, "own_metrics": own}
        with pytest.raises(SpecError, match=message):
            build(Table, changed, "tables/table_05.yaml")


def test_unknown_tier_and_table_name_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'quick'"):
        read_tier("quik")
    with pytest.raises(UnknownNameError, match="'table_05'"):
        read_table("table_5")


def test_one_table_on_the_command_line_may_stand_without_brackets() -> None:
    assert suite_config({**committed(), "tables": "table_11"}).tables == ("table_11",)
    assert suite_config({**committed(), "seeds": 3}).seeds == (3,)


@pytest.mark.parametrize("key", ["data_mirrors", "weights_mirrors"])
@pytest.mark.parametrize("mirror", ["https://user:s3cret@host/sets", "http://h/?token=s3cret"])
def test_a_password_in_a_mirror_is_refused_and_not_repeated(key: str, mirror: str) -> None:
    with pytest.raises(SpecError, match=rf"{key}\.0: .*netrc") as error:
        suite_config({**committed(), key: [mirror]})
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("key", ["name", "set"])
@pytest.mark.parametrize("name", ["../../x", "a/b", "", "-x", "a{b}", ".."])
def test_a_test_set_has_a_name_that_is_a_name(key: str, name: str) -> None:
    content = read_yaml(CONFIG / "tiers" / "smoke.yaml")
    next(iter(content["test_sets"].values()))[key] = name
    with pytest.raises(SpecError, match=rf"{key}: expected"):
        build(Tier, content, "config/tiers/smoke.yaml")


def test_one_seed_stands_for_a_list() -> None:
    assert suite_config({**committed(), "seeds": 0}).seeds == (0,)


def test_an_alias_bomb_in_the_configuration_is_refused() -> None:
    bomb: list[object] = ["x", "x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(SpecError, match=r"config\.yaml: its aliases stand for more"):
        suite_config({"tier": "smoke", "only_methods": bomb})
