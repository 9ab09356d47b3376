"""A browser, and a small page for it to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.build import build_page
from reports.figures.draw import draw_figure
from tests.reports import fabricated_results as made
from tests.reports.browser import CHROMIUM, Browser
from tests.reports.claims.test_claim_file import some_results
from tests.reports.fabricated_report import write_small_report
from tests.reports.fabricated_results import INPUT, NDR, NOISE, TRUTH
from tests.reports.figures.fabricated_figures import figure_plan, write_results


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests of a process."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the path")
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


def write_figure(folder: Path, **facts: object) -> Path:
    """Draw a figure of a small folder of results; returns its record."""
    results = folder if folder.is_dir() else write_results(folder)
    plan = figure_plan(**facts)
    drawn = draw_figure(plan, results)
    path = folder / f"{plan.name}.json"
    path.with_suffix(".png").write_bytes(drawn.png)
    if drawn.svg:
        path.with_suffix(".svg").write_bytes(drawn.svg)
    kind = "svg" if drawn.svg else "png"
    path.with_name(f"{plan.name}_dark.{kind}").write_bytes(drawn.dark)
    drawn.record.write(path)
    return path


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as a file, with its assets; both noise images have pictures."""
    folder = tmp_path_factory.mktemp("reports")
    report = write_small_report(tmp_path_factory.mktemp("pictured_report"))
    for run, grey in ((INPUT, 10), (NDR, 120), (TRUTH, 240)):
        made.write_picture(report.results, run, NOISE, "b", grey)
    figures = [
        write_figure(report.results.parent / "drawn", **facts)
        for facts in ({"title": "A grid"}, {"name": "figure_scatter", "kind": "scatter"})
    ]
    claims = folder / "claims.json"
    some_results().write(claims)
    page = folder / "all_tables.html"
    html = build_page(
        report.description,
        report.tables,
        report.results,
        report.parameter_counts,
        claims=claims,
        figures=figures,
        assets=folder / "assets",
    )
    page.write_text(html, encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def shown(browser: Browser, address: str) -> Browser:
    """The page, opened at the size of a desktop."""
    browser.view(1440, 900)
    browser.open("about:blank")
    browser.open(address)
    return browser
