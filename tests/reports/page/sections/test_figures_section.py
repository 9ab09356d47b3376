"""The page's figures: pictures and plots beside it, files to take along, and reasons."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.specs.report_description import ReportDescription
from reports.build import environment
from reports.figures.draw import main
from reports.page.assets import Assets
from reports.page.sections.figures import WIDTH, PageFigure, figures_section
from tests.reports.figures.fabricated_figures import ROWS, figure_plan, write_results

DESCRIPTION = ReportDescription(
    tier="quick", tier_note="", comparable_with_paper=False, attributions=(), input_runs=(),
    truth_runs=(), balance="", weights=(),
)  # fmt: skip


def draw(folder: Path, results: Path, **facts: object) -> Path:
    plan = figure_plan(**facts)
    stem = folder / plan.name
    options = ["--out-dark", f"{stem}_dark.{'svg' if plan.has_svg else 'png'}"]
    options += ["--out-svg", f"{stem}.svg"] if plan.has_svg else []
    call = ["--figure-json", plan.canonical_json(), "--results", str(results)]
    main([*call, "--out-png", f"{stem}.png", "--out-json", f"{stem}.json", *options])
    return Path(f"{stem}.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with three figures, one of which is not drawn."""
    root = tmp_path_factory.mktemp("project")
    results = write_results(root / "results" / "quick")
    folder = results / "figures"
    draw(
        folder, results, kind="scatter", name="figure_scatter", label="Image by image", paper=False
    )
    draw(folder, results, title="Noise, sigma = 25 & <haze>")
    draw(folder, results, kind="scatter", name="figure_08", rows=ROWS[:1])
    return root


def section_of(root: Path, *, one_file: bool = False) -> list[PageFigure]:
    folder = root / "results" / "quick" / "figures"
    records = [folder / f"{name}.json" for name in ("figure_scatter", "figure_07", "figure_08")]
    assets = Assets(None if one_file else root / "reports" / "assets")
    figures, problems = figures_section(records, assets)
    assert problems == []
    return figures


def render(figures: list[PageFigure]) -> str:
    template = environment().get_template("_figures.html.j2")
    return template.render(figures=figures, description=DESCRIPTION, protocol="ndr")


def test_the_papers_figures_come_first(made: Path) -> None:
    figures = section_of(made)
    assert [f.record.name for f in figures] == ["figure_07", "figure_08", "figure_scatter"]
    assert [bool(f.reason) for f in figures] == [False, True, False]


def content_of(root: Path, address: str) -> bytes:
    """What an address of the page holds, which lies in the page's own folder or in the address."""
    if address.startswith("data:"):
        return base64.b64decode(address.split(",", 1)[1])
    path = (root / "reports" / address).resolve()
    assert path.is_relative_to(root / "reports")
    return path.read_bytes()


@pytest.mark.parametrize("one_file", [False, True])
def test_pictures_are_jpeg_and_plots_are_svg(made: Path, one_file: bool) -> None:
    grid, _, plot = section_of(made, one_file=one_file)
    kinds = ("data:image/jpeg;", "data:image/svg") if one_file else (".jpg", ".svg")
    assert kinds[0] in grid.picture.address
    assert kinds[1] in plot.picture.address
    with Image.open(io.BytesIO(content_of(made, grid.picture.address))) as shown:
        assert shown.size == (grid.picture.width, grid.picture.height)
        small = np.asarray(shown.convert("RGB").resize((40, 30)), float)
    with Image.open(made / "results" / "quick" / "figures" / "figure_07.png") as full:
        whole = np.asarray(full.convert("RGB").resize((40, 30)), float)
    assert np.abs(small - whole).mean() < 3
    folder = made / "results" / "quick" / "figures"
    for address, name in ((plot.picture.address, ""), (plot.dark, "_dark")):
        svg = folder / f"figure_scatter{name}.svg"
        assert content_of(made, address) == svg.read_bytes()
    with Image.open(io.BytesIO(content_of(made, grid.dark))) as dark:
        assert dark.size == (grid.picture.width, grid.picture.height)
        assert max(dark.convert("RGB").getpixel((1, 1))) < 40


def test_the_files_lie_below_the_pages_folder(made: Path) -> None:
    grid, _, plot = section_of(made)
    assert (grid.png, grid.svg) == ("assets/figures/figure_07.png", "")
    assert plot.svg == "assets/figures/figure_scatter.svg"
    html = render([grid, plot])
    for link in (grid.png, plot.png, plot.svg):
        assert f'href="{link}"' in html
        content = (made / "results" / "quick" / "figures" / Path(link).name).read_bytes()
        assert content_of(made, link) == content
    assert "href" not in render(section_of(made, one_file=True)).replace('href="#', "")


def test_the_page_shows_captions_alt_texts_and_reasons(made: Path) -> None:
    html = render(section_of(made))
    assert "Figure 7: Noise, \N{GREEK SMALL LETTER SIGMA} = 25 &amp; &lt;haze&gt;" in html
    assert html.count("<img") == html.count('alt="') == 2 * 2  # for light and for dark ground
    assert "NDR-Restore 31.00 / 0.3100" in html
    assert '<p class="problem">Not drawn: NDR-Restore was not run.</p>' in html
    assert "2 of 3 figures" in html


def test_what_several_figures_share_is_said_once(made: Path, tmp_path: Path) -> None:
    results = made / "results" / "quick"
    grids = [draw(tmp_path, results, name=name, label=name) for name in ("one", "two", "three")]
    other = draw(tmp_path, results, name="four", label="four", protocol="airnet",
                 protocol_description="on 255 levels")  # fmt: skip
    plots = [draw(tmp_path, results, name="cost", kind="quality_cost", content="parameters")]
    html = render(figures_section([*grids, other, *plots], Assets(None))[0])
    assert html.count("framed square") == 1
    assert "<b>one, two, three, four</b>: The framed square" in html
    assert html.count("Upright lines") == 1  # of one figure alone: in its caption
    assert "Upright lines" not in html.split("</ul>")[0]
    assert html.count("Protocol <code>airnet</code>: on 255 levels.") == 1
    assert html.count("protocol <code>ndr</code>") == 1
    assert html.count("tier quick") == 1


def test_without_figures_the_section_says_so() -> None:
    assert "No figure was asked for" in render([])


def test_wide_pictures_are_reduced(made: Path, tmp_path: Path) -> None:
    rows = ROWS * 5
    path = draw(tmp_path, made / "results" / "quick", rows=rows)
    (figure,), _ = figures_section([path], Assets(None))
    assert json.loads(path.read_text())["width"] > WIDTH
    assert figure.picture.width == WIDTH


@pytest.mark.parametrize("name", ["figure_07.png", "figure_07_dark.png"])
@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_file_that_is_not_the_recorded_one_is_not_shown(
    made: Path, tmp_path: Path, harm: str, name: str
) -> None:
    folder = Path(shutil.copytree(made / "results" / "quick" / "figures", tmp_path / "figures"))
    picture = folder / name
    if harm == "gone":
        picture.unlink()
    else:
        Image.new("RGB", (9, 9)).save(picture)
    (figure,), _ = figures_section([folder / "figure_07.json"], Assets(None))
    assert figure.picture.address == ""
    assert name in figure.reason
