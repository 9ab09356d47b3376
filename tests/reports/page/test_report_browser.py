"""What a real browser does with the page: it asks no host for anything, and everything works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.build import build_page
from tests.reports import fabricated_results as made
from tests.reports.browser import CHROMIUM, Browser
from tests.reports.fabricated_report import write_small_report
from tests.reports.fabricated_results import INPUT, NDR, NOISE, TRUTH

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path"),
    pytest.mark.slow,
]
LOADING = """<style>@import url(http://host.invalid/a.css);</style>
<div style="background: url(https://host.invalid/b.png)">x</div>
<img src="http://host.invalid/c.png" alt="">
<script>fetch("https://host.invalid/d").catch(() => 0)</script>"""
AXE = (os.environ.get("AXE_CORE"), "node_modules/axe-core/axe.min.js")
VIEWS = [(1440, False), (1440, True), (390, False), (390, True)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as a file, with full crops of both noise images beside it."""
    folder = tmp_path_factory.mktemp("reports")
    report = write_small_report(tmp_path_factory.mktemp("pictured_report"))
    for run, grey in ((INPUT, 10), (NDR, 120), (TRUTH, 240)):
        made.write_picture(report.results, run, NOISE, "b", grey)
    page = folder / "all_tables.html"
    page.write_text(
        build_page(
            report.description,
            report.tables,
            report.results,
            report.parameter_counts,
            assets=folder / "assets",
        ),
        encoding="utf-8",
    )
    return page.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Browser:
    browser.view(1440, 900)
    browser.open(address)
    return browser


def ndr_cell(page: Browser) -> str:
    """Selector of NDR-Restore's PSNR on noise."""
    cell = page.run(
        "[...document.querySelectorAll('#table_05 tbody tr')]"
        ".find(row => row.textContent.includes('NDR-Restore'))"
        ".querySelector('button.value').dataset.cell"
    )
    return f'[data-cell="{cell}"]'


def labels(page: Browser, block: int = 0) -> list[str]:
    """Methods of a block that can be seen, from top to bottom, each by a letter."""
    found = page.run(
        f"[...document.querySelectorAll('#table_05 tbody')[{block}].rows]"
        ".filter(row => row.getClientRects().length)"
        ".map(row => row.cells[0].textContent.trim())"
    )
    names = ("Degraded input", "AirNet", "NDR-Restore", "script", "Noise + ")
    return [next(name for name in names if name in label) for label in found]


def test_the_page_makes_no_request_and_no_complaint(page: Browser) -> None:
    page.settle()
    assert page.requested() == []
    assert page.complaints() == []


def test_a_request_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    html = tmp_path / "loading.html"
    html.write_text(f"<!DOCTYPE html><title>x</title>{LOADING}", encoding="utf-8")
    browser.open(html.as_uri())
    assert browser.requested() == [
        "http://host.invalid/a.css",
        "http://host.invalid/c.png",
        "https://host.invalid/b.png",
        "https://host.invalid/d",
    ]
    assert browser.complaints()


def test_the_pages_policy_stops_what_would_be_slipped_in(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    text = Path(address.removeprefix("file://")).read_text(encoding="utf-8")
    html = tmp_path / "all_tables.html"
    html.write_text(text.replace("</main>", f"{LOADING}</main>"), encoding="utf-8")
    browser.open(html.as_uri())
    assert browser.requested() == []
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def off_target(page: Browser, anchor: str) -> float:
    """Pixels between the top of the window and what a link points at, once nothing moves.

    What stands too near the end of the page cannot come to the top: then how far the page is from
    its end.
    """
    page.settle()
    return page.run(
        f"""(async () => {{
          for (let last = -1, still = 0; still < 10;) {{
            await new Promise(requestAnimationFrame);
            still = scrollY === last ? still + 1 : 0;
            last = scrollY;
          }}
          const away = document.getElementById({anchor!r}).getBoundingClientRect().top;
          const left = document.documentElement.scrollHeight - innerHeight - scrollY;
          return Math.min(Math.abs(away), Math.abs(left));
        }})()"""
    )


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_links_of_the_contents_land_where_they_point(
    browser: Browser, address: str, width: int
) -> None:
    browser.view(width, 900)
    browser.open(address)
    links = browser.run(
        "[...document.querySelectorAll('nav.contents a')].map(a => a.hash.slice(1))"
    )
    assert len(links) > 10
    missed = {}
    for anchor in links:
        browser.open("about:blank")
        browser.open(f"{address}#{anchor}")
        opened = off_target(browser, anchor)
        browser.open("about:blank")
        browser.open(address)
        browser.run(f"document.querySelector('nav.contents a[href=\"#{anchor}\"]').click()")
        clicked = off_target(browser, anchor)
        if max(opened, clicked) > 40:
            missed[anchor] = (opened, clicked)
    assert not missed


def test_a_click_on_a_head_sorts_inside_the_block(page: Browser) -> None:
    first = labels(page)
    assert first == ["Noise + ", "Degraded input", "script", "AirNet", "NDR-Restore"]
    head = "#table_05 thead .metric .sort"
    state = "document.querySelector('#table_05 thead .metric').getAttribute('aria-sort')"
    page.click(head)
    assert page.run(state) == "descending"
    # AirNet has no number of ours: it goes below, whichever way the others are sorted.
    assert labels(page) == ["Noise + ", "Degraded input", "NDR-Restore", "script", "AirNet"]
    assert "descending by PSNR" in page.run("document.querySelector('.filter-status').textContent")
    page.press("Enter")
    assert page.run(state) == "ascending"
    assert labels(page) == ["Noise + ", "Degraded input", "script", "NDR-Restore", "AirNet"]
    page.press("Enter")
    assert page.run(state) is None
    assert labels(page) == first
    page.click("#table_05 thead .corner .sort")
    assert labels(page) == ["Noise + ", "Degraded input", "script", "AirNet", "NDR-Restore"]
    page.click("#table_05 .unsorted")
    assert labels(page) == first


def test_methods_are_filtered_by_name_and_by_having_a_number(page: Browser) -> None:
    status = "document.querySelector('.filter-status').textContent"
    assert page.run(status) == "5 rows in 2 tables"
    page.click("#filter")
    page.write("ndr-REST")
    assert labels(page) == ["Noise + ", "Degraded input", "NDR-Restore"]
    assert page.run(status) == "2 of 5 rows shown"
    page.run("document.getElementById('filter').value = ''")
    page.write("nobody")
    assert labels(page) == []
    page.run("document.getElementById('filter').value = ''")
    page.write("r")
    page.click("#table_05 .measured-only")
    assert labels(page) == ["Noise + ", "Degraded input", "script", "NDR-Restore"]
    assert labels(page, 1) == []  # not run
    count = page.run("document.querySelector('#table_05 .row-count').textContent")
    assert count == "2 of 4 rows"


def test_a_cell_opens_its_panel_and_escape_leads_back(page: Browser) -> None:
    cell = ndr_cell(page)
    page.click(cell)
    text = page.run("document.querySelector('#cell').innerText")
    assert "NDR-Restore" in text.splitlines()[0]
    for part in ("30.50", "Worst, median and best of the 2 images kept of 2", "not reported"):
        assert part in text
    assert "torch 2.14.1" in text
    assert f"snakemake --cores all {NDR} --config tier=quick" in text
    assert f"python -m reports.explain table_05 {NDR} {NOISE} --tier quick" in text
    drawing = "document.querySelector('#cell .histogram')"
    assert page.run(f"{drawing}.getAttribute('aria-label')") == (
        "PSNR of 2 images, from 30.00 to 31.00 dB, mean 30.50 dB"
    )
    assert page.run(f"{drawing}.querySelectorAll('.bar').length") == 2
    page.press("Escape")
    assert page.run("document.querySelector('#cell').open") is False
    assert page.run(f"document.activeElement.matches('{cell}')") is True
    page.press("Enter")
    assert page.run("document.querySelector('#cell').open") is True
    page.click("#cell [data-close]")
    assert page.run("document.querySelector('#cell').open") is False
    assert page.complaints() == []


def test_a_cell_without_a_number_says_why(page: Browser) -> None:
    page.click("#table_05 button.problem")
    text = page.run("document.querySelector('#cell').innerText")
    assert "is not there" in text
    assert "Redo" in text


def cut(page: Browser) -> float:
    """Where the divider stands, in percent."""
    style = "document.querySelector('.compare-stage').style.getPropertyValue('--cut')"
    return float(page.run(style).removesuffix("%"))


def test_the_divider_moves_by_key_by_mouse_and_by_touch(page: Browser) -> None:
    page.click(ndr_cell(page))
    assert cut(page) == 50
    page.run("document.querySelector('.compare-range').focus()")
    page.press("ArrowRight", times=5)
    assert cut(page) == 55
    page.press("Home")
    assert cut(page) == 0
    clip = "getComputedStyle(document.querySelector('.compare-stage .over')).clipPath"
    assert page.run(clip) == "inset(0px 100% 0px 0px)"
    page.click(".compare-view", across=0.25)
    assert cut(page) == pytest.approx(25, abs=1)
    page.view(390, 844, touch=True)
    page.touch(".compare-view", 0.25, 0.8)
    assert cut(page) == pytest.approx(80, abs=2)
    page.touch(".compare-range", 0.8, 0.3)
    assert cut(page) == pytest.approx(30, abs=4)


def test_the_comparison_shows_full_crops_of_the_chosen_image(page: Browser) -> None:
    page.click(ndr_cell(page))
    page.settle()
    sources = "[...document.querySelectorAll('.compare-stage img')].map(i => i.getAttribute('src'))"
    worst = page.run(sources)
    assert all(source.startswith("assets/") for source in worst)
    sizes = "[...document.querySelectorAll('.compare-stage img')].map(i => i.naturalWidth)"
    assert page.run(sizes) == [600, 600]
    page.click(".card:last-child input")
    assert set(page.run(sources)).isdisjoint(worst)
    chosen = page.run("document.querySelector('.card:has(:checked)').innerText")
    assert chosen.split()[:3] == ["best", "31.00", "dB"]
    page.click('[data-zoom="4"]')
    widths = "[document.querySelector('.compare-stage'), document.querySelector('.compare-view')]"
    stage, view = page.run(f"{widths}.map(e => e.getBoundingClientRect().width)")
    assert stage == pytest.approx(4 * view, rel=0.05)
    page.run("document.querySelector('.compare-view').focus()")
    page.press("-")
    assert page.run("document.querySelector('[data-zoom=\"2\"]').ariaPressed") == "true"
    assert page.complaints() == []


def test_a_page_without_its_folder_shows_thumbnails(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    html = tmp_path / "alone.html"
    html.write_bytes(Path(address.removeprefix("file://")).read_bytes())
    browser.view(1440, 900)
    browser.open(html.as_uri())
    browser.click(ndr_cell(browser))
    browser.settle()
    sizes = "[...document.querySelectorAll('.compare-stage img')].map(i => i.naturalWidth)"
    assert browser.run(sizes) == [96, 96]


def test_pictures_are_enlarged_and_changed(page: Browser) -> None:
    page.click(".picture-row .picture")
    assert page.run("document.querySelector('#enlarged').open") is True
    position = "document.querySelector('#enlarged .position').textContent"
    assert page.run(position) == "1 of 4"
    page.click('#enlarged [data-step="1"]')
    assert page.run(position) == "2 of 4"
    assert page.run("document.querySelectorAll('#enlarged .compare-stage img').length") == 2
    page.press("Escape")
    assert page.run("document.querySelector('#enlarged').open") is False


def test_colours_follow_the_system_until_the_button_is_pressed(
    browser: Browser, address: str
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, light = "rgb(18, 20, 23)", "rgb(250, 249, 246)"
    browser.view(1440, 900, dark=True)
    browser.open(address)
    assert browser.run(ground) == dark
    browser.click(".theme")
    assert browser.run(ground) == light
    assert browser.run("document.querySelector('.theme').textContent") == "Dark colours"
    browser.open(address)
    assert browser.run(ground) == light  # remembered
    browser.run("localStorage.clear()")
    browser.open(address)
    assert browser.run(ground) == dark


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_page_itself_never_scrolls_sideways(browser: Browser, address: str, width: int) -> None:
    browser.view(width, 844, touch=width < 500)
    browser.open(address)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_heads_and_first_column_stay_in_sight(browser: Browser, address: str) -> None:
    browser.view(390, 600, touch=True)
    browser.open(address)
    place = (
        "(() => { const region = document.querySelector('#table_05 .table-region');"
        " region.scrollIntoView({block: 'start', behavior: 'instant'}); region.scrollTo(80, 60);"
        " const box = region.getBoundingClientRect();"
        " const head = region.querySelector('.corner').getBoundingClientRect();"
        " const row = region.querySelector('tbody tr:last-child th').getBoundingClientRect();"
        " return [region.scrollLeft, head.left - box.left, head.top - box.top,"
        " row.left - box.left]; })()"
    )
    scrolled, head_left, head_top, row_left = browser.run(place)
    assert scrolled == 80
    assert (head_left, row_left) == (0, 0)
    assert head_top == pytest.approx(2, abs=1)  # the rule above the head


def test_the_page_prints(page: Browser) -> None:
    page.run("document.documentElement.dataset.theme = 'dark'")
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 2
    page.send("Emulation.setEmulatedMedia", media="print")
    seen = page.run(
        "['.theme', '.filter', '.table-tools', '.skip'].map(s =>"
        " document.querySelector(s).getClientRects().length)"
    )
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    page.send("Emulation.setEmulatedMedia", media="")
    assert seen == [0, 0, 0, 0]
    assert ground == "rgb(255, 255, 255)"  # paper is white, whatever the screen's colours


def test_without_scripts_the_tables_are_there(browser: Browser, address: str) -> None:
    browser.view(1440, 900)
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(address)
        # Not innerText: it leaves out what the browser has not yet drawn because it is off screen.
        text = browser.run(
            "[...document.querySelectorAll('#table_05 .value')]"
            ".filter((e) => e.checkVisibility()).map((e) => e.textContent).join(' ')"
        )
        shown = browser.run("document.querySelector('.filter').getClientRects().length")
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert "30.50" in text
    assert shown == 0


def test_the_page_opens_fast_and_answers_a_click(page: Browser) -> None:
    page.settle()
    assert page.processor_milliseconds() < 1000
    selector = ndr_cell(page)
    answers = []
    for _ in range(3):
        before = page.processor_milliseconds()
        page.run(f"document.querySelector('{selector}').click()")
        page.settle()
        answers.append(page.processor_milliseconds() - before)
        page.press("Escape")
    assert min(answers) < 100


def axe() -> str | None:
    """The text of axe-core, which belongs to others and is not part of this project."""
    paths = [Path(path) for path in AXE if path and Path(path).is_file()]
    return paths[0].read_text(encoding="utf-8") if paths else None


def serious(page: Browser) -> list[tuple[Any, ...]]:
    """Findings of axe-core that keep somebody from reading the page."""
    found = page.run("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [
        (v["id"], v["impact"], [node["html"][:200] for node in v["nodes"]][:3])
        for v in found
        if v["impact"] in {"serious", "critical"}
    ]


@pytest.mark.skipif(axe() is None, reason="needs axe.min.js of axe-core, named by AXE_CORE")
@pytest.mark.parametrize(("width", "dark"), VIEWS)
def test_axe_finds_nothing_serious(browser: Browser, address: str, width: int, dark: bool) -> None:
    browser.view(width, 900, dark=dark, touch=width < 500)
    browser.open(address)
    browser.send("Page.setBypassCSP", enabled=True)
    browser.run(axe() or "")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert serious(browser) == []
    browser.click(ndr_cell(browser))
    browser.settle()
    assert serious(browser) == []
    browser.press("Escape")
    browser.click(".picture-row .picture")
    browser.settle()
    assert serious(browser) == []
