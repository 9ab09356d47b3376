"""Names that are longer than any line, and names that turn the words behind them around."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ndr.records.table_result import TableResult
from reports.build import build_page
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.browser import Browser
from tests.reports.fabricated_report import SmallReport, write_small_report
from tests.reports.fabricated_results import NAFNET, NDR


def write_page(folder: Path, report: SmallReport, name: str) -> str:
    """A page on which the table, its columns, its rows and all texts are called alike."""
    rows = [made.row(NAFNET, "NAFNet", label=name), made.row(NDR, "NDR-Restore", label=f"{name}2")]
    planned = made.plan(rows, label=name, title=name, notes=(name,))
    columns = tuple(dataclasses.replace(each, label=name) for each in planned.columns)
    table: TableResult = summarise(dataclasses.replace(planned, columns=columns), report.results)
    description = dataclasses.replace(report.description, tier_note=name, attributions=(name,))
    counts, assets = report.parameter_counts, folder / "assets"
    html = build_page(description, [table], report.results, counts, assets=assets)
    (folder / "page.html").write_text(html, encoding="utf-8")
    return html


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["n", "\u6e05"])
def test_names_of_5000_letters_make_no_wide_page(
    browser: Browser, tmp_path: Path, letter: str
) -> None:
    write_page(tmp_path, write_small_report(tmp_path), letter * 5000)
    browser.open("about:blank")
    browser.open((tmp_path / "page.html").as_uri())
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for width in (390, 1440):
        browser.view(width, 844, touch=width < 500)
        assert browser.run("document.documentElement.scrollWidth") <= width
        widest = browser.run(
            "Math.max(...[...document.querySelectorAll('main .table-region > *')]"
            ".map(table => table.getBoundingClientRect().width))"
        )
        assert widest < 3000  # tables scroll sideways inside their region, but not for a name


def test_words_behind_a_name_keep_their_direction(tmp_path: Path) -> None:
    """An override in a name holds to the end of its paragraph: 30.50 dB would read Bd 05.03."""
    html = write_page(tmp_path, write_small_report(tmp_path), "a\u202eb\u2067c \u05e9\u05dc\u05d5")
    assert "a\ufffdb\ufffdc \u05e9\u05dc\u05d5" in html  # letters of all scripts stay
    assert not {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))} & {*html}
