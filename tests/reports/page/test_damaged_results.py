"""One bad file of results costs its own cells or section; the page is made, and says so."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from ndr.records.table_result import TableResult
from reports.build import build_page
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import SmallReport, write_results
from tests.reports.fabricated_results import INPUT, NDR, NOISE
from tests.reports.tables.test_summarise import DAMAGES, damaged_json, find_run


def bomb() -> bytes:
    """A sound PNG of 400 megapixels, in half a megabyte."""
    buffer = io.BytesIO()
    Image.new("1", (20000, 20000)).save(buffer, "PNG")
    return buffer.getvalue()


def page_of(small_report: SmallReport, results: Path) -> str:
    plan = made.plan([made.row(NDR, "NDR-Restore")])
    tables: list[TableResult] = [summarise(plan, results)]
    return unescape(
        build_page(small_report.description, tables, results, small_report.parameter_counts)
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "quick"
    write_results(folder)
    return folder


@pytest.mark.parametrize("folder", ["runs", "evaluations"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("run", [NDR, INPUT])
def test_a_bad_provenance(
    small_report: SmallReport, results: Path, folder: str, damage: str, run: str
) -> None:
    path = results / folder / run / "provenance.json"
    if path.is_file():
        path.write_text(damaged_json(path, damage))
        assert "is damaged, or no provenance file" in page_of(small_report, results)


@pytest.mark.parametrize(("value", "shown"), [("1e308", "1e+308"), ("1000000.0", "1e+06")])
def test_a_bad_value(small_report: SmallReport, results: Path, value: str, shown: str) -> None:
    path = results / "evaluations" / NDR / "per_image.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + f",{value}"
    path.write_text("\n".join(lines) + "\n")
    made.bind(path)
    assert f"{shown} is no PSNR" in page_of(small_report, results)


@pytest.mark.parametrize("run", [NDR, INPUT])
def test_a_bad_picture(small_report: SmallReport, results: Path, run: str) -> None:
    picture = results / "evaluations" / run / "pictures" / NOISE / "a.png"
    content = picture.read_bytes()
    for bad in (bomb(), content[:60], b"x" * 100, content.replace(b"IDAT", b"IDAT" * 9)):
        picture.write_bytes(bad)
        html = page_of(small_report, results)
        assert "a.png cannot be read" in html


CURVES: tuple[Callable[[str], str], ...] = (
    lambda text: text.replace("\n", "\n1e308,1e308\n", 1),
    lambda text: text + "1e999,nan\n",
    lambda text: text.replace("\n", "\n\0", 1),
    lambda text: text + '"' + "x" * 200_000,
    lambda text: text.splitlines()[0] + "\n0,1\n",
)


@pytest.mark.parametrize("damage", CURVES)
def test_a_bad_curve(
    small_report: SmallReport, results: Path, damage: Callable[[str], str]
) -> None:
    path = results / "runs" / NDR / "curve.csv"
    path.write_text(damage(path.read_text()))
    assert "curve.csv" in page_of(small_report, results)


@pytest.mark.parametrize("kind", ["claims", "sensitivity", "leaks", "figures", "parameter_counts"])
@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"schema": 99}', ""])
def test_a_bad_file_of_a_section(
    small_report: SmallReport, tmp_path: Path, kind: str, text: str
) -> None:
    path = tmp_path / f"{kind}.json"
    path.write_text(text)
    given = {"parameter_counts": small_report.parameter_counts, kind: path}
    if kind == "figures":
        given[kind] = [path]
    html = build_page(small_report.description, small_report.tables, small_report.results, **given)
    assert f"{kind}.json is damaged, or no" in unescape(html)


def test_a_file_of_another_version_says_so(small_report: SmallReport, results: Path) -> None:
    path = results / "evaluations" / NDR / "provenance.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    assert "expected schema 1, found 99" in page_of(small_report, results)


def test_a_hundred_thousand_warnings_do_not_fill_the_page(small_report: SmallReport) -> None:
    table = small_report.tables[0]
    entries = [
        dataclasses.replace(table.quality[0], run=f"run_{number}", message=f"message {number}")
        for number in range(100_000)
    ]
    many = dataclasses.replace(table, quality=tuple(entries))
    html = build_page(
        small_report.description, [many], small_report.results, small_report.parameter_counts
    )
    assert len(html) < 5_000_000
    assert "The first 500 of 100,000" in html


def test_the_bad_files_of_one_run_leave_the_other_runs_alone(
    small_report: SmallReport, results: Path
) -> None:
    plan = made.plan([made.row(NDR, "NDR-Restore"), made.row(made.NAFNET, "NAFNet")])
    before = summarise(plan, results)
    shutil.rmtree(results / "evaluations" / NDR / "pictures")
    (results / "evaluations" / NDR / "provenance.json").write_text("[" * 100_000)
    after = summarise(plan, results)
    first, second = (find_run(table, made.NAFNET).cells for table in (before, after))
    values = [[[one.value for one in cell.shown] for cell in cells] for cells in (first, second)]
    assert values[0] == values[1]
