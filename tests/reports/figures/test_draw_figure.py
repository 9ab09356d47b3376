"""The command: its files, equal bytes for equal results, and a reason where nothing is drawn."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.text import Text
from PIL import Image

from ndr.records.figure_record import FigureRecord
from ndr.records.record import ResultFileError
from ndr.specs.figure_plan import (
    KINDS,
    PICTURE_KINDS,
    PLOT_KINDS,
    REPRESENTATION_KINDS,
    FigurePlan,
    FigureRow,
)
from reports.figures.draw import draw_figure, figure_kind, main
from reports.figures.style import house_style
from tests.reports.figures import fabricated_arrays
from tests.reports.figures.fabricated_figures import ROWS, figure_plan, write_results


def run(plan: FigurePlan, results: Path, out: Path) -> None:
    options = ["--out-dark", str(out / f"f_dark.{'svg' if plan.has_svg else 'png'}")]
    options += ["--out-svg", str(out / "f.svg")] if plan.has_svg else []
    main(
        [
            "--figure-json",
            plan.canonical_json(),
            "--results",
            str(results),
            "--out-png",
            str(out / "f.png"),
            "--out-json",
            str(out / "f.json"),
            *options,
        ]
    )


def test_the_command_writes_what_the_record_says(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results")
    run(figure_plan(), results, tmp_path)
    record = FigureRecord.read(tmp_path / "f.json")
    content = (tmp_path / "f.png").read_bytes()
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    with Image.open(tmp_path / "f.png") as opened:
        assert opened.size == (record.width, record.height)
        extremes = opened.convert("L").getextrema()
    assert extremes[0] < 50  # words
    assert extremes[1] > 250  # on white
    assert (record.status, record.reason, record.svg) == ("drawn", "", False)
    assert not (tmp_path / "f.svg").exists()
    assert (record.tier, record.protocol, record.protocol_description) == ("quick", "ndr", "RGB")
    for said_once in ("Tier", "Protocol", "framed square"):
        assert said_once not in record.caption
    assert "framed square" in record.reading
    assert "b (Noise, \N{GREEK SMALL LETTER SIGMA} = 25)" in record.caption
    assert "NDR-Restore 31.00 / 0.3100" in record.alt


@pytest.mark.parametrize(
    ("kind", "content"), [("picture_grid", ""), ("scatter", ""), ("quality_cost", "parameters")]
)
def test_equal_results_give_equal_bytes(tmp_path: Path, kind: str, content: str) -> None:
    plan = figure_plan(kind, content=content)
    one = draw_figure(plan, write_results(tmp_path / "one"))
    two = draw_figure(plan, write_results(tmp_path / "two"))
    assert one == two
    assert (one.svg is not None) == (kind in PLOT_KINDS)


def test_an_svg_is_well_formed_and_carries_no_date(tmp_path: Path) -> None:
    run(figure_plan("scatter"), write_results(tmp_path / "results"), tmp_path)
    text = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag.endswith("}svg")
    assert not re.search(r"\b20\d\d-\d\d-\d\d", text)


def test_a_missing_input_is_told_and_shown(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results")
    plan = figure_plan("scatter", rows=ROWS[:1])
    run(plan, results, tmp_path)
    record = FigureRecord.read(tmp_path / "f.json")
    assert (record.status, record.reason) == ("not drawn", "NDR-Restore was not run.")
    assert record.alt == "Figure 7 is not drawn: NDR-Restore was not run."
    assert (tmp_path / "f.png").stat().st_size > 0
    assert "<svg" in (tmp_path / "f.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["picture_grid", "residuals", "scatter"])
def test_left_out_rows_are_a_reason(tmp_path: Path, kind: str) -> None:
    rows = tuple(FigureRow(row.label, None, reason="left out by only_methods") for row in ROWS)
    record = draw_figure(figure_plan(kind, rows=rows), write_results(tmp_path)).record
    assert record.reason == "none of its systems was run (left out by only_methods)."


@pytest.mark.parametrize("kind", ["picture_grid", "scatter", "quality_cost"])
def test_names_are_words_not_formulas(tmp_path: Path, kind: str) -> None:
    strange = "$\\frac{<b>&$ %_"
    rows = tuple(dataclasses.replace(row, label=row.label + strange) for row in ROWS)
    plan = figure_plan(
        kind, content="parameters", rows=rows, test_set_labels=(strange, f"two {strange}")
    )
    drawn = draw_figure(plan, write_results(tmp_path))
    assert drawn.record.status == "drawn"
    assert strange in drawn.record.alt
    if drawn.svg is not None:
        ElementTree.fromstring(drawn.svg)


def test_a_wrong_call_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--results", str(tmp_path), "--out-png", "f.png", "--out-json", "f.json"]
    call += ["--out-dark", "f_dark.svg"]
    with pytest.raises(SystemExit) as stopped:
        main(["--figure-json", figure_plan("scatter").canonical_json(), *call])
    assert stopped.value.code == 2
    assert "give --out-svg" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["--figure-json", "{}", *call])
    assert stopped.value.code == 1
    with pytest.raises(SystemExit):
        main(["--figure-json", figure_plan("scater").canonical_json(), *call])
    assert "scatter" in capsys.readouterr().err


def test_every_kind_has_a_module() -> None:
    assert set(PICTURE_KINDS).isdisjoint(PLOT_KINDS)
    for kind in KINDS:
        assert callable(figure_kind(kind).draw)


@pytest.mark.parametrize("change", [{"status": "perhaps"}, {"more": 1}, None])
def test_a_damaged_record_is_refused(tmp_path: Path, change: dict[str, object] | None) -> None:
    run(figure_plan(), write_results(tmp_path / "results"), tmp_path)
    path = tmp_path / "f.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text("{" if change is None else json.dumps({**content, **change}), encoding="utf-8")
    with pytest.raises(ResultFileError, match="delete it and run again"):
        FigureRecord.read(path)


PAPER = (10.82, 7.0)
"""Inches of a figure on a printed page at most; `print.css` has both."""


@pytest.mark.parametrize(
    ("kind", "systems"),
    [(kind, 0) for kind in KINDS if kind not in ("network_drawing", "picture_grid")]
    # Many systems make a wide figure, a single one a tall one.
    + [("picture_grid", count) for count in (1, 2, 4, 10)],
)
def test_no_word_of_a_figure_is_below_6_points_on_paper(
    kind: str, systems: int, tmp_path: Path
) -> None:
    tensors = kind in REPRESENTATION_KINDS
    write = fabricated_arrays.write_arrays if tensors else write_results
    write(tmp_path)
    content = {"quality_cost": "parameters", "heatmaps": "representation"}.get(kind, "")
    content = "injection" if kind == "feature_maps" else content
    rows = (ROWS * 5)[:systems] if systems else ROWS
    plan = fabricated_arrays.plan(kind, content) if tensors else figure_plan(
        kind, content=content, rows=rows
    )  # fmt: skip
    with house_style():
        figure = figure_kind(kind).draw(plan, tmp_path).figure
        figure.draw_without_rendering()
    wide, high = figure.get_size_inches()
    shrunk = min(1.0, PAPER[0] / wide, PAPER[1] / high)
    words = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert words
    smallest = min(text.get_fontsize() for text in words if text.get_visible())
    assert smallest * shrunk >= 6 - 1e-6
