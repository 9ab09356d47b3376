"""The tables in a browser: sorted, filtered, switched, with hidden columns, in any window."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reports.browser import Browser
from tests.reports.page.page_looks import NDR_CELL, labels, visible

pytestmark = pytest.mark.slow
ALL = ["Noise + ", "Degraded input", "script", "AirNet", "NDR-Restore"]
STATUS = "document.querySelector('.filter-status').textContent"


def test_a_click_on_a_head_sorts_inside_the_block(shown: Browser) -> None:
    assert labels(shown) == ALL
    head = "#table_05 thead .metric .sort"
    state = "document.querySelector('#table_05 thead .metric').getAttribute('aria-sort')"
    shown.click(head)
    assert shown.run(state) == "descending"
    # AirNet has no number of ours: it goes below, whichever way the others are sorted.
    assert labels(shown) == ["Noise + ", "Degraded input", "NDR-Restore", "script", "AirNet"]
    assert "descending by PSNR" in shown.run(STATUS)
    shown.press("Enter")
    assert shown.run(state) == "ascending"
    assert labels(shown) == ["Noise + ", "Degraded input", "script", "NDR-Restore", "AirNet"]
    shown.press("Enter")
    assert shown.run(state) is None
    assert labels(shown) == ALL
    shown.click("#table_05 thead .corner .sort")
    assert labels(shown) == ["Noise + ", "Degraded input", "script", "AirNet", "NDR-Restore"]
    shown.click("#table_05 .unsorted")
    assert labels(shown) == ALL


def test_methods_are_filtered_by_name_and_by_having_a_number(shown: Browser) -> None:
    assert shown.run(STATUS) == "5 rows in 2 tables"
    shown.click("#filter")
    shown.write("ndr-REST")
    assert labels(shown) == ["Noise + ", "Degraded input", "NDR-Restore"]
    assert shown.run(STATUS) == "2 of 5 rows shown"
    shown.run("document.getElementById('filter').value = ''")
    shown.write("r")
    shown.click("[name=measured]")
    assert labels(shown) == ["Noise + ", "Degraded input", "script", "NDR-Restore"]
    assert labels(shown, 1) == []  # not run
    count = shown.run("document.querySelector('#table_05 .row-count').textContent")
    assert count == "2 of 4 rows"


def test_a_table_without_a_matching_row_is_gone_as_a_whole(shown: Browser) -> None:
    shown.click("#filter")
    shown.write("oracle")
    assert (visible(shown, "#table_05"), visible(shown, "#table_controls")) == (0, 1)
    shown.run("document.getElementById('filter').value = ''")
    shown.write("nobody")
    assert visible(shown, ".paper-table") == 0
    assert visible(shown, ".nothing-found") == 1
    shown.click(".show-all")
    assert visible(shown, ".paper-table") == 2
    assert shown.run(STATUS) == "5 rows in 2 tables"


def test_a_row_is_one_line_until_more_is_asked_for(shown: Browser) -> None:
    rows = "[...document.querySelectorAll('#table_05 tbody tr')]"
    tall = f"{rows}.find(r => r.textContent.includes('AirNet')).getBoundingClientRect().height"
    assert shown.run(tall) <= 34
    for kind, selector in (
        ("interval", ".interval"),
        ("paper", ".paper"),
        ("difference", ".difference"),
    ):
        assert visible(shown, f"#table_05 {selector}") == 0
        shown.click(f"[name=show][value={kind}]")
        assert visible(shown, f"#table_05 {selector}") > 0
    assert shown.run(tall) > 40


def test_columns_can_be_hidden(shown: Browser) -> None:
    heads = (
        "[...document.querySelectorAll('#table_05 thead th')].filter(h => h.checkVisibility())"
        ".map(h => h.textContent.trim().split(/[ ,]/)[0])"
    )
    one = ["PSNR", "SSIM"]
    assert shown.run(heads) == ["Method", "Noise", "Rain", "Haze", "Average", *one * 4]
    shown.click("#table_05 .columns summary")
    shown.click('#table_05 .columns [value="SSIM"]')
    shown.click('#table_05 .columns [value="photographs_rain"]')
    assert shown.run(heads) == ["Method", "Noise", "Haze", "Average", *["PSNR"] * 3]
    width = "[...document.querySelectorAll('#table_05 tbody tr')].map(r => [...r.cells]\
.filter(c => !c.hidden).reduce((sum, c) => sum + c.colSpan, 0))"
    assert set(shown.run(width)) == {4}
    assert shown.run(heads.replace("table_05", "table_controls"))[1:4] == ["Noise", "Rain", "Haze"]
    shown.press("Escape")
    assert shown.run("document.querySelector('#table_05 .columns').open") is False


INNER_SCROLL = """[...document.querySelectorAll('main *')].filter((e) => {
  const style = getComputedStyle(e);
  return e.getClientRects().length && ['auto', 'scroll'].includes(style.overflowY)
    && e.scrollHeight > e.clientHeight + 1;
}).map((e) => e.className)"""


@pytest.mark.parametrize("width", [1440, 1280, 1024, 390])
def test_no_part_of_the_page_scrolls_up_and_down_in_itself(
    browser: Browser, address: str, width: int
) -> None:
    browser.view(width, 720, touch=width < 500)
    browser.open("about:blank")
    browser.open(f"{address}?show=interval,paper,difference,images")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.settle()
    assert browser.run(INNER_SCROLL) == []
    whole = browser.run(
        "[...document.querySelectorAll('.table-region')].filter(r => r.getClientRects().length)"
        ".every(r => r.getBoundingClientRect().height + 1 >= r.scrollHeight)"
    )
    assert whole


@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_the_page_itself_never_scrolls_sideways(browser: Browser, address: str, width: int) -> None:
    browser.view(width, 844, touch=width < 500)
    browser.open("about:blank")
    browser.open(address)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_the_block_with_most_columns_comes_first(shown: Browser) -> None:
    titles = "[...document.querySelectorAll('#table_05 .block')].map(r => r.textContent.trim())"
    assert shown.run(titles) == ["Noise + Rain", "Noise + Haze"]


def at_the_top(page: Browser, scrolled: int = 0) -> dict[str, Any]:
    """What stands at the top of the window, with the middle of Table V below it."""
    return page.run(
        f"""(async () => {{
          const row = document.querySelector('#table_05 tbody:last-of-type tr:last-child');
          const region = row.closest('.table-region');
          scrollTo({{top: row.getBoundingClientRect().top + scrollY - 220, behavior: 'instant'}});
          region.scrollLeft = {scrolled};
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          const bars = [...document.querySelectorAll('.bar, .tools')].filter((bar) =>
            getComputedStyle(bar).position === 'sticky' && bar.getBoundingClientRect().top <= 0);
          const below = bars.reduce((sum, bar) => sum + bar.offsetHeight, 0);
          const box = region.getBoundingClientRect();
          const heads = document.elementsFromPoint(box.left + 20, below + 8)
            .concat(document.elementsFromPoint(box.left + 20, below + 40));
          const first = row.cells[0].getBoundingClientRect();
          return {{
            above: document.querySelector('#table_05 thead').getBoundingClientRect().top,
            head: document.querySelector('.floating-head').hidden === false
              ? document.querySelector('.floating-head').textContent
              : heads.map((e) => e.closest('thead')?.textContent ?? '').join(''),
            left: first.left - box.left,
            scrolled: region.scrollLeft,
          }};
        }})()"""
    )


@pytest.mark.parametrize("width", [1440, 390])
def test_heads_and_first_column_stay_in_sight(browser: Browser, address: str, width: int) -> None:
    narrow = width < 500
    browser.view(width, 420, touch=narrow)
    browser.open("about:blank")
    browser.open(f"{address}?show=interval,paper,difference")
    gap = (
        "document.querySelector('#table_05 thead').getBoundingClientRect().top"
        " - document.querySelector('#table_05 .table-region').getBoundingClientRect().top"
    )
    assert browser.run(gap) == pytest.approx(2, abs=1)  # the rule above the head
    found = at_the_top(browser, 80 if narrow else 0)
    assert "PSNR" in found["head"]
    assert "Method" in found["head"]
    assert found["left"] == pytest.approx(0, abs=1)
    if narrow:
        assert found["scrolled"] == 80
        assert found["above"] < 0  # the head itself is gone: what is seen is its copy
        place = browser.run(
            "(() => { const [copy, own] = ['.floating-head', '#table_05'].map(s =>"
            " document.querySelector(`${s} .metric:last-child`).getBoundingClientRect());"
            " return [copy.left - own.left, copy.width - own.width]; })()"
        )
        assert place == pytest.approx([0, 0], abs=1)


def test_without_scripts_the_tables_show_everything(browser: Browser, address: str) -> None:
    browser.view(1440, 900)
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open("about:blank")
        browser.open(address)
        text = browser.run(
            "[...document.querySelectorAll('#table_05 .value')]"
            ".filter((e) => e.checkVisibility()).map((e) => e.textContent).join(' ')"
        )
        tools = visible(browser, ".tools")
        intervals = visible(browser, "#table_05 .interval")
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert "30.50" in text
    assert tools == 0
    assert intervals > 0


def test_a_number_below_its_input_is_never_bold(shown: Browser) -> None:
    assert shown.run(f"document.querySelector('{NDR_CELL}').classList.contains('best')") is True
    both = "[...document.querySelectorAll('.value.best')].filter(e => e.querySelector('.below'))"
    assert shown.run(f"{both}.length") == 0
