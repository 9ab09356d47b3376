"""Image by image against the best of the others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ndr.specs.figure_plan import FigureRow
from reports.figures import scatter
from reports.figures.kind import MissingFigureInput
from reports.figures.scatter import comparisons
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, NAFNET, NDR, NOISE
from tests.reports.figures.fabricated_figures import ROWS, figure_plan, write_results

AIRNET = "airnet__noise_haze__seed_0"


def test_points_are_the_images_of_both_systems(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    plan = figure_plan("scatter")
    _, best, (noise, haze) = comparisons(plan, results)
    assert best.label == "NAFNet"
    assert noise.ours == (30.0, 31.0, 29.0)
    assert noise.other == (29.0, 31.5, 27.0)
    assert noise.given == 22.0
    assert noise.text.startswith("better on 2 of 3 images, +0.83 dB (\N{MINUS SIGN}0.50 to +2.00)")
    assert haze.better == 1
    lines = {line.get_label(): line for line in scatter.draw(plan, results).figure.axes[0].lines}
    assert len(lines) > 3  # the diagonal, the degraded input on both axes, the means
    assert any(list(line.get_xdata()) == [22.0, 22.0] for line in lines.values())
    points = scatter.draw(plan, results).figure.axes[0].collections[0].get_offsets()
    assert np.allclose(points, list(zip(noise.other, noise.ours, strict=True)))


def test_the_other_is_the_one_with_the_highest_mean_over_sets(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    # On noise, which has more images here, NAFNet is better; over the two sets AirNet is.
    made.write_trained(results, AIRNET, {NOISE: dict.fromkeys("abc", 28.0), HAZE: {"a": 27.0}})
    rows = (*ROWS, FigureRow("AirNet", AIRNET, test_sets=(NOISE, HAZE)))
    _, best, (_, haze) = comparisons(figure_plan("scatter", rows=rows), results)
    assert best.label == "AirNet"
    assert haze.ours == (20.0,)  # the image that both have


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_cannot_be_plotted_take_a_system_out(tmp_path: Path, value: float) -> None:
    results = write_results(tmp_path)
    psnr = {NOISE: {"a": value}, HAZE: {"a": 20.0}}
    made.write_trained(results, NAFNET, psnr, lines=made.lines_of(NAFNET, psnr))
    with pytest.raises(MissingFigureInput, match="each of the other systems"):
        comparisons(figure_plan("scatter"), results)


def test_without_ndr_restore_nothing_is_drawn(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    with pytest.raises(MissingFigureInput, match="NDR-Restore was not run"):
        scatter.draw(figure_plan("scatter", rows=ROWS[:1]), results)
    (results / "evaluations" / NDR / "per_image.csv").unlink()
    with pytest.raises(MissingFigureInput, match="NDR-Restore lacks PSNR"):
        scatter.draw(figure_plan("scatter"), results)
