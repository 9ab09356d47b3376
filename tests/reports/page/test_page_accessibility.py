"""Everybody can read the page: by axe-core, by the size of its words, with keys alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.reports.browser import Browser
from tests.reports.page.page_looks import NDR_CELL, small_words

pytestmark = pytest.mark.slow
AXE = (os.environ.get("AXE_CORE"), "node_modules/axe-core/axe.min.js")
VIEWS = [(width, dark) for width in (1440, 1024, 390) for dark in (False, True)]
SMALLEST = 13
"""Pixels of a line's letters."""


def axe() -> str | None:
    """The text of axe-core, which belongs to others and is not part of this project."""
    paths = [Path(path) for path in AXE if path and Path(path).is_file()]
    return paths[0].read_text(encoding="utf-8") if paths else None


def findings(page: Browser) -> list[tuple[Any, ...]]:
    """What axe-core finds."""
    found = page.run("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [(v["id"], v["impact"], [node["html"][:200] for node in v["nodes"]][:3]) for v in found]


@pytest.mark.skipif(axe() is None, reason="needs axe.min.js of axe-core, named by AXE_CORE")
@pytest.mark.parametrize(("width", "dark"), VIEWS)
def test_axe_finds_nothing(browser: Browser, address: str, width: int, dark: bool) -> None:
    browser.view(width, 900, dark=dark, touch=width < 500)
    browser.open("about:blank")
    browser.open(f"{address}?show=interval,paper,difference,images")
    browser.send("Page.setBypassCSP", enabled=True)
    browser.run(axe() or "")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert findings(browser) == []
    browser.send("Page.setBypassCSP", enabled=False)
    for opens in (NDR_CELL, ".picture-row .picture", "#figures .enlarge"):
        browser.click(opens)
        browser.settle()
        assert findings(browser) == []
        browser.press("Escape")


@pytest.mark.parametrize("width", [1440, 390])
def test_no_words_are_smaller_than_13_pixels(browser: Browser, address: str, width: int) -> None:
    browser.view(width, 900, touch=width < 500)
    browser.open("about:blank")
    browser.open(f"{address}?show=interval,paper,difference,images")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.run(small_words(SMALLEST)) == []
    browser.click(NDR_CELL)
    browser.settle()
    assert browser.run(small_words(SMALLEST)) == []


@pytest.mark.parametrize("width", [1440, 390])
def test_what_can_be_pressed_is_large_enough(browser: Browser, address: str, width: int) -> None:
    browser.view(width, 900, touch=width < 500)
    browser.open("about:blank")
    browser.open(address)
    # A picture that is not loaded yet has no height, nor has the button around it.
    browser.run(
        "Promise.all([...document.images].map(i => { i.loading = 'eager';"
        " return i.complete || new Promise(done => i.addEventListener('load', done)); }))"
    )
    small = browser.run(
        "[...document.querySelectorAll('button, summary, input')]"
        ".filter(e => e.getClientRects().length && !e.closest('[inert]'))"
        ".map(e => [e.closest('label') ?? e, e]).map(([e, own]) => [own.className || own.tagName,"
        " e.getBoundingClientRect().height]).filter(([, height]) => height < 23.9)"
    )
    assert small == []
