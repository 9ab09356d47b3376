"""Maps of what is left: their values, their common scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.figures import residuals
from reports.figures.kind import MissingFigureInput
from reports.figures.residuals import residual
from tests.reports.fabricated_results import HAZE, INPUT, NOISE
from tests.reports.figures.fabricated_figures import (
    figure_plan,
    picture,
    write_pixels,
    write_results,
)


def test_the_difference_is_absolute_and_averaged_over_colours() -> None:
    truth = np.array([[[10, 200, 30], [0, 0, 0]]], np.uint8)
    restored = np.array([[[16, 197, 30], [255, 255, 255]]], np.uint8)
    assert residual(restored, truth).tolist() == [[3.0, 255.0]]


def test_all_maps_share_one_scale(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    write_pixels(results, INPUT, HAZE, "c", picture(180))
    drawing = residuals.draw(figure_plan("residuals"), results)
    panels = drawing.figure.axes[0].images
    maps = [each for each in panels if each.get_array().ndim == 2]
    assert len(maps) == 6  # input and two systems, on two test sets
    assert {each.get_clim() for each in maps} == {(0, 80)}  # the hazy input is off by 80
    assert "image c: Degraded input mean 80.00, NAFNet mean 10.00" in drawing.alt
    # 5 everywhere, and 30 more on a 16th of the pixels
    assert f"NDR-Restore mean {5 + 30 / 16:.2f}" in drawing.alt


def test_without_a_truth_nothing_is_drawn(tmp_path: Path) -> None:
    plan = figure_plan("residuals", truth_run="")
    with pytest.raises(MissingFigureInput, match="no ground truth"):
        residuals.draw(plan, write_results(tmp_path))


def test_doing_nothing_is_never_beaten_in_bold_by_doing_harm(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    for image in "abc":  # the noisy input is off by 3, every system by more
        write_pixels(results, INPUT, NOISE, image, picture(103))
    drawing = residuals.draw(figure_plan("residuals"), results)
    bold = [t.get_text() for t in drawing.figure.axes[0].texts if t.get_fontweight() == "bold"]
    assert bold == [f"mean {5 + 30 / 16:.2f}"]  # on haze alone
