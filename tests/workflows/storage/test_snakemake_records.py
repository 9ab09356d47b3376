"""Snakemake's records: which output each stands for, and which belong to a tier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from workflows.storage.snakemake_records import (
    INCOMPLETE,
    LOCKS,
    METADATA,
    finished_outputs,
    is_inside,
    is_running,
    output_of,
    records_of_tier,
)


def record_path(output: str) -> Path:
    """Where Snakemake itself puts the record of an output."""
    persistence = FilePersistence.__new__(FilePersistence)
    persistence._max_len = 255
    return Path(persistence._record_path("", output))


def write_record(root: Path, output: str, inputs: tuple[str, ...] = ()) -> Path:
    path = root / METADATA / record_path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"input": inputs, "shellcmd": f"make {output}"}))
    return path


@pytest.mark.parametrize(
    "output",
    [
        "a",
        "results/smoke/tables/table_11.json",
        "results/é/ü.csv",
        "results/" + "long/" * 100 + "x",
    ],
)
def test_names_are_those_of_snakemake(output: str) -> None:
    assert output_of(record_path(output)) == output


@pytest.mark.parametrize("name", ["not base64!", "folder/YQ==", ".nfs0001", "_w=="])
def test_other_files_are_no_records(name: str) -> None:
    assert output_of(Path(name)) is None


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a/./b", "a/.."])
def test_paths_that_lead_out(path: str) -> None:
    assert not is_inside(path)


def test_unfinished_and_foreign_outputs_are_left_out(tmp_path: Path) -> None:
    write_record(tmp_path, "results/smoke/b")
    write_record(tmp_path, "results/smoke/a", ("data/x",))
    write_record(tmp_path, "/elsewhere/c")
    running = write_record(tmp_path, "results/smoke/running")
    marker = tmp_path / INCOMPLETE / running.relative_to(tmp_path / METADATA)
    marker.parent.mkdir(parents=True)
    marker.touch()
    write_record(tmp_path, "results/smoke/cut_off").write_text('{"input": [')
    records = finished_outputs(tmp_path)
    assert list(records) == ["results/smoke/a", "results/smoke/b"]
    assert records["results/smoke/a"].inputs == ("data/x",)
    assert records["results/smoke/a"].command == "make results/smoke/a"


def test_a_tier_has_its_results_and_what_they_were_made_from(tmp_path: Path) -> None:
    write_record(tmp_path, "data/sets/pairs/manifest.csv", ("data/sets/clean/manifest.csv",))
    write_record(tmp_path, "data/sets/clean/manifest.csv")
    write_record(tmp_path, "data/sets/other/manifest.csv")
    write_record(tmp_path, "results/smoke/a", ("data/sets/pairs/manifest.csv",))
    write_record(tmp_path, "results/quick/a", ("data/sets/other/manifest.csv",))
    write_record(tmp_path, "reports/all_tables.html", ("results/quick/a",))
    records = finished_outputs(tmp_path)
    assert set(records_of_tier(records, "smoke")) == {
        "results/smoke/a",
        "data/sets/pairs/manifest.csv",
        "data/sets/clean/manifest.csv",
    }
    assert "reports/all_tables.html" in records_of_tier(records, "quick")


def test_a_lock_says_that_snakemake_runs(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    (tmp_path / LOCKS).mkdir(parents=True)
    assert not is_running(tmp_path)
    (tmp_path / LOCKS / "0.input.lock").touch()
    assert is_running(tmp_path)
