"""Thumbnails, which pictures stand in a row, and the drawing of training curves."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path

import fabricated_results as made
import numpy as np
import pytest
from fabricated_report import SmallReport
from fabricated_results import INPUT, NDR, NOISE, TRUTH
from PIL import Image

from reports.pictures import LONG_SIDE, PictureReader, thumbnail
from reports.summarise import summarise
from reports.training_curves import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    CurveError,
    curve_drawings,
    read_curve,
)


def decoded(uri: str) -> np.ndarray:
    header, content = uri.split(",", 1)
    assert header == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_a_small_picture_keeps_its_pixels_and_colours(tmp_path: Path) -> None:
    ramp = np.zeros((64, 96, 3), np.uint8)
    ramp[..., 0] = np.arange(96) * 2
    ramp[..., 2] = 90
    Image.fromarray(ramp).save(tmp_path / "a.png")
    small = thumbnail(tmp_path / "a.png")
    assert (small.width, small.height, small.reduced) == (96, 64, False)
    assert np.abs(decoded(small.data_uri).astype(int) - ramp).mean() < 3


def test_a_large_picture_is_reduced_and_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 500), (10, 200, 30)).save(tmp_path / "a.png")
    small = thumbnail(tmp_path / "a.png")
    assert (small.width, small.height, small.reduced) == (LONG_SIDE, LONG_SIDE // 2, True)


def test_rows_have_input_methods_truth_and_the_psnr_of_the_image(small_report: SmallReport) -> None:
    reader = PictureReader(small_report.results, small_report.description, small_report.tables)
    rows = reader.rows()
    assert [(row.label, row.image) for row in rows] == [("Noise, sigma = 25", "a"), ("Rain", "a")]
    panels = rows[0].main
    assert [panel.run for panel in panels] == [INPUT, made.NAFNET, NDR, TRUTH]
    assert [panel.psnr_text for panel in panels] == ["20.00 dB", "0.33 dB", "30.00 dB", "∞ dB"]
    assert rows[0].reduced
    # Haze was evaluated, but left no picture.
    assert [e.message for e in reader.quality] == ["Haze: the degraded input left no picture."]


def test_missing_and_damaged_pictures_are_listed(small_report: SmallReport, tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    plan = made.write_standard(results)
    for run in (INPUT, made.NAFNET):
        made.write_picture(results, run, NOISE, "b")
    (results / "evaluations" / made.NAFNET / "pictures" / NOISE / "b.png").write_bytes(b"x")
    reader = PictureReader(results, small_report.description, [summarise(plan, results)])
    (row,) = reader.rows()
    assert [panel.run for panel in row.main] == [INPUT]
    messages = " ".join(entry.message for entry in reader.quality)
    assert f"NDR-Restore ({NDR}): no picture of b" in messages
    assert "b.png cannot be read" in messages
    assert f"Ground truth ({TRUTH}): no picture of b" in messages


def test_a_curve_is_drawn_where_its_numbers_are(small_report: SmallReport) -> None:
    drawings, quality = curve_drawings(small_report.results, small_report.tables)
    assert not quality
    assert [drawing.title for drawing in drawings] == ["Table V, Noise + Rain"]
    (drawing,) = drawings
    line = next(line for line in drawing.lines if line.run == NDR)
    points = [tuple(map(float, p.split(","))) for p in line.path[1:].split()]
    assert len(points) == 20
    assert points[-1][0] == pytest.approx(WIDTH - RIGHT, abs=0.06)
    assert points[0][0] == pytest.approx(LEFT + (WIDTH - LEFT - RIGHT) / 20, abs=0.06)
    heights = [y for _, y in points]
    assert heights == sorted(heights)  # 1/step falls, and y grows downwards
    assert TOP <= heights[0] <= heights[-1] <= HEIGHT - BOTTOM
    assert line.last == pytest.approx(1 / 20)
    assert [tick.text for tick in drawing.x_ticks] == ["0", "5", "10", "15", "20"]


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
