"""Sets of the user's own in the plan: which tables they stand in, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from ndr.data.image_files import write_png
from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError, read_yaml
from workflows.configuration import CONFIG, suite_config
from workflows.own_sets import suite_catalogue
from workflows.planning import Plan, make_plan
from workflows.suite import Suite


@pytest.fixture
def rain(tmp_path: Path) -> Path:
    for side in ("clean", "degraded"):
        (tmp_path / "rain" / side).mkdir(parents=True)
        write_png(tmp_path / "rain" / side / "a.png", np.zeros((8, 8, 3), np.uint8))
    return tmp_path / "rain"


def content(*own: dict[str, object], **changes: object) -> dict[str, object]:
    return {**read_yaml(CONFIG / "config.yaml"), "tier": "smoke", "own_test_sets": own, **changes}


def plan(*own: dict[str, object], folder: Path = CONFIG, **changes: object) -> Plan:
    config = suite_config(content(*own, **changes))
    return make_plan(config, suite_catalogue(config, CONFIG / "datasets.yaml"), folder)


def tables_with(made: Plan, column: str) -> set[str]:
    return {
        name
        for name, table in made.tables.items()
        if column in [each.test_set for each in table.columns]
    }


def test_it_stands_in_the_tables_that_it_fits(rain: Path) -> None:
    made = plan({"name": "my_rain", "folder": str(rain), "task": "rain"})
    found = tables_with(made, "my_rain")
    assert {"table_02", "table_05"} <= found
    # Of noise alone, of scale 2, and without ground truth.
    assert not found & {"table_01", "table_06", "table_07"}
    run = made.evaluations["ndr_restore__noise_rain_haze__seed_0"]
    (test_set,) = (each for each in run.test_sets if each.name == "my_rain")
    assert (test_set.set, test_set.crop, test_set.reference) == ("my_rain", 64, True)
    # What was there is scored as before.
    others = [each for each in run.test_sets if each.name != "my_rain"]
    assert others == list(plan().evaluations[run.run].test_sets)
    assert made.runs == plan().runs
    columns = {each.test_set: each.paper_column for each in made.tables["table_05"].columns}
    assert columns["my_rain"] == ""


def test_the_content_decides(rain: Path) -> None:
    own = {"name": "my_rain", "folder": str(rain), "task": "rain"}

    def identity(folder: Path) -> str:
        config = suite_config(content({**own, "folder": str(folder)}))
        return suite_catalogue(config, CONFIG / "datasets.yaml").identity("my_rain", 9)

    first = identity(rain)
    os.utime(rain / "clean" / "a.png", (1, 1))
    moved = Path(shutil.copytree(rain, rain.parent / "moved"))
    (moved / "clean" / ".DS_Store").write_bytes(b"x")
    assert identity(rain) == identity(moved) == first
    write_png(rain / "degraded" / "a.png", np.ones((8, 8, 3), np.uint8))
    assert identity(rain) != first


def test_it_is_prepared_from_its_own_folder(rain: Path) -> None:
    own = {"name": "my_rain", "folder": str(rain), "task": "rain"}
    suite = Suite(suite_config(content(own)))
    assert suite.prepared_from("my_rain") == []
    assert suite.prepare_options("my_rain")[-4:] == ["--own", str(rain), "--own-scale", "1"]


def test_clean_images_alone_need_a_noise_level(rain: Path) -> None:
    own = {"name": "mine", "folder": str(rain), "task": "noise"}
    with pytest.raises(SpecError, match=r"found sigma: 25\.0 and some images in .*degraded"):
        plan({**own, "sigma": 25.0})
    shutil.rmtree(rain / "degraded")
    with pytest.raises(SpecError, match=r"found sigma: None and no images"):
        plan(own)
    assert "table_05" in tables_with(plan({**own, "sigma": 25.0}), "mine")


def test_what_cannot_be_is_refused(rain: Path) -> None:
    own = {"name": "my_rain", "folder": str(rain), "task": "rain"}
    with pytest.raises(UnknownNameError, match=r"task of own test set 'my_rain'.*rain"):
        plan({**own, "task": "rian"})
    with pytest.raises(SpecError, match=r"expected images .*nowhere/clean"):
        plan({**own, "folder": str(rain / "nowhere")})
    with pytest.raises(SpecError, match="the catalogue has a set of this name"):
        plan({**own, "name": "cbsd68"})
    with pytest.raises(SpecError, match="two have this name"):
        plan(own, own)
    with pytest.raises(SpecError, match="'smoke' has a test set of this name"):
        plan({**own, "name": "smoke_rain"})
    with pytest.raises(SpecError, match=r"cannot stand in table_01: none of its systems"):
        _ = plan({**own, "tables": ["table_01"]}).tables
    with pytest.raises(UnknownNameError, match="table_5"):
        plan({**own, "tables": ["table_5"]})
    assert tables_with(plan({**own, "tables": ["table_05"]}), "my_rain") == {"table_05"}


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A configuration with a table of a column that only the tier smoke has."""
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    tier = read_yaml(folder / "tiers" / "smoke.yaml")
    tier["test_sets"]["mine"] = {**tier["test_sets"]["Rain100L"], "name": "mine"}
    (folder / "tiers" / "smoke.yaml").write_text(yaml.safe_dump(tier))
    table = read_yaml(folder / "tables" / "table_02.yaml")
    table = {**table, "label": "Mine", "columns": ["mine"], "paper_values": None}
    (folder / "tables" / "table_mine.yaml").write_text(yaml.safe_dump(table))
    return folder


def test_a_column_that_a_tier_lacks_leaves_out_its_table(
    edited: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "table_mine" in plan(folder=edited).tables
    assert "table_mine" not in plan(folder=edited, tier="small").tables
    assert "table_mine is left out: the tier small has no column mine" in caplog.text
    with pytest.raises(UnknownNameError, match=r"column of table_mine at tier small"):
        _ = plan(folder=edited, tier="small", tables=["table_mine"]).tables


def test_a_column_that_no_tier_has_is_named_with_its_table(edited: Path) -> None:
    path = edited / "tables" / "table_mine.yaml"
    path.write_text(path.read_text().replace("- mine", "- mien"))
    with pytest.raises(UnknownNameError, match=r"column of table_mine.*mien"):
        _ = plan(folder=edited).tables


def test_a_misspelt_task_of_a_tier_is_an_error(edited: Path) -> None:
    path = edited / "tiers" / "smoke.yaml"
    path.write_text(path.read_text().replace("task: haze", "task: hase", 1))
    with pytest.raises(UnknownNameError, match=r"task of .* at tier smoke.*haze"):
        plan(folder=edited)
