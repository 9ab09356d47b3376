"""Columns that a tier adds beside those of the paper's tables, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ndr.data.catalogue import load_catalogue
from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError, read_yaml
from workflows.configuration import CONFIG, suite_config
from workflows.planning import Plan, make_plan


def plan(folder: Path, tier: str) -> Plan:
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": tier})
    return make_plan(config, load_catalogue(CONFIG / "datasets.yaml"), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def add_test_set(folder: Path, **facts: object) -> None:
    path = folder / "tiers" / "smoke.yaml"
    tier = read_yaml(path)
    rain = {"label": "More rain", "task": "rain", "set": "photographs_rain_test"}
    tier["test_sets"]["More_rain"] = {"name": "more_rain", **rain, **facts}
    path.write_text(yaml.safe_dump(tier), encoding="utf-8")


def test_verdicts_of_small_hang_on_columns_of_68_scenes_and_sots_stands_beside_them() -> None:
    made = plan(CONFIG, "small")
    columns = [(each.test_set, each.paper_column) for each in made.tables["table_05"].columns]
    assert columns[3:] == [("rain100l", "Rain100L"), ("cbsd68_haze", "SOTS"), ("sots_outdoor", "")]
    for name, beside in (("table_06", "sots_outdoor_x2"), ("table_08", "sots_mixed")):
        last = made.tables[name].columns[-1]
        assert (last.test_set, last.paper_column) == (beside, "")
    run = made.evaluations["ndr_restore__noise_rain_haze__seed_0"]
    assert {"cbsd68_haze", "sots_outdoor"} <= {each.name for each in run.test_sets}


def test_a_column_beside_another_follows_it_in_every_table_and_weighs_nothing(folder: Path) -> None:
    add_test_set(folder, beside="Rain100L", paper_column="")
    before, made = plan(CONFIG, "smoke"), plan(folder, "smoke")
    for name, table in made.tables.items():
        sets = [each.test_set for each in table.columns]
        others = [each.test_set for each in before.tables[name].columns]
        assert [each for each in sets if each != "more_rain"] == others
        if "photographs_rain" in others:
            assert sets[sets.index("photographs_rain") + 1] == "more_rain"
        if table.average_weights:
            weights = dict(zip(sets, table.average_weights, strict=True))
            assert weights.pop("more_rain", 0.0) == 0.0
            assert tuple(weights.values()) == before.tables[name].average_weights
    assert "more_rain" in [each.test_set for each in made.tables["table_02"].columns]


def test_a_column_beside_another_needs_it_and_has_no_number_of_the_paper(folder: Path) -> None:
    add_test_set(folder, beside="Rain100", paper_column="")
    with pytest.raises(UnknownNameError, match=r"column beside More_rain.*Rain100L"):
        assert plan(folder, "smoke").tables
    add_test_set(folder, beside="Rain100L")
    with pytest.raises(SpecError, match=r"expected paper_column ''.* at Rain100L; found None"):
        assert plan(folder, "smoke").tables
