"""Which image a grid shows, which detail, and which numbers stand below."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ndr.specs.figure_plan import FigurePlan, FigureRow
from reports.figures import picture_grid
from reports.figures.evaluated_pictures import OTHER_TASK, EvaluatedPictures
from reports.figures.image_choice import in_turn, most_different, structure
from reports.figures.kind import MissingFigureInput
from reports.figures.panel_grid import Frame
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


def test_the_detail_is_where_outputs_differ_most_in_structure() -> None:
    generator = np.random.default_rng(3)
    pictures = [generator.integers(0, 256, (40, 52, 3)).astype(np.uint8) for _ in range(3)]
    truth = np.full((40, 52, 3), 90, np.uint8)  # no texture anywhere: all squares are candidates
    spread = np.stack([structure(each) for each in pictures]).var(axis=0).sum(axis=2)
    sums = {
        (top, left): spread[top : top + 16, left : left + 16].sum()
        for top in range(40 - 16 + 1)
        for left in range(52 - 16 + 1)
    }
    top, left = max(sums, key=lambda corner: sums[corner])
    assert most_different(pictures, truth) == Frame(top, left, 16)
    assert most_different(pictures[:1]) is None


def test_neither_tint_nor_a_bare_patch_is_the_detail() -> None:
    generator = np.random.default_rng(4)
    truth = np.full((64, 96, 3), 128, np.uint8)
    truth[:, 48:] = generator.integers(60, 200, (64, 48, 3))  # the right half has texture
    tinted = truth.copy()
    tinted[:32, :48, 0] += 60  # much, but smooth
    noisy = truth.copy()
    noisy[40:48, 8:16] += generator.integers(0, 60, (8, 8, 3)).astype(np.uint8)  # on a bare patch
    blurred = truth.astype(float)
    blurred[16:40, 64:88] -= 0.6 * structure(truth)[16:40, 64:88]
    frame = most_different([tinted, noisy, blurred.clip(0, 255).astype(np.uint8)], truth)
    assert frame is not None
    assert 60 <= frame.left <= 76
    assert 12 <= frame.top <= 28


def test_an_edge_does_not_make_a_bare_square_textured() -> None:
    generator = np.random.default_rng(5)
    truth = np.full((64, 64, 3), 90, np.uint8)
    truth[:, 32:] = generator.integers(60, 200, (64, 32, 3))
    streaks = truth.copy()
    streaks[:, 8:30:3] += 60  # rain on the sky, which is left to one system alone
    softer = truth.astype(float) - 0.5 * structure(truth)
    frame = most_different([streaks, truth, softer.clip(0, 255).astype(np.uint8)], truth)
    assert frame is not None
    assert frame.left >= 22  # about half of it lies in the texture, or more


def test_a_picture_smaller_than_the_detail_is_its_own_detail() -> None:
    small = [np.zeros((8, 12, 3), np.uint8), np.full((8, 12, 3), 9, np.uint8)]
    assert most_different(small) == Frame(0, 0, 8)


def test_images_take_turns_over_rows_and_figures(results: Path) -> None:
    shown = [
        EvaluatedPictures(figure_plan(name=name), results).shown_image(test_set)
        for name in ("figure_07", "figure_08", "figure_09")
        for test_set in (NOISE, HAZE)
    ]
    assert shown == ["b", "c", "c", "a", "a", "b"]
    assert in_turn(["only"], "figure_residuals", 5) == ["only"]


def test_an_image_that_more_systems_have_goes_first(results: Path) -> None:
    (results / "evaluations" / NDR / "pictures" / NOISE / "a.png").unlink()
    (results / "evaluations" / TRUTH / "pictures" / NOISE / "c.png").unlink()
    # c has no truth, and of the others b alone was kept by all.
    assert EvaluatedPictures(figure_plan(), results).shown_image(NOISE) == "b"


def test_numbers_are_those_of_the_file_under_the_plans_protocol(results: Path) -> None:
    plan = figure_plan()
    found = words(plan, results)
    assert {"31.00 / 0.3100", "21.00 / 0.2100"} <= {*found["normal"], *found["bold"]}
    assert found["bold"] == ["31.50 / 0.3150", "23.00 / 0.2300"]  # image b, then image c
    other = words(dataclasses.replace(plan, protocol="airnet"), results)
    assert other["bold"] == ["32.50 / 0.3250", "24.00 / 0.2400"]


def test_what_is_no_better_than_the_input_is_never_bold(results: Path) -> None:
    numbers = {NOISE: dict.fromkeys("abc", 31.5), HAZE: dict.fromkeys("abc", 22.0)}
    made.write_evaluation(results, INPUT, numbers)
    assert words(figure_plan(), results)["bold"] == ["23.00 / 0.2300"]


def test_systems_without_any_picture_leave_no_column(results: Path) -> None:
    rows = (*ROWS, FigureRow("StableSR", None, reason="its program is missing"))
    drawing = picture_grid.draw(figure_plan(rows=rows), results)
    assert (
        "Not shown, for lack of any picture: StableSR (its program is missing)." in drawing.details
    )
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert "StableSR" not in texts
    assert texts[:4] == ["Degraded input", "NAFNet", "NDR-Restore", "Ground truth"]


def test_details_hold_the_pixels_inside_the_frame(results: Path) -> None:
    figure = picture_grid.draw(figure_plan(), results).figure
    images = [np.asarray(each.get_array()) for each in figure.axes[0].images]
    assert [image.shape[0] for image in images] == [64, 16] * 8  # input, two systems, truth; twice
    inside, whole = images[5], images[4]  # NDR-Restore's detail of the first row, and its picture
    windows = np.lib.stride_tricks.sliding_window_view(whole, (16, 16, 3)).reshape(-1, 16, 16, 3)
    assert any(np.array_equal(inside, window) for window in windows)
    assert 135 in inside  # the square in which the two systems differ
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
    write_pixels(results, "dncnn__denoise__seed_0", NOISE, "a", picture(90))
    drawing = picture_grid.draw(figure_plan(rows=rows), results)
    noise, haze = drawing.alt.split("Haze, image")
    assert "DnCNN" in noise
    assert f"DnCNN {OTHER_TASK}" in haze
    assert "AirNet (left out by only_methods: nafnet)" in drawing.details
    assert "DiffBIR (failed: its program is missing)" in drawing.details


def test_a_figure_without_any_picture_is_not_drawn(results: Path) -> None:
    rows = (FigureRow("DnCNN", "dncnn__denoise__seed_0", test_sets=(NOISE,)),)
    with pytest.raises(MissingFigureInput, match="no system left a picture"):
        picture_grid.draw(figure_plan(rows=rows), results)
    with pytest.raises(MissingFigureInput, match="degraded input"):
        picture_grid.draw(figure_plan(input_run="bicubic__no_training__seed_0"), results)


def test_damaged_and_unlike_pictures_are_named(results: Path) -> None:
    path = results / "evaluations" / NDR / "pictures" / NOISE / "b.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(MissingFigureInput, match="cannot be read"):
        picture_grid.draw(figure_plan(), results)
    write_pixels(results, NDR, NOISE, "b", picture(50)[:32])
    with pytest.raises(MissingFigureInput, match=f"{NDR} 64x32"):
        picture_grid.draw(figure_plan(), results)
