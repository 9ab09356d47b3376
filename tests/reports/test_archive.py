"""What stays of a report: whole, equal for equal results, readable without the suite."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from ndr.records.claim_results import ClaimResult, ClaimResults
from reports import archive
from reports.archive import ArchiveError, collect, tables_of
from reports.claims.verdicts import UNDECIDED
from reports.summarise import main as summarise
from tests.reports import fabricated_results as made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A finished report of one table, by the suite's own writers."""
    results = tmp_path / "results" / "smoke"
    plan = made.write_standard(results)
    outputs = [
        f"--out-{kind}={results}/tables/table_05.{kind}" for kind in ("json", "csv", "md", "tex")
    ]
    (results / "tables").mkdir()
    summarise([f"--table-json={plan.canonical_json()}", f"--results={results}", *outputs])
    claim = ClaimResult(
        id="dq_helps",
        says="DQ helps.",
        quote="By sense: DQ helps.",
        where="Table X",
        kind="compare",
        tables=("table_10",),
        verdict=UNDECIDED,
        deciding=None,
        parts=(),
    )
    ClaimResults("smoke", (claim,)).write(results / "claims.json")
    for name in ("leaks", "network_costs", "parameter_counts", "sensitivity"):
        (results / f"{name}.json").write_text("{}")
    (results / "figures").mkdir()
    for name in (
        "figure_01.json",
        "figure_01.png",
        "figure_02.json",
        "figure_02.png",
        "figure_02.svg",
    ):
        (results / "figures" / name).write_text("{}")
    return results


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_everything_that_the_tables_stand_on_is_kept(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published" / "smoke"
    index = collect(results, folder, ["table_05"])
    kept = content(folder)
    runs = (made.NDR, made.NAFNET, made.INPUT)
    assert {f"per_image/{run}.csv.gz" for run in runs} <= kept.keys()
    assert {f"provenance/{run}.json" for run in runs} <= kept.keys()
    assert f"provenance/training_{made.NDR}.json" in kept
    assert {f"tables/table_05.{kind}" for kind in ("csv", "json", "md", "tex")} <= kept.keys()
    drawn = {name for name in kept if name.startswith("figures/")}
    assert drawn == {
        f"figures/figure_{name}" for name in ("01.json", "01.png", "02.json", "02.svg")
    }
    values = gzip.decompress(kept[f"per_image/{made.NDR}.csv.gz"])
    assert values == (results / "evaluations" / made.NDR / "per_image.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(values.decode())))
    assert {row["run"] for row in rows} == {made.NDR}
    text = index.read_text(encoding="utf-8")
    table = json.loads(kept["tables/table_05.json"])
    cells = [
        c for b in table["blocks"] for r in b["rows"] for c in r["cells"] if c["status"] != "blank"
    ]
    filled = sum(cell["shown"][0]["value"] is not None for cell in cells)
    assert f"| {filled} of {len(cells)} |" in text
    assert (results / "tables" / "table_05.md").read_text(encoding="utf-8").strip() in text
    assert "1 claim of the paper: 1 undecided" in text


def test_equal_results_are_equal_files_and_old_ones_go(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published" / "smoke"
    collect(results, folder, ["table_05"])
    before = content(folder)
    (folder / "per_image" / "of_another_report.csv.gz").write_bytes(b"")
    collect(results, folder, ["table_05"])
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["smoke"]


@pytest.mark.parametrize(
    "gone",
    [
        "tables/table_05.tex",
        "leaks.json",
        "figures/figure_01.png",
        f"evaluations/{made.NDR}/per_image.csv",
    ],
)
def test_what_is_not_finished_replaces_nothing(gone: str, results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published" / "smoke"
    collect(results, folder, ["table_05"])
    before = content(folder)
    (results / gone).unlink()
    with pytest.raises(ArchiveError, match="is missing"):
        collect(results, folder, ["table_05"])
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["smoke"]


def test_tables_asked_for_by_name_are_among_them() -> None:
    small = tables_of("small")
    assert {f"table_{number:02d}" for number in range(1, 15)} <= set(small)
    assert {"table_backbone", "table_printed", "table_checkpoints", "table_leaks"} <= set(small)
    assert "table_backbone" not in tables_of("smoke")


def test_wrong_input_is_told_in_a_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert archive.main(["--tier", "tiny"]) == 2
    assert "unknown tier 'tiny'" in caplog.text
    monkeypatch.setattr(archive, "_make", lambda *_: None)
    assert archive.main(["--tier", "paper", "--out", "nowhere/paper"]) == 2
    assert "table_01.json" in caplog.text
    assert not Path("nowhere").exists()
