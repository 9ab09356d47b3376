"""The last lines of a run: rows of a table, a cell's number, or where a file lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndr.records.table_result import TableResult
from ndr.specs.typed_file import read_yaml
from reports.closing import closing_lines, table_lines
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from workflows.configuration import CONFIG, suite_config
from workflows.suite import Suite


@pytest.fixture
def table(tmp_path: Path) -> TableResult:
    results = tmp_path / "results" / "quick"
    return summarise(made.write_standard(results), results)


def test_a_table_has_a_line_per_row_with_numbers_below_each_other(table: TableResult) -> None:
    title, columns, metrics, *rows, key = table_lines(table)
    assert title == "Table V: All-in-one restoration (tier quick; PSNR in dB)"
    assert "Noise, \N{GREEK SMALL LETTER SIGMA} = 25" in columns
    assert metrics.split() == ["PSNR", "SSIM"] * 4
    names = [row.split("  ")[1].strip() for row in rows]
    assert names == ["Degraded input", "NAFNet", "AirNet", "NDR-Restore"]
    ours = next(row for row in rows if "NDR-Restore" in row)
    nafnet = next(row for row in rows if "NAFNet" in row)
    assert "30.50*" in ours
    assert "25.25-" in nafnet  # below its input on rain
    assert ours.index("30.50") == nafnet.index("29.25")
    assert key.startswith("* best of its block")


@pytest.fixture(scope="module")
def suite() -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke"}))


def test_the_targets_name_where_their_results_lie(
    suite: Suite, table: TableResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table.write(Path("results/smoke/tables/table_05.json"))
    lines = list(closing_lines(suite, ["table_05"]))
    assert lines[-1] == "results/smoke/tables/table_05.md, also as csv, tex and json"
    assert any("NDR-Restore" in line for line in lines)
    assert list(closing_lines(suite, [])) == ["The report of tier smoke: reports/all_tables.html"]
    (figure,) = closing_lines(suite, ["figure_scatter"])
    assert figure == "Image by image: results/smoke/figures/figure_scatter.png and svg"
    (missing,) = closing_lines(suite, ["table_06"])
    assert missing.startswith("table_06: ")


def test_a_cells_target_prints_the_number_with_its_interval(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = Path(suite.results)
    test_set = suite.plan.rows.test_set("BSD68_sigma25").name
    values = {test_set: {name: 30.0 + place for place, name in enumerate("abcdefgh")}}
    made.write_trained(results, "ndr_restore__noise_rain_haze__seed_0", values)
    inputs = {test_set: dict.fromkeys("abcdefgh", 20.0)}
    made.write_evaluation(results, "identity__no_training__seed_0", inputs)
    target = "table_05__noise_rain_haze__ndr_restore__bsd68_sigma25"
    where, psnr, ssim = closing_lines(suite, [target])
    assert where.startswith("Table V, Noise + Rain + Haze, NDR-Restore, Noise")
    assert psnr.strip().startswith("PSNR 33.50 dB; 95 % interval 31.88 to 35.12")
    assert "degraded input: 20.00" in psnr
    assert "the paper: 31.36 (+2.14)" in psnr
    assert ssim.strip().startswith("SSIM 0.33")
    run = "ndr_restore__noise_rain_haze__seed_0"
    (line,) = closing_lines(suite, [run])
    assert line == f"{run}: results/smoke/evaluations/{run}/per_image.csv"
