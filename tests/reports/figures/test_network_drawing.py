"""Drawings of the network: every number comes from its layout, and no words overlap."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Bbox

from ndr.nearest_name import UnknownNameError
from ndr.network.layout import network_layout
from ndr.records.network_layout import NetworkLayout
from reports.figures import network_drawing, style
from reports.figures.kind import Drawing, MissingFigureInput
from reports.figures.network_drawing import figure_of_svg
from tests.reports.figures import fabricated_arrays as made

TIMES = "\N{MULTIPLICATION SIGN}"
CONTENTS = ("system", "modules", "training")
CHANGES: dict[str, dict[str, Any]] = {
    "smoke": {},
    "widths of the paper": {
        "width": 48,
        "heads": (1, 2, 4, 6),
        "blocks": (4, 6, 6, 8),
        "refinement_blocks": 3,
        "degradation_width": 64,
    },
    "equations": {"variant": "equations"},
    "current release": {"variant": "current_release"},
    "without NDR": {"use_ndr": False},
    "without query": {"use_dq": False},
    "without injection": {"use_di": False},
    "without CP": {"use_cp": False},
    "enlarging": {"upscale": "pixel_shuffle"},
    "with L_e": {"use_le": True},
    "without refinement": {"refinement_blocks": 0},
    "without NDR-Degrad": {"lambda_degrad": 0},
}

DIFFERENT = {
    "system": CHANGES.keys() - {"current release", "equations", "with L_e", "without NDR-Degrad"},
    "modules": CHANGES.keys() - {"enlarging", "with L_e", "without refinement"},
    "training": CHANGES.keys()
    - {"equations", "current release", "without CP", "without injection"},
}
"""Layouts that a drawing shows in different ways."""
CASES = [(name, content) for content in CONTENTS for name in CHANGES if name in DIFFERENT[content]]


@functools.cache
def layout(name: str) -> NetworkLayout:
    return network_layout("smoke", "ndr_restore", CHANGES[name])


def write_layout(results: Path, name: str = "smoke") -> Path:
    layout(name).write(results / network_drawing.FILE_NAME)
    return results


def drawing(results: Path, content: str) -> Drawing:
    with style.house_style():
        return network_drawing.draw(made.plan("network_drawing", content), results)


def drawn(results: Path, content: str) -> Figure:
    return drawing(results, content).figure


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def overlap(one: Bbox, other: Bbox, slack: float = 0.5) -> bool:
    return (
        min(one.x1, other.x1) - max(one.x0, other.x0) > slack
        and min(one.y1, other.y1) - max(one.y0, other.y0) > slack
    )


def inside(one: Bbox, other: Bbox) -> bool:
    return other.x0 <= one.x0 and one.x1 <= other.x1 and other.y0 <= one.y0 and one.y1 <= other.y1


def strokes(figure: Figure) -> list[np.ndarray]:
    """Straight pieces of all lines, (2, 2) in pixels."""
    axes = figure.axes[0]
    found = [axes.transData.transform(line.get_xydata()) for line in axes.lines]
    return [points[i : i + 2] for points in found for i in range(len(points) - 1)]


def crosses(stroke: np.ndarray, box: Bbox) -> bool:
    """Whether an upright or level line runs through a box."""
    low, high = stroke.min(axis=0), stroke.max(axis=0)
    return bool(
        high[0] > box.x0 and low[0] < box.x1 and high[1] > box.y0 + 1 and low[1] < box.y1 - 1
    )


@pytest.mark.parametrize(("name", "content"), CASES)
def test_no_words_overlap_words_boxes_or_lines(name: str, content: str, tmp_path: Path) -> None:
    figure = drawn(write_layout(tmp_path, name), content)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    texts = {text: text.get_window_extent() for text in axes.texts}
    page, *boxes = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    assert page.bounds == figure.bbox.bounds
    lines = strokes(figure)
    every = list(texts.items())
    for index, (text, extent) in enumerate(every):
        assert inside(extent, figure.bbox), text
        for other, other_extent in every[index + 1 :]:
            assert not overlap(extent, other_extent), (text, other)
        for box in boxes:
            assert inside(extent, box) or not overlap(extent, box), (text, box)
        # The sign in a circle stands where its arrows would meet.
        if len(text.get_text()) > 1:
            assert not any(crosses(line, extent) for line in lines), text
    for index, box in enumerate(boxes):
        assert inside(box, figure.bbox)
        assert not any(overlap(box, other) for other in boxes[index + 1 :])


@pytest.mark.parametrize("content", CONTENTS)
def test_equal_layouts_give_equal_bytes(content: str, tmp_path: Path) -> None:
    write_layout(tmp_path)
    first, second = (drawing(tmp_path, content) for _ in range(2))
    assert first.svg == second.svg
    assert style.png_bytes(first.figure) == style.png_bytes(second.figure)


@pytest.mark.parametrize(("name", "content"), CASES)
def test_svg_and_png_hold_the_same_elements(name: str, content: str, tmp_path: Path) -> None:
    made_drawing = drawing(write_layout(tmp_path, name), content)
    axes = made_drawing.figure.axes[0]
    elements = list(ElementTree.fromstring(made_drawing.svg or b""))
    kinds = Counter(element.tag.rpartition("}")[2] for element in elements)
    patches = Counter(type(patch).__name__ for patch in axes.patches)
    assert (patches["FancyBboxPatch"], patches["Circle"]) == (kinds["rect"], kinds["circle"])
    assert (patches["Polygon"], len(axes.lines)) == (kinds["polygon"], kinds["polyline"])
    assert words(made_drawing.figure) == [e.text for e in elements if e.tag.endswith("}text")]


def test_an_element_that_the_png_would_lack_is_refused() -> None:
    with pytest.raises(ValueError, match="found 'path'"):
        figure_of_svg('<svg viewBox="0 0 10 10"><path d="M0 0"/></svg>')


def test_an_unknown_content_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="modules"):
        drawn(write_layout(tmp_path), "module")


def test_the_system_shows_the_blocks_and_sizes_of_the_network(tmp_path: Path) -> None:
    shown = words(drawn(write_layout(tmp_path, "widths of the paper"), "system"))
    assert shown.count(f"6 {TIMES} TransformerBlock") == 4  # levels 2 and 3, encoder and decoder
    assert shown.count(f"8 {TIMES} TransformerBlock") == 1
    assert "384x8x8, 6 heads".replace("x", TIMES) in shown
    assert "NDR-Restore: 27,330,315 parameters" in shown
    assert "D: N = 32 vectors of M = 128" in shown


def test_a_changed_network_changes_every_drawing(tmp_path: Path) -> None:
    for content in CONTENTS:
        first = words(drawn(write_layout(tmp_path, "smoke"), content))
        second = words(drawn(write_layout(tmp_path, "widths of the paper"), content))
        assert first != second, content


def test_modules_follow_the_variant(tmp_path: Path) -> None:
    release = words(drawn(write_layout(tmp_path, "smoke"), "modules"))
    assert "2 F" in release
    assert "softmax(Q D t)" in release
    assert "times F" in release
    equations = words(drawn(write_layout(tmp_path, "equations"), "modules"))
    assert "F" in equations
    assert "2 F" not in equations
    assert "softmax(Q D)" in equations
    assert "times F" not in equations
    assert f"Conv2d 3{TIMES}3" not in equations
    without = words(drawn(write_layout(tmp_path, "without NDR"), "modules"))
    assert "This network has no query." in without


def test_training_shows_the_losses_of_the_network(tmp_path: Path) -> None:
    full = words(drawn(write_layout(tmp_path, "with L_e"), "training"))
    assert any("independence" in word for word in full)
    alone = words(drawn(write_layout(tmp_path, "without NDR-Degrad"), "training"))
    assert "NDR-Degrad" not in alone
    assert not any("degrade" in word and "loss" in word for word in alone)


def test_a_missing_or_foreign_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFigureInput, match="no such file"):
        drawn(tmp_path, "system")
    (tmp_path / network_drawing.FILE_NAME).write_text('{"tier": "quick"}', encoding="utf-8")
    with pytest.raises(MissingFigureInput, match="delete it and run again"):
        drawn(tmp_path, "system")


def test_the_alternative_text_counts_the_blocks(tmp_path: Path) -> None:
    write_layout(tmp_path, "widths of the paper")
    text = drawing(tmp_path, "system").alt
    assert "27,330,315 parameters" in text
    assert f"{4 + 6 + 6 + 8 + 6 + 6 + 4 + 3} transformer blocks" in text
