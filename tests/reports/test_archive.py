"""What stays of a report: whole, equal for equal results, readable without the suite."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
from pathlib import Path

import pytest

from ndr.records.claim_results import ClaimResult, ClaimResults
from ndr.records.figure_record import DRAWN, FigureRecord
from ndr.records.table_result import TableResult
from ndr.specs.table_plan import TablePlan
from reports import archive
from reports.archive import BEGIN, END, ArchiveError, collect, show_in, tables_of
from reports.claims.verdicts import UNDECIDED
from reports.number_format import MISSING
from reports.summarise import main as summarise
from tests.conftest import REPOSITORY
from tests.reports import fabricated_results as made
from workflows.configuration import names_in, read_figure


def summarise_as(plan: TablePlan, results: Path) -> None:
    outputs = [
        f"--out-{kind}={results}/tables/table_05.{kind}" for kind in ("json", "csv", "md", "tex")
    ]
    summarise([f"--table-json={plan.canonical_json()}", f"--results={results}", *outputs])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A finished report of one table, by the suite's own writers."""
    results = tmp_path / "results" / "smoke"
    plan = made.write_standard(results)
    (results / "tables").mkdir()
    summarise_as(plan, results)
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
    write_figure(results, "figure_07", "picture_grid", "png")
    write_figure(results, "figure_12", "matrix_change", "png")
    write_figure(results, "figure_size", "quality_cost", "png", "svg")
    return results


def write_figure(results: Path, name: str, kind: str, *drawn: str) -> None:
    """A figure's record, and files in place of what it describes."""
    record = FigureRecord(
        name=name,
        label="Figure",
        title="A figure",
        kind=kind,
        tier="smoke",
        paper=True,
        status=DRAWN,
        reason="",
        caption="What it shows.",
        reading="",
        protocol="",
        protocol_description="",
        alt="A figure.",
        sha256="0" * 64,
        dark_sha256="0" * 64,
        width=8,
        height=8,
        svg="svg" in drawn,
    )
    record.write(results / "figures" / f"{name}.json")
    for ending in drawn:
        (results / "figures" / f"{name}.{ending}").write_bytes(ending.encode())


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
    # Those that show images of a test set stay behind.
    assert drawn == {
        f"figures/figure_{name}" for name in ("12.json", "12.png", "size.json", "size.svg")
    }
    assert gzip.decompress(kept["leaks.json.gz"]) == (results / "leaks.json").read_bytes()
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
        "figures/figure_12.png",
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


def test_a_readme_shows_the_finished_blocks_between_its_marks(
    results: Path, tmp_path: Path
) -> None:
    plan = made.write_standard(results)  # AirNet is missing in its only block
    runs = {"NAFNet": made.NAFNET, "NDR-Restore": made.NDR}
    rows = [made.row(run, method, block="rain+haze") for method, run in runs.items()]
    summarise_as(dataclasses.replace(plan, rows=(*plan.rows, *rows)), results)
    folder = collect(results, tmp_path / "published" / "smoke", ["table_05"]).parent
    readme = tmp_path / "README.md"
    readme.write_text(f"# A suite\n{BEGIN}what was\n{END}More.\n", encoding="utf-8")
    show_in(readme, folder)
    text = readme.read_text(encoding="utf-8")
    assert text == (
        f"# A suite\n{BEGIN}\n"
        "| rain+haze, PSNR | Noise, sigma = 25 | Rain | Haze | Average |\n"
        "|---|---:|---:|---:|---:|\n"
        f"| *Degraded input* | 20.50 | 25.50 | {MISSING} | 23.00 |\n"
        f"| NAFNet | <u>29.25</u> | <u>25.25</u> | {MISSING} | <u>27.25</u> |\n"
        f"| NDR-Restore | **30.50** | **35.75** | {MISSING} | **33.12** |\n"
        f"\n{END}More.\n"
    )
    show_in(readme, folder)
    assert readme.read_text(encoding="utf-8") == text


def test_a_readme_says_so_where_no_block_is_finished(results: Path, tmp_path: Path) -> None:
    folder = collect(results, tmp_path / "published" / "smoke", ["table_05"]).parent
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}{END}", encoding="utf-8")
    show_in(readme, folder)
    assert "No block is finished yet." in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("marks", ["", BEGIN, END, END + BEGIN, BEGIN + END + BEGIN + END])
def test_a_readme_without_its_two_marks_stays_as_it_is(
    results: Path, tmp_path: Path, marks: str
) -> None:
    folder = collect(results, tmp_path / "published" / "smoke", ["table_05"]).parent
    readme = tmp_path / "README.md"
    readme.write_text(f"# A suite\n{marks}", encoding="utf-8")
    with pytest.raises(ArchiveError, match="once each, in this order"):
        show_in(readme, folder)
    assert readme.read_text(encoding="utf-8") == f"# A suite\n{marks}"


def test_each_kind_of_figure_is_known_to_show_images_or_not() -> None:
    kinds = {read_figure(name).kind for name in names_in("figures")}
    shows = {"picture_grid", "feature_maps", "heatmaps", "recreation", "residuals"}
    assert kinds == shows | set(archive.WITHOUT_PHOTOGRAPHS)


def test_the_readme_shows_the_published_report(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes((REPOSITORY / "README.md").read_bytes())
    show_in(readme, REPOSITORY / "published" / "small")
    assert readme.read_bytes() == (REPOSITORY / "README.md").read_bytes()


def test_the_published_report_is_whole() -> None:
    folder = REPOSITORY / "published" / "small"
    tables = [TableResult.read(folder / "tables" / f"{name}.json") for name in tables_of("small")]
    for run in archive.runs_of(tables):
        assert (folder / "per_image" / f"{run}.csv.gz").is_file()
        assert (folder / "provenance" / f"{run}.json").is_file()
    assert ClaimResults.read(folder / "claims.json").tier == "small"
    assert (folder / "leaks.json.gz").is_file()
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 15e6
