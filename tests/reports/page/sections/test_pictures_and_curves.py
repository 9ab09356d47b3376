"""Files beside the page, which pictures stand in a row, and the drawing of training curves."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.records.table_result import Column, TableResult
from reports.page.assets import TABLES, Assets
from reports.page.sections.curves import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    CurveError,
    curve_drawings,
    read_curve,
)
from reports.page.sections.pictures import (
    KeptPictures,
    PictureRow,
    chosen_images,
    picture_rows,
)
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import SmallReport
from tests.reports.fabricated_results import INPUT, NDR, NOISE, TRUTH
from tests.reports.page_elements import parsed


def decoded(uri: str) -> np.ndarray:
    header, content = uri.split(",", 1)
    assert header == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_pictures_lie_beside_the_page_once_each(tmp_path: Path) -> None:
    for name, colour in (("a", 10), ("b", 10), ("c", 200)):
        Image.new("RGB", (300, 200), (colour, 0, 0)).save(tmp_path / f"{name}.png")
    folder = tmp_path / "assets"
    (folder / "pictures").mkdir(parents=True)
    for name in ("0123456789abcdef.webp", "notes.txt"):
        (folder / "pictures" / name).write_text("an earlier page's, or somebody's own")
    assets = Assets(folder)
    first, again, other = (assets.picture(tmp_path / f"{name}.png") for name in "abc")
    assert first == again != other
    assert (first.width, first.height) == (300, 200)
    assets.remove_others()
    files = {f"assets/pictures/{path.name}" for path in (folder / "pictures").iterdir()}
    assert files == {first.address, other.address, "assets/pictures/notes.txt"}
    with Image.open(tmp_path / other.address) as full:
        assert full.size == (300, 200)
        assert np.abs(np.asarray(full).astype(int) - [200, 0, 0]).max() < 6


def test_a_page_in_one_file_holds_its_pictures_and_offers_nothing_else(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (10, 0, 0)).save(tmp_path / "a.png")
    (tmp_path / "table.csv").write_text("1,2")
    assets = Assets(None)
    assert decoded(assets.picture(tmp_path / "a.png").address).shape == (200, 300, 3)
    assert assets.offered(TABLES, tmp_path / "table.csv") == ""
    assets.remove_others()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "table.csv"]


def test_files_are_copied_as_they_are_now(tmp_path: Path) -> None:
    table, assets = tmp_path / "table.csv", Assets(tmp_path / "assets")
    for content in ("1,2", "3,4"):
        table.write_text(content)
        assert assets.offered(TABLES, table) == "assets/tables/table.csv"
        assert (tmp_path / "assets" / "tables" / "table.csv").read_text() == content
    assert assets.offered(TABLES, tmp_path / "none.csv") == ""


VALUES = {"a": 30.0, "b": 28.0, "c": 33.0, "d": 29.0, "not kept": 1.0}


@pytest.mark.parametrize(
    ("kept", "lower", "expected"),
    [
        ("abcd", False, [("worst", "b"), ("median", "d"), ("best", "c")]),
        ("abcd", True, [("worst", "c"), ("median", "a"), ("best", "b")]),
        ("ab", False, [("worst", "b"), ("best", "a")]),
        ("a", False, [("", "a")]),
        ("abx", False, [("", "a"), ("", "b"), ("", "x")]),
        ("", False, []),
    ],
)
def test_worst_median_and_best_are_sought_among_the_kept_images(
    kept: str, lower: bool, expected: list[tuple[str, str]]
) -> None:
    found = chosen_images(VALUES, list(kept), lower)
    assert [(choice.word, choice.image) for choice in found] == expected
    assert all(choice.value == VALUES.get(choice.image) for choice in found)


def rows_of(
    results: Path, report: SmallReport, tables: Sequence[TableResult]
) -> tuple[list[PictureRow], list[str]]:
    """Rows, and what is said of missing pictures."""
    kept = KeptPictures(results, report.description)
    rows, quality = picture_rows(kept, Assets(None), tables)
    return rows, [entry.message for entry in quality]


def test_rows_have_input_methods_truth_and_the_psnr_of_the_image(small_report: SmallReport) -> None:
    rows, quality = rows_of(small_report.results, small_report, small_report.tables)
    labels = [(row.column.label, row.image) for row in rows]
    assert labels == [("Noise, sigma = 25", "a"), ("Rain", "a")]
    panels = rows[0].panels
    assert all(panel.source.main for panel in panels)
    assert [panel.source.run for panel in panels] == [INPUT, made.NAFNET, NDR, TRUTH]
    assert [panel.psnr for panel in panels] == [20.0, 1 / 3, 30.0, math.inf]
    # Haze was evaluated, but left no picture.
    assert quality == ["Haze: the degraded input left no picture."]


def test_rows_show_different_photographs_as_far_as_there_are(
    small_report: SmallReport, tmp_path: Path
) -> None:
    results = tmp_path / "results" / "quick"
    table = summarise(made.write_standard(results), results)
    for test_set, images in ((NOISE, "ab"), (made.RAIN, "ab"), (made.HAZE, "a")):
        for image in images:
            made.write_picture(results, INPUT, test_set, image)
    rows, _ = rows_of(results, small_report, [table])
    assert [row.image for row in rows] == ["a", "b", "a"]


def test_the_page_prints_the_psnr_of_each_picture(page: str) -> None:
    figures = next(s for s in parsed(page).all("section") if s.attributes.get("id") == "pictures")
    printed = [span.text for span in figures.all("span") if "psnr" in span.classes()]
    assert printed[:4] == ["20.00 dB", "0.33 dB", "30.00 dB", "∞ dB"]


def test_a_stand_in_is_named_beside_its_pictures(small_report: SmallReport) -> None:
    def marked(column: Column) -> Column:
        stands_in = column.test_set is not None and column.label == "Rain"
        return replace(column, stand_in="synthetic rain in place of real") if stands_in else column

    tables = [
        replace(table, columns=tuple(marked(column) for column in table.columns))
        for table in small_report.tables
    ]
    rows, _ = rows_of(small_report.results, small_report, tables)
    assert [row.column.stand_in for row in rows] == ["", "synthetic rain in place of real"]


def test_missing_and_damaged_pictures_are_listed(small_report: SmallReport, tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    plan = made.write_standard(results)
    for run in (INPUT, made.NAFNET):
        made.write_picture(results, run, NOISE, "b")
    (results / "evaluations" / made.NAFNET / "pictures" / NOISE / "b.png").write_bytes(b"x")
    (row,), messages = rows_of(results, small_report, [summarise(plan, results)])
    assert [panel.source.run for panel in row.panels] == [INPUT]
    assert "Noise, sigma = 25, Ground truth: no control left a picture of b." in messages
    assert f"Noise, sigma = 25, NDR-Restore ({NDR}): no picture of b." in messages
    assert any("b.png cannot be read" in message for message in messages)


def test_missing_pictures_are_listed_in_the_order_of_the_table(
    small_report: SmallReport, tmp_path: Path
) -> None:
    """Pictures are read at the same time; which is read first must not show."""
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    made.write_picture(results, INPUT, NOISE, "a")
    runs = [f"method_{number}__noise_rain__seed_0" for number in range(40)]
    for number, run in enumerate(runs):
        made.write_trained(results, run, {NOISE: {"a": 30.0, "b": 31.0}})
        if number % 2:  # takes longer to refuse than a picture that is not there
            made.write_picture(results, run, NOISE, "a").write_bytes(b"x" * 10**5)
    rows = [made.row(run, run, (NOISE,)) for run in runs]
    table = summarise(made.plan(rows, paper_values=None), results)
    _, messages = rows_of(results, small_report, [table])
    listed = [run for message in messages for run in runs if run in message]
    assert listed == runs


def test_a_curve_is_drawn_where_its_numbers_are(small_report: SmallReport) -> None:
    drawings, quality = curve_drawings(small_report.results, small_report.tables)
    assert not quality
    assert [drawing.title for drawing in drawings] == ["Table V, Noise + Rain"]
    (drawing,) = drawings
    line = next(line for line in drawing.lines if line.run == NDR)
    points = [tuple(map(float, p.split(","))) for p in line.path[1:].split()]
    assert len(points) == 20
    assert points[-1][0] == pytest.approx(RIGHT, abs=0.06)
    assert points[0][0] == pytest.approx(LEFT + (RIGHT - LEFT) / 20, abs=0.06)
    heights = [y for _, y in points]
    assert heights == sorted(heights)  # 1/step falls, and y grows downwards
    assert TOP <= heights[0] <= heights[-1] <= BOTTOM
    assert line.last == pytest.approx(1 / 20)
    assert [text for _, text in drawing.x_ticks] == ["0", "5", "10", "15", "20"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,restore\n", "has no rows"),
        ("step,restore\n1,nan\n", "positive, finite"),
        ("step,restore\n1,0\n", "positive, finite"),
        ("time,other\n1,2\n", "expected the columns step and total"),
    ],
)
def test_curves_that_cannot_be_drawn(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(CurveError, match=re.escape(message)):
        read_curve(path)


def test_missing_curves_are_listed(small_report: SmallReport, tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    (results / "runs" / NDR / "curve.csv").unlink()
    drawings, quality = curve_drawings(results, [dataclasses.replace(small_report.tables[0])])
    assert len(drawings) == 1
    assert [entry.message for entry in quality] == [f"{NDR}: curve.csv is not there."]
