"""Tables from shipped networks: which rows they fill, and what the others say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from ndr.data.fetch.source import Terms
from ndr.records.shipped_weights import ShippedFile, ShippedIndex
from ndr.shipped_weights import INDEX, shipped_key
from ndr.specs.run_spec import RunSpec
from ndr.specs.table_plan import PlannedRow
from ndr.specs.typed_file import SpecError, read_yaml
from workflows.configuration import CONFIG, read_tier, suite_config
from workflows.planned_trainings import Trainings, planned
from workflows.planning import Plan, make_plan

MAIN = "ndr_restore__noise_rain_haze__seed_{}"


class NamedSets:
    """Identities that are readable: the set's name and the seed."""

    terms: ClassVar[Mapping[str, Terms]] = {}

    def identity(self, name: str, suite_seed: int) -> str:
        return f"{name}:{suite_seed}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def plan(folder: Path, **changes: object) -> Plan:
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "quick", **changes})
    return make_plan(config, NamedSets(), folder)


def ship(folder: Path, *specs: RunSpec) -> Path:
    """Files of the right hash under the right names; their content is read by nobody here."""
    weights = folder.parent / "weights"
    weights.mkdir()
    entries = []
    for spec in specs:
        (weights / f"{spec.run}.safetensors").write_bytes(b"")
        entries.append(
            ShippedFile(
                run=spec.run,
                key=shipped_key(spec),
                file=f"{spec.run}.safetensors",
                sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                bytes=0,
                method=spec.method,
                seconds_per_step=0.3,
            )
        )
    ShippedIndex(runs=tuple(entries)).write(weights / INDEX)
    return weights


def row(found: Plan, label: str) -> PlannedRow:
    return next(row for row in found.tables["table_11"].rows if row.label == label)


def specs(folder: Path, *seeds: int) -> list[RunSpec]:
    runs = plan(folder, sources="retrained", seeds=list(seeds)).runs
    return [runs[MAIN.format(seed)] for seed in seeds]


def test_rows_are_filled_by_what_is_shipped_with_all_its_seeds(folder: Path) -> None:
    ship(folder, *specs(folder, 0, 2))
    found = plan(folder)
    assert row(found, "lambda = 1").runs == (MAIN.format(0), MAIN.format(2))
    assert found.shipped_runs == {MAIN.format(0), MAIN.format(2)}
    assert plan(folder, seeds=0).shipped_runs == {MAIN.format(0)}


def test_other_rows_say_that_they_have_to_be_trained_and_how_long_that_takes(folder: Path) -> None:
    ship(folder, *specs(folder, 0))
    found = row(plan(folder), "lambda = 0.5")
    steps = plan(folder).runs[MAIN.format(0)].recipe.steps
    assert found.run is None
    assert "--config train_missing=true trains it" in found.reason
    assert f"({steps} steps, about {0.3 * steps / 60:.0f} min on one core)" in found.reason
    trained = row(plan(folder, train_missing=True), "lambda = 0.5")
    assert (trained.run, trained.reason) == (
        "ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0",
        "",
    )


def test_a_changed_run_is_not_taken_for_the_shipped_one(folder: Path) -> None:
    ship(folder, *specs(folder, 0))
    for changes in ({"balance": "release_ratio"}, {"noise_variant": "uint8_round"}):
        reason = row(plan(folder, **changes), "lambda = 1").reason
        assert reason.startswith("not trained yet; ")
    assert row(plan(folder, balance="release_ratio"), "lambda = 1").run is None


def test_a_damaged_file_empties_its_cells_alone(folder: Path) -> None:
    main, other = specs(folder, 0, 1)
    weights = ship(folder, main, other)
    (weights / f"{main.run}.safetensors").write_bytes(b"x")
    found = row(plan(folder, seeds=0), "lambda = 1")
    assert found.run is None
    assert f"{main.run}.safetensors is damaged" in found.reason
    assert plan(folder, seeds=1).shipped_runs == {other.run}


def test_methods_without_training_stand_in_every_source(folder: Path) -> None:
    table = plan(folder).tables["table_controls"]
    assert [row.run is not None for row in table.rows] == [True, True]


def test_quick_and_small_ask_for_the_same_networks(folder: Path) -> None:
    quick = plan(folder, sources="retrained").runs
    small = plan(folder, tier="small", sources="retrained").runs
    assert quick.keys() <= small.keys()
    assert all(spec == small[run] for run, spec in quick.items())
    assert {spec.tier for spec in quick.values()} == {"small"}


def test_a_tier_trained_as_another_has_no_training_of_its_own(folder: Path) -> None:
    path = folder / "tiers" / "quick.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "precision: fp32\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"quick\.yaml: precision are those of the tier 'small'"):
        read_tier("quick", folder)


def test_shipped_and_retrained_are_one_training_each(folder: Path) -> None:
    with pytest.raises(SpecError, match="train_missing=true"):
        plan(folder, sources=["shipped", "retrained"])


def test_wider_mixes_train_longer(folder: Path) -> None:
    runs = plan(folder, tier="small", sources="retrained").runs
    mixes = read_tier("small").steps_of_mixes
    for setting, tasks in (("derain", 1), ("noise_rain", 2), ("noise_rain_haze", 3)):
        assert runs[f"ndr_restore__{setting}__seed_0"].recipe.steps == mixes[tasks - 1]


def test_what_is_to_be_trained_covers_every_run_of_the_tables(folder: Path) -> None:
    from ndr.specs.typed_file import read_yaml_spec

    found = plan(folder, tier="small", sources="retrained", seeds=0)
    trainings = planned(read_yaml_spec(Trainings, CONFIG / "trainings.yaml"), found)
    names = [spec.run for spec in trainings]
    assert len(names) == len(set(names))
    assert set(found.runs) <= set(names)
    assert names[0].endswith("__noise_rain_haze__seed_0")
