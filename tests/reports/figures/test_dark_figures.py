"""Figures on dark ground: everything that is read stands out, and what means something stays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from ndr.specs.figure_plan import KINDS, PLOT_KINDS, FigurePlan
from reports.figures.dark import COUNTERPARTS, GROUND, PAINT, dark_svg, darken
from reports.figures.draw import draw_figure, figure_kind
from reports.figures.style import house_style
from tests.reports.figures import fabricated_arrays, fabricated_figures
from tests.reports.figures.test_network_drawing import write_layout
from tests.reports.page.test_page_style import contrast

CONTENTS = {
    "quality_cost": "parameters",
    "heatmaps": "representation",
    "feature_maps": "injection",
    "network_drawing": "system",
}
TENSORS = ("heatmaps", "feature_maps", "matrix_change", "recreation")


def figure_plan(kind: str) -> FigurePlan:
    content = CONTENTS.get(kind, "")
    if kind in TENSORS:
        return fabricated_arrays.plan(kind, content)
    return fabricated_figures.figure_plan(kind, content=content)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all kinds are drawn from."""
    folder = fabricated_figures.write_results(tmp_path_factory.mktemp("results"))
    fabricated_arrays.write_arrays(folder)
    write_layout(folder)
    return folder


def ground_of(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as opened:
        red, green, blue = opened.convert("RGB").getpixel((1, 1))
    return f"#{red:02x}{green:02x}{blue:02x}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_rendering_for_dark_ground(kind: str, results: Path) -> None:
    drawn = draw_figure(figure_plan(kind), results)
    assert drawn.record.status == "drawn"
    if kind in PLOT_KINDS:
        text = drawn.dark.decode()
        assert GROUND in text
        assert "#ffffff" not in text
        assert "white" not in text
    else:
        assert ground_of(drawn.dark) == GROUND
        assert ground_of(drawn.png) == "#ffffff"


def shown_texts(figure: Figure) -> list[Text]:
    return [each for each in figure.findobj(Text) if each.get_text().strip()]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "network_drawing"])
def test_words_and_lines_stand_out_from_dark_ground(kind: str, results: Path) -> None:
    with house_style():
        figure = figure_kind(kind).draw(figure_plan(kind), results).figure
        darken(figure)
    assert to_hex(figure.get_facecolor()) == GROUND
    texts = shown_texts(figure)
    assert texts
    for text in texts:
        assert contrast(to_hex(text.get_color()), GROUND) >= 4.5, text.get_text()
    for line in figure.findobj(Line2D):
        # Lines of a grid are fainter than what is drawn upon it.
        faint = to_hex(line.get_color()) == COUNTERPARTS["#d9d9d9"]
        assert faint or contrast(to_hex(line.get_color()), GROUND) >= 3, line


def test_words_of_a_drawing_stand_out_from_their_boxes(results: Path) -> None:
    for content in ("system", "modules", "training"):
        plan = fabricated_figures.figure_plan("network_drawing", content=content)
        svg = figure_kind("network_drawing").draw(plan, results).svg
        assert svg is not None
        text = dark_svg(svg.decode())
        words = {line.split('fill="')[1][:7] for line in text.splitlines() if "<text" in line}
        grounds = {line.split('fill="')[1][:7] for line in text.splitlines() if "<rect" in line}
        assert words
        assert grounds
        assert all(contrast(one, other) >= 4.5 for one in words for other in grounds)
        colours = {colour for _, colour in PAINT.findall(text)}
        assert colours <= {*COUNTERPARTS.values(), "none"}


def test_photographs_and_maps_keep_their_colours(results: Path) -> None:
    for kind in ("picture_grid", "heatmaps"):
        drawn = draw_figure(figure_plan(kind), results)
        with Image.open(io.BytesIO(drawn.png)) as light, Image.open(io.BytesIO(drawn.dark)) as dark:
            one, other = (np.asarray(each.convert("RGB"), int) for each in (light, dark))
        assert one.shape == other.shape
        colourful = (one.max(axis=2) - one.min(axis=2) > 60) & (one != 255).all(axis=2)
        assert colourful.any()
        assert (one == other).all(axis=2)[colourful].mean() > 0.95


def test_no_counterpart_has_one_itself() -> None:
    """What is reached twice, e.g. axes and their patch, changes once."""
    assert COUNTERPARTS.keys().isdisjoint(COUNTERPARTS.values())
