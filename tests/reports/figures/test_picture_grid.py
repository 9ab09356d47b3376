"""Which image a grid shows, which detail, and which numbers stand below."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ndr.specs.figure_plan import FigurePlan, FigureRow
from reports.figures import picture_grid
from reports.figures.evaluated_pictures import OTHER_TASK, EvaluatedPictures
from reports.figures.kind import MissingFigureInput
from reports.figures.picture_grid import Frame, most_different
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, INPUT, NAFNET, NDR, NOISE, TRUTH
from tests.reports.figures.fabricated_figures import (
    ROWS,
    figure_plan,
    picture,
    write_pixels,
    write_results,
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_results(tmp_path)


def words(plan: FigurePlan, results: Path) -> dict[str, list[str]]:
    """Text of the figure by its weight."""
    found: dict[str, list[str]] = {"normal": [], "bold": []}
    for text in picture_grid.draw(plan, results).figure.axes[0].texts:
        found[text.get_fontweight()].append(text.get_text())
    return found


def test_the_detail_is_where_outputs_differ_most() -> None:
    generator = np.random.default_rng(3)
    pictures = [generator.integers(0, 256, (40, 52, 3)).astype(np.uint8) for _ in range(3)]
    spread = np.stack(pictures).astype(float).var(axis=0).sum(axis=2)
    sums = {
        (top, left): spread[top : top + 16, left : left + 16].sum()
        for top in range(40 - 16 + 1)
        for left in range(52 - 16 + 1)
    }
    top, left = max(sums, key=lambda corner: sums[corner])
    assert most_different(pictures) == Frame(top, left, 16)
    assert most_different(pictures[:1]) is None


def test_a_picture_smaller_than_the_detail_is_its_own_detail() -> None:
    small = [np.zeros((8, 12, 3), np.uint8), np.full((8, 12, 3), 9, np.uint8)]
    assert most_different(small) == Frame(0, 0, 8)


def test_the_image_of_the_middle_is_shown(results: Path) -> None:
    # Mean PSNR on noise: a 29.5, b 31.25, c 28; on haze: a 20.5, b 23.5, c 22.
    pictures = EvaluatedPictures(figure_plan(), results)
    assert pictures.shown_image(NOISE) == "a"
    assert pictures.shown_image(HAZE) == "c"


def test_an_image_that_more_systems_have_goes_first(results: Path) -> None:
    (results / "evaluations" / NDR / "pictures" / NOISE / "a.png").unlink()
    (results / "evaluations" / TRUTH / "pictures" / NOISE / "c.png").unlink()
    assert EvaluatedPictures(figure_plan(), results).shown_image(NOISE) == "b"


def test_numbers_are_those_of_the_file_under_the_plans_protocol(results: Path) -> None:
    plan = figure_plan()
    found = words(plan, results)
    assert {"29.00 / 0.2900", "23.00 / 0.2300"} <= {*found["normal"], *found["bold"]}
    assert found["bold"] == ["30.00 / 0.3000", "23.00 / 0.2300"]  # NDR on noise, NAFNet on haze
    other = words(dataclasses.replace(plan, protocol="airnet"), results)
    assert other["bold"] == ["31.00 / 0.3100", "24.00 / 0.2400"]


def test_details_hold_the_pixels_inside_the_frame(results: Path) -> None:
    figure = picture_grid.draw(figure_plan(), results).figure
    images = [np.asarray(each.get_array()) for each in figure.axes[0].images]
    assert [image.shape[0] for image in images] == [64, 16] * 8  # input, two systems, truth; twice
    inside = images[5]  # NDR-Restore's detail of the first row
    assert np.array_equal(inside, np.full((16, 16, 3), 135))
    assert np.array_equal(images[7], np.full((16, 16, 3), 100))  # the truth's


def test_without_truth_numbers_need_no_reference(tmp_path: Path) -> None:
    values = {INPUT: 60.0, NAFNET: 40.5, NDR: 44.0}
    for run, value in values.items():
        line = [run, NOISE, "a", "a", "no_reference", "PIQE", repr(value)]
        made.write_evaluation(tmp_path, run, {NOISE: {"a": 0.0}}, lines=[line])
        write_pixels(tmp_path, run, NOISE, "a", picture(int(value)))
    plan = figure_plan(
        truth_run="", protocol="no_reference", test_sets=(NOISE,), test_set_labels=("Noise",)
    )
    found = words(plan, tmp_path)
    assert found["bold"] == ["PIQE 40.50"]  # lower is better
    assert "Ground truth" not in found["normal"]


def test_panels_without_a_picture_say_why(results: Path) -> None:
    rows = (
        *ROWS,
        FigureRow("DnCNN", "dncnn__denoise__seed_0", test_sets=(NOISE,)),
        FigureRow("AirNet", None, reason="left out by only_methods: nafnet"),
        FigureRow("DiffBIR", "diffbir__no_training__seed_0", test_sets=(NOISE, HAZE)),
    )
    failures = {NOISE: "its program is missing: see x", HAZE: "its program is missing"}
    made.write_evaluation(results, "diffbir__no_training__seed_0", {}, lines=[], failures=failures)
    alt = picture_grid.draw(figure_plan(rows=rows), results).alt
    noise, haze = alt.split("Haze, image")
    assert "DnCNN not run" in noise
    assert f"DnCNN {OTHER_TASK}" in haze
    assert alt.count("AirNet left out by only_methods: nafnet") == 2
    assert alt.count("DiffBIR failed: its program is missing") == 2


def test_a_figure_without_any_picture_is_not_drawn(results: Path) -> None:
    rows = (FigureRow("DnCNN", "dncnn__denoise__seed_0", test_sets=(NOISE,)),)
    with pytest.raises(MissingFigureInput, match="no system left a picture"):
        picture_grid.draw(figure_plan(rows=rows), results)
    with pytest.raises(MissingFigureInput, match="degraded input"):
        picture_grid.draw(figure_plan(input_run="bicubic__no_training__seed_0"), results)


def test_damaged_and_unlike_pictures_are_named(results: Path) -> None:
    path = results / "evaluations" / NDR / "pictures" / NOISE / "a.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(MissingFigureInput, match="cannot be read"):
        picture_grid.draw(figure_plan(), results)
    write_pixels(results, NDR, NOISE, "a", picture(50)[:32])
    with pytest.raises(MissingFigureInput, match=f"{NDR} 64x32"):
        picture_grid.draw(figure_plan(), results)
