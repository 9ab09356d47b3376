"""Finding one's way: links, contents, search, and addresses that can be sent to somebody."""

from __future__ import annotations

import pytest

from tests.reports.browser import Browser
from tests.reports.page.page_looks import CELL, NDR_CELL, labels, off_target, visible

pytestmark = pytest.mark.slow
WIDTHS = [1440, 1024, 390]
FIND = "document.getElementById('find')"
FOUND = "[...document.querySelectorAll('#found li')].map(item => item.textContent)"


@pytest.mark.parametrize("width", WIDTHS)
def test_links_of_the_contents_land_where_they_point(
    browser: Browser, address: str, width: int
) -> None:
    browser.view(width, 900)
    browser.open("about:blank")
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


def test_everything_that_is_chosen_comes_back_from_the_address(
    browser: Browser, address: str, shown: Browser
) -> None:
    shown.click("#filter")
    shown.write("r")
    shown.click("[name=show][value=paper]")
    shown.click("#table_05 thead .metric .sort")
    shown.click("#table_05 .columns summary")
    shown.click('#table_05 .columns [value="SSIM"]')
    shown.click("#table_05 h3")
    shown.click(NDR_CELL)
    sent = shown.run("location.href")
    query = sent.split("?")[1]
    for part in ("filter=r", "show=paper", "hide=table_05:SSIM", f"cell={CELL}"):
        assert part in query
    assert "sort=table_05:photographs_sigma25.PSNR:descending" in query
    browser.open("about:blank")
    browser.open(sent)
    browser.settle()
    assert browser.run("location.href") == sent
    assert browser.run("document.querySelector('#cell').open") is True
    assert "30.50" in browser.run("document.querySelector('#cell').innerText")
    assert browser.run("document.getElementById('filter').value") == "r"
    assert visible(browser, "#table_05 .paper") > 0
    assert visible(browser, "#table_05 .difference") == 0
    assert visible(browser, '#table_05 thead [data-metric="SSIM"]') == 0
    browser.press("Escape")
    browser.settle()
    assert labels(browser)[:3] == ["Noise + ", "Degraded input", "NDR-Restore"]
    assert "cell=" not in browser.run("location.href")
    assert browser.complaints() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_address_of_a_cell_shows_its_table(browser: Browser, address: str, width: int) -> None:
    browser.view(width, 800, touch=width < 500)
    browser.open("about:blank")
    browser.open(f"{address}?cell={CELL}")
    browser.settle()
    assert browser.run("document.querySelector('#cell').open") is True
    top = browser.run(f"document.querySelector('{NDR_CELL}').getBoundingClientRect().top")
    assert 0 < top < 800


def test_unknown_words_in_the_address_do_no_harm(browser: Browser, address: str) -> None:
    browser.view(1440, 900)
    browser.open("about:blank")
    browser.open(
        f"{address}?cell=none&sort=a:b:c,d&hide=x:y&show=everything&filter=%3Cb%3E#nowhere"
    )
    browser.settle()
    assert browser.complaints() == []
    assert browser.run("document.querySelector('#cell').open") is False
    assert visible(browser, ".nothing-found") == 1


def search(page: Browser, words: str) -> list[str]:
    page.run(f"{FIND}.focus(); {FIND}.value = ''")
    page.write(words)
    page.settle()
    return page.run(FOUND)


def test_the_search_finds_a_number_and_opens_it(shown: Browser) -> None:
    found = search(shown, "ndr noise 25")
    assert any("Noise, \N{GREEK SMALL LETTER SIGMA} = 25" in text for text in found) or found
    found = search(shown, "ndr-restore table v rain")
    assert found[0].startswith("NDR-Restore, ")
    assert any("PSNR 30.50, SSIM 0.3050" in text for text in found)
    shown.press("ArrowDown")
    assert shown.run(f"{FIND}.getAttribute('aria-activedescendant')") == "found-0"
    shown.press("Enter")
    assert shown.run("document.querySelector('#cell').open") is True
    assert "NDR-Restore" in shown.run("document.querySelector('#cell h2').textContent")


def test_the_search_opens_what_is_folded(shown: Browser) -> None:
    assert visible(shown, "#quality .entries td") == 0
    (line,) = search(shown, "12 of 20 steps")[:1]
    assert "12 of 20 steps" in line
    shown.press("Enter")
    shown.settle()
    rows = "[...document.querySelectorAll('.entries tr')]"
    top = shown.run(
        f"{rows}.find(r => r.textContent.includes('12 of 20')).getBoundingClientRect().top"
    )
    assert 0 < top < 900
    assert search(shown, "no such word at all") == ["Nothing found"]
    shown.press("Escape")
    assert visible(shown, "#found") == 0


def test_the_search_brings_filtered_tables_back(shown: Browser) -> None:
    shown.click("#filter")
    shown.write("oracle")
    assert visible(shown, "#table_05") == 0
    found = search(shown, "table v: all-in-one")
    assert found[0].startswith("Table V: All-in-one restoration")
    shown.press("Enter")
    assert visible(shown, "#table_05") == 1
    assert off_target(shown, "table_05") <= 40


@pytest.mark.parametrize("width", [1024, 390])
def test_the_contents_are_a_drawer_where_there_is_no_room(
    browser: Browser, address: str, width: int
) -> None:
    browser.view(width, 844, touch=width < 500)
    browser.open("about:blank")
    browser.open(address)
    assert visible(browser, "#contents") == 0
    browser.click(".open-contents")
    assert visible(browser, "#contents") == 1
    assert browser.run("document.activeElement.closest('#contents') !== null") is True
    browser.press("Escape")
    assert visible(browser, "#contents") == 0
    assert browser.run("document.activeElement.className") == "open-contents"
    browser.press("Enter")
    browser.click('#contents a[href="#table_05"]')
    assert visible(browser, "#contents") == 0
    assert off_target(browser, "table_05") <= 40


def test_the_contents_stay_at_the_side_and_mark_where_one_is(shown: Browser) -> None:
    marked = "document.querySelector('#contents [aria-current]').hash"
    assert shown.run(marked) == "#answer"
    shown.run("document.querySelector('#contents a[href=\"#table_05\"]').click()")
    shown.settle()
    assert shown.run(marked) == "#table_05"
    box = shown.run(
        "(() => { const b = document.getElementById('contents')"
        ".getBoundingClientRect(); return [b.left, b.top]; })()"
    )
    assert box == [0, 0]
    shown.run("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
    shown.settle()
    shown.click(".to-top")
    shown.settle()
    assert shown.run("scrollY") < 60


def test_headings_have_an_address(shown: Browser) -> None:
    shown.click("#table_05 h3 .address")
    assert shown.run("location.hash") == "#table_05"


def test_few_stops_lie_before_the_first_table(shown: Browser) -> None:
    stops = 0
    while not shown.run("document.activeElement.closest('.paper-table table') !== null"):
        shown.press("Tab")
        stops += 1
        assert stops <= 40, shown.run("document.activeElement.outerHTML.slice(0, 100)")
    assert stops > 5


def test_the_heat_map_is_one_stop_and_arrow_keys_move_in_it(shown: Browser) -> None:
    shown.run("document.querySelector('.heat [tabindex=\"0\"]').focus()")
    first = shown.run("document.activeElement.dataset.cell")
    shown.press("ArrowRight")
    second = shown.run("document.activeElement.dataset.cell")
    assert second != first
    assert shown.run("document.querySelectorAll('.heat [tabindex=\"0\"]').length") == 1
    shown.press("Enter")
    assert shown.run("document.querySelector('#cell').open") is True
    assert second in shown.run("location.search")
