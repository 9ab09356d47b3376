"""Marks of quality against cost, and where their names stand."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from ndr.nearest_name import UnknownNameError
from ndr.specs.figure_plan import FigureRow
from reports.figures import quality_cost
from reports.figures.kind import MissingFigureInput
from reports.figures.quality_cost import MARK, Box, place_names, systems, text_width
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, NOISE
from tests.reports.figures.fabricated_figures import ROWS, figure_plan, write_results

BM3D, DNCNN = "bm3d__no_training__seed_0", "dncnn__denoise__seed_0"


def test_marks_are_means_over_sets_against_provenance(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    plan = figure_plan("quality_cost", content="parameters")
    nafnet, ours = systems(plan, results).itertuples()
    assert (nafnet.cost, ours.cost, ours.ours, nafnet.ours) == (20_000, 1_000_000, True, False)
    assert ours.psnr == pytest.approx(((30 + 31 + 29) / 3 + (20 + 25 + 21) / 3) / 2)
    (axes,) = quality_cost.draw(plan, results).figure.axes
    marks, whiskers = axes.collections
    ends = [segment[:, 1] for segment in whiskers.get_segments()]
    assert np.allclose(ends, [(nafnet.low, nafnet.high), (ours.low, ours.high)])
    assert nafnet.low < nafnet.psnr < nafnet.high
    assert nafnet.given == pytest.approx((22 + 16) / 2)
    assert any(list(line.get_ydata()) == [nafnet.given] * 2 for line in axes.lines)
    assert "degraded input" in [text.get_text() for text in axes.texts]
    assert axes.get_ylim()[0] < nafnet.given
    assert np.allclose(marks.get_offsets(), [(20_000, nafnet.psnr), (1_000_000, ours.psnr)])
    timed = systems(figure_plan("quality_cost", content="seconds_per_megapixel"), results)
    assert timed["cost"].tolist() == [2.0, 40.0]


def test_a_narrow_range_of_costs_has_several_labels(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    for run, parameters in ((made.NAFNET, 300_000), (made.NDR, 500_000)):
        made.write_trained(results, run, {NOISE: {"a": 29.0, "b": 31.0}}, parameters=parameters)
    rows = tuple(dataclasses.replace(row, test_sets=(NOISE,)) for row in ROWS)
    plan = figure_plan("quality_cost", content="parameters", rows=rows)
    figure = quality_cost.draw(plan, results).figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert len(ticks) >= 2


def test_systems_of_other_test_sets_stand_apart(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    made.write_trained(results, DNCNN, {NOISE: {"a": 28.0}}, parameters=500_000)
    made.write_evaluation(results, BM3D, {NOISE: {"a": 27.0}}, parameters=None)
    rows = (
        FigureRow("CBM3D", BM3D, test_sets=(NOISE,)),
        FigureRow("DnCNN", DNCNN, setting="Denoising", test_sets=(NOISE,)),
        *ROWS,
    )
    drawing = quality_cost.draw(
        figure_plan("quality_cost", content="parameters", rows=rows), results
    )
    assert [axes.get_title("left") for axes in drawing.figure.axes] == ["Denoising", "Noise + Haze"]
    assert "DnCNN 28.00 dB at 500 k, CBM3D 27.00 dB at none" in drawing.alt
    assert "Denoising: Noise, sigma = 25." in drawing.details


def test_a_system_that_lacks_a_test_set_has_no_mark(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    made.write_trained(results, DNCNN, {NOISE: {"a": 28.0}})
    rows = (*ROWS, FigureRow("DnCNN", DNCNN, test_sets=(NOISE, HAZE)))
    found = systems(figure_plan("quality_cost", content="parameters", rows=rows), results)
    assert found["label"].tolist() == ["NAFNet", "NDR-Restore"]


def test_what_cannot_be_plotted_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFigureInput, match="no system has both"):
        quality_cost.draw(figure_plan("quality_cost", content="parameters"), tmp_path)
    with pytest.raises(UnknownNameError, match="parameters"):
        systems(figure_plan("quality_cost", content="parameter"), tmp_path)


def test_names_cover_neither_marks_nor_each_other() -> None:
    generator = np.random.default_rng(5)
    points = [tuple(point) for point in generator.uniform(40, 200, (14, 2))]
    widths = [30.0 + 2 * index for index in range(14)]
    places = place_names(points, widths, 8.0, Box(0, 0, 240, 240))
    marks = [Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in points]
    for one, other in itertools.combinations(places, 2):
        assert one.box.overlap(other.box) == 0
    for place, mark in itertools.product(places, marks):
        assert place.box.overlap(mark) == 0
    for place, width in zip(places, widths, strict=True):
        assert place.box.right - place.box.left == pytest.approx(width)
        assert place.box.overlap(Box(0, 0, 240, 240)) == pytest.approx(place.box.area)


def test_a_lonely_name_stands_to_the_right_of_its_mark() -> None:
    (place,) = place_names([(50.0, 50.0)], [20.0], 8.0, Box(0, 0, 200, 100))
    assert place.box.left > 50
    assert place.box.bottom < 50 < place.box.top
    assert not place.line


@pytest.mark.parametrize("seed", [4, 8, 12, 15, 17, 19, 20])
def test_no_line_to_a_mark_runs_through_another_name(seed: int) -> None:
    """Crowded marks, whose lines ran through names while only names were kept apart."""
    points = np.random.default_rng(seed).uniform((90, 90), (150, 110), (7, 2))
    places = place_names(points.tolist(), [40.0] * 7, 8.0, Box(0, 0, 240, 200))
    assert any(place.line for place in places)
    for one, other in itertools.permutations(places, 2):
        assert all(part.overlap(other.box) == 0 for part in one.line)


def test_widths_grow_with_text_size_and_weight() -> None:
    width = text_width("Restormer", 7.0, bold=False)
    assert text_width("Restormer", 14.0, bold=False) == pytest.approx(2 * width)
    assert text_width("Restormer", 7.0, bold=True) > width
    assert 5 * 7 * 0.5 < width < 9 * 7
