"""What a real browser does with the page: it asks no host for anything, and everything works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.browser import Browser
from tests.reports.fabricated_results import NDR, NOISE
from tests.reports.page.page_looks import NDR_CELL, small_words

pytestmark = pytest.mark.slow
LOADING = """<style>@import url(http://host.invalid/a.css);</style>
<div style="background: url(https://host.invalid/b.png)">x</div>
<img src="http://host.invalid/c.png" alt="">
<script>fetch("https://host.invalid/d").catch(() => 0)</script>"""


def test_the_page_makes_no_request_and_no_complaint(shown: Browser) -> None:
    shown.settle()
    assert shown.requested() == []
    assert shown.complaints() == []


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


def test_a_cell_opens_its_panel_and_escape_leads_back(shown: Browser) -> None:
    shown.click(NDR_CELL)
    text = shown.run("document.querySelector('#cell').innerText")
    assert "NDR-Restore" in text.splitlines()[0]
    for part in ("30.50", "Worst, median and best of the 2 images kept of 2", "not reported"):
        assert part in text
    assert "torch 2.14.1" in text
    assert f"snakemake --cores all {NDR} --config tier=quick" in text
    assert f"python -m reports.explain table_05 {NDR} {NOISE} --tier quick" in text
    drawing = "document.querySelector('#cell .histogram')"
    assert shown.run(f"{drawing}.getAttribute('aria-label')") == (
        "PSNR of 2 images, from 30.00 to 31.00 dB, mean 30.50 dB"
    )
    assert shown.run(f"{drawing}.querySelectorAll('.bar').length") == 2
    shown.press("Escape")
    assert shown.run("document.querySelector('#cell').open") is False
    assert shown.run(f"document.activeElement.matches('{NDR_CELL}')") is True
    shown.press("Enter")
    assert shown.run("document.querySelector('#cell').open") is True
    shown.click("#cell [data-close]")
    assert shown.run("document.querySelector('#cell').open") is False
    assert shown.complaints() == []


def test_a_cell_without_a_number_says_why(shown: Browser) -> None:
    shown.click("#table_05 button.problem")
    text = shown.run("document.querySelector('#cell').innerText")
    assert "is not there" in text
    assert "Redo" in text


def cut(shown: Browser) -> float:
    """Where the divider stands, in percent."""
    style = "document.querySelector('.compare-stage').style.getPropertyValue('--cut')"
    return float(shown.run(style).removesuffix("%"))


def test_the_divider_moves_by_key_by_mouse_and_by_touch(shown: Browser) -> None:
    shown.click(NDR_CELL)
    assert cut(shown) == 50
    shown.run("document.querySelector('.compare-range').focus()")
    shown.press("ArrowRight", times=5)
    assert cut(shown) == 55
    shown.press("Home")
    assert cut(shown) == 0
    clip = "getComputedStyle(document.querySelector('.compare-stage .over')).clipPath"
    assert shown.run(clip) == "inset(0px 100% 0px 0px)"
    shown.click(".compare-view", across=0.25)
    assert cut(shown) == pytest.approx(25, abs=1)
    shown.view(390, 844, touch=True)
    shown.touch(".compare-view", 0.25, 0.8)
    assert cut(shown) == pytest.approx(80, abs=2)
    shown.touch(".compare-range", 0.8, 0.3)
    assert cut(shown) == pytest.approx(30, abs=4)


def test_the_comparison_shows_full_crops_of_the_chosen_image(shown: Browser) -> None:
    shown.click(NDR_CELL)
    shown.settle()
    sources = "[...document.querySelectorAll('.compare-stage img')].map(i => i.getAttribute('src'))"
    worst = shown.run(sources)
    assert all(source.startswith("assets/pictures/") for source in worst)
    sizes = "[...document.querySelectorAll('.compare-stage img')].map(i => i.naturalWidth)"
    assert shown.run(sizes) == [600, 600]
    shown.click(".card:last-child input")
    assert set(shown.run(sources)).isdisjoint(worst)
    chosen = shown.run("document.querySelector('.card:has(:checked)').innerText")
    assert chosen.split()[:3] == ["best", "31.00", "dB"]
    shown.click('[data-zoom="4"]')
    widths = "[document.querySelector('.compare-stage'), document.querySelector('.compare-view')]"
    stage, view = shown.run(f"{widths}.map(e => e.getBoundingClientRect().width)")
    assert stage == pytest.approx(4 * view, rel=0.05)
    shown.run("document.querySelector('.compare-view').focus()")
    shown.press("-")
    assert shown.run("document.querySelector('[data-zoom=\"2\"]').ariaPressed") == "true"
    assert shown.complaints() == []


def test_pictures_are_enlarged_and_changed(shown: Browser) -> None:
    shown.click(".picture-row .picture")
    assert shown.run("document.querySelector('#enlarged').open") is True
    position = "document.querySelector('#enlarged .position').textContent"
    assert shown.run(position) == "1 of 4"
    shown.click('#enlarged [data-step="1"]')
    assert shown.run(position) == "2 of 4"
    assert shown.run("document.querySelectorAll('#enlarged .compare-stage img').length") == 2
    shown.press("Escape")
    assert shown.run("document.querySelector('#enlarged').open") is False


def test_the_first_screen_compares_input_and_output_at_full_size(shown: Browser) -> None:
    shown.click(".compare-three")
    names = "document.querySelector('#enlarged .compare-names').innerText"
    assert shown.run(names).split("\n") == ["Degraded input", "NDR-Restore"]
    shown.click('#enlarged [data-step="1"]')
    assert shown.run(names).split("\n") == ["Degraded input", "Ground truth"]


def test_figures_are_enlarged_by_click_and_by_key(shown: Browser) -> None:
    sizes = "document.querySelector('#enlarged .whole-figure img').naturalWidth"
    shown.click("#figures .enlarge")
    assert shown.run("document.querySelector('#enlarged').open") is True
    shown.settle()
    assert shown.run(sizes) > 300
    title = "document.querySelector('#enlarged h2').textContent"
    first = shown.run(title)
    shown.click('#enlarged [data-step="1"]')
    assert shown.run(title) != first
    shown.press("Escape")
    shown.run("document.querySelector('#figures .enlarge').focus()")
    shown.press("Enter")
    assert shown.run(title) == first
    assert shown.complaints() == []


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
    assert browser.run("document.querySelector('.theme .words').textContent") == "Dark colours"
    browser.open(address)
    assert browser.run(ground) == light  # remembered
    browser.run("localStorage.clear()")
    browser.open(address)
    assert browser.run(ground) == dark


GROUNDS = (
    "[...document.querySelectorAll('#figures .enlarge img')].filter(i => i.checkVisibility())"
    ".map(i => i.getAttribute('src').includes('_dark.'))"
)
LOADED = "[...document.images].filter(i => i.closest('#figures') && i.complete && i.naturalWidth)"


def test_figures_are_drawn_for_the_ground_that_is_shown(browser: Browser, address: str) -> None:
    for dark in (False, True):
        browser.view(1440, 900, dark=dark)
        browser.open("about:blank")
        browser.open(address)
        assert browser.run(GROUNDS) == [dark] * 2
        browser.click("#figures .enlarge")
        enlarged = "document.querySelector('#enlarged .whole-figure img').getAttribute('src')"
        assert ("_dark." in browser.run(enlarged)) == dark
        browser.press("Escape")
        browser.click(".theme")
        assert browser.run(GROUNDS) == [not dark] * 2
        browser.run("localStorage.clear()")
    browser.view(1440, 900, dark=True)
    browser.open("about:blank")
    browser.open(address)
    browser.pdf()
    assert browser.run(f"{LOADED}.filter(i => !i.src.includes('_dark.')).length") == 2
    browser.send("Emulation.setEmulatedMedia", media="print")
    on_paper = browser.run(GROUNDS)
    browser.send("Emulation.setEmulatedMedia", media="")
    assert on_paper == [False] * 2


def test_without_scripts_figures_follow_the_system(browser: Browser, address: str) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for dark in (False, True):
            browser.view(1440, 900, dark=dark)
            browser.open("about:blank")
            browser.open(address)
            assert browser.run(GROUNDS) == [dark] * 2
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


def test_the_page_prints(shown: Browser) -> None:
    shown.run("document.documentElement.dataset.theme = 'dark'")
    printed = shown.pdf()
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 2
    # Figures of pictures stay as small as they are: unpacked they would be ten times as large.
    drawn = (
        "new Set([...document.images].map(i => i.src).filter(s => /figures.*[^k]\\.jpg/.test(s)))"
    )
    assert printed.count(b"/DCTDecode") >= shown.run(f"{drawn}.size") > 0
    shown.send("Emulation.setEmulatedMedia", media="print")
    seen = shown.run(
        "['.theme', '.filter', '.table-tools', '.skip'].map(s =>"
        " document.querySelector(s).getClientRects().length)"
    )
    ground = shown.run("getComputedStyle(document.body).backgroundColor")
    shown.send("Emulation.setEmulatedMedia", media="")
    assert seen == [0, 0, 0, 0]
    assert ground == "rgb(255, 255, 255)"  # paper is white, whatever the screen's colours


SHEET = int((297 - 2 * 11) / 25.4 * 96)
"""Pixels of a line of text on A4, landscape, inside its margins."""


def test_no_word_on_paper_is_below_6_points(browser: Browser, address: str) -> None:
    """At the width of the sheet: what is wider would be printed smaller."""
    browser.view(SHEET, 1000)
    browser.open("about:blank")
    browser.open(f"{address}?show=interval,paper,difference,images")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.send("Emulation.setEmulatedMedia", media="print")
    small = browser.run(small_words(6 * 96 / 72))
    width = browser.run("document.documentElement.scrollWidth")
    browser.send("Emulation.setEmulatedMedia", media="")
    assert small == []
    assert width <= SHEET


def test_the_page_opens_fast_and_answers_a_click(shown: Browser) -> None:
    shown.settle()
    assert shown.processor_milliseconds() < 1000
    answers = []
    for _ in range(3):
        before = shown.processor_milliseconds()
        shown.run(f"document.querySelector('{NDR_CELL}').click()")
        shown.settle()
        answers.append(shown.processor_milliseconds() - before)
        shown.press("Escape")
    assert min(answers) < 100
