"""The paper's own arithmetic, recomputed, against what a reader found by hand."""

from __future__ import annotations

import dataclasses
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError
from reports.build import environment
from reports.number_format import MINUS
from reports.page.sections.errata import errata_section
from reports.paper.arithmetic import (
    FITS,
    OFF,
    ROUNDED,
    TRUNCATED,
    AverageRule,
    NamedCell,
    PrintedCell,
    TextFinding,
    all_averages,
    check_averages,
    copies,
    doubts,
    empty_rows,
    equal_by_design,
    errata_facts,
    finding_text,
    fit,
)
from reports.paper.printed_values import file_of_table, printed_value, table_label
from tests.reports.fabricated_report import NASTY
from tests.reports.page_elements import parsed
from workflows.configuration import read_table

OFF_BY_HAND = {
    (5, "noise+haze", "MPRNet", "PSNR"): ("29.51", "29.5225"),
    (5, "noise+haze", "NDR-Restore", "PSNR"): ("30.50", "30.52"),
    (5, "noise+haze", "NDR-Restore", "SSIM"): ("0.8952", "0.896725"),
    (5, "noise+rain+haze", "NAFNet", "SSIM"): ("0.8440", "0.8840"),
    (5, "noise+rain+haze", "Restormer", "PSNR"): ("30.75", "30.716"),
    (5, "noise+rain+haze", "Restormer", "SSIM"): ("0.9010", "0.9006"),
    (6, "noise+haze", "Restormer", "SSIM"): ("0.7954", "0.795575"),
    (6, "rain+haze", "NDR-Restore", "SSIM"): ("0.8587", "0.85855"),
    (6, "noise+rain+haze", "AirNet", "SSIM"): ("0.8019", "0.80176"),
}
TRUNCATED_BY_HAND = {
    (5, "noise+rain", "NAFNet", "SSIM"): ("0.8975", "0.897575"),
    (5, "noise+rain", "AirNet", "PSNR"): ("33.01", "33.0175"),
    (5, "noise+rain", "Restormer", "SSIM"): ("0.8993", "0.899375"),
    (5, "noise+haze", "NAFNet", "PSNR"): ("29.37", "29.3775"),
    (5, "noise+haze", "NAFNet", "SSIM"): ("0.8782", "0.878275"),
    (5, "noise+rain+haze", "MPRNet", "PSNR"): ("30.63", "30.636"),
    (6, "noise+rain", "MPRNet", "SSIM"): ("0.7983", "0.798375"),
    (6, "noise+rain", "NDR-Restore", "PSNR"): ("28.20", "28.2075"),
    (6, "noise+haze", "NAFNet", "PSNR"): ("26.39", "26.3975"),
    (6, "noise+haze", "MPRNet", "SSIM"): ("0.7818", "0.781875"),
    (6, "noise+rain+haze", "MPRNet", "PSNR"): ("26.10", "26.106"),
    (6, "noise+rain+haze", "MPRNet", "SSIM"): ("0.7860", "0.78606"),
    (6, "noise+rain+haze", "NDR-Restore", "SSIM"): ("0.8101", "0.81018"),
}


def found(kind: str) -> dict[tuple[int, str, str, str], tuple[Decimal, Decimal]]:
    return {
        (check.table, check.block, check.method, check.metric): (check.printed, check.mean)
        for check in all_averages()
        if check.fit == kind and check.table in (5, 6)
    }


@pytest.mark.parametrize(("kind", "by_hand"), [(OFF, OFF_BY_HAND), (TRUNCATED, TRUNCATED_BY_HAND)])
def test_averages_that_are_not_the_rounded_mean(kind: str, by_hand: dict) -> None:
    expected = {key: tuple(map(Decimal, numbers)) for key, numbers in by_hand.items()}
    assert found(kind) == expected


def test_counts_of_the_averages_of_tables_5_and_6() -> None:
    fits = Counter(check.fit for check in all_averages() if check.table in (5, 6))
    assert [fits[kind] for kind in FITS] == [58, 13, 9]
    assert sum(fits.values()) == 80


@pytest.mark.parametrize(
    ("printed", "mean", "expected"),
    [
        ("30.52", "30.5200", ROUNDED),
        ("30.52", "30.525", ROUNDED),
        ("30.52", "30.515", ROUNDED),
        ("30.52", "30.5251", TRUNCATED),
        ("30.52", "30.5299", TRUNCATED),
        ("30.52", "30.53", OFF),
        ("30.53", "30.5249", OFF),
        ("0.957", "0.95749", ROUNDED),
    ],
)
def test_fit_at_its_edges(printed: str, mean: str, expected: str) -> None:
    assert fit(Decimal(printed), Decimal(mean)) == expected


def test_the_average_of_table_14_weighs_its_columns_as_the_configuration_does() -> None:
    rule = next(rule for rule in errata_facts().average_rules if rule.table == 14)
    configured = read_table("table_14").average
    assert {column: float(weight) for column, weight in rule.weights.items()} == configured
    for table in (5, 6):
        assert read_table(f"table_{table:02d}").average is True
    checks = {(c.method, c.metric): c for c in check_averages(rule)}
    assert {key: check.fit for key, check in checks.items()} == {
        ("MPRNet", "PSNR"): OFF,
        ("MPRNet", "SSIM"): OFF,
        ("Restormer", "PSNR"): TRUNCATED,
        ("Restormer", "SSIM"): ROUNDED,
        ("NDR-Restore", "PSNR"): ROUNDED,
        ("NDR-Restore", "SSIM"): TRUNCATED,
    }
    assert checks["NDR-Restore", "PSNR"].mean == Decimal("22.156")
    assert all(fit(check.printed, check.plain_mean) == OFF for check in checks.values())


def test_one_average_lies_where_no_average_can_be() -> None:
    impossible = [(c.table, c.method, c.metric) for c in all_averages() if c.impossible]
    assert impossible == [(14, "MPRNet", "SSIM")]


def test_the_full_network_has_the_same_numbers_in_five_tables_but_for_two() -> None:
    checks = equal_by_design()
    assert sum(len(check.texts) for check in checks) == 5 * 3 * 2
    deviating = {
        (cell.table, cell.column, check.metric, check.texts[cell], check.common)
        for check in checks
        for cell in check.deviating
    }
    assert deviating == {
        (12, "Rain100L", "SSIM", "0.9662", "0.9685"),
        (12, "SOTS", "SSIM", "0.9516", "0.9616"),
    }


def test_copied_cells_are_the_two_known_pairs_and_each_carries_a_doubt() -> None:
    found = {copy.texts: copy.cells for copy in copies()}
    assert found == {
        ("27.59", "0.8331"): (
            PrintedCell(1, "denoise", "DnCNN", "Urban100_sigma50"),
            PrintedCell(1, "denoise", "IRCNN", "Urban100_sigma15"),
        ),
        ("35.20", "0.9662"): (
            PrintedCell(11, "noise+rain+haze", "NDR-Restore(lambda=0)", "Rain100L"),
            PrintedCell(11, "noise+rain+haze", "NDR-Restore(lambda=3)", "Rain100L"),
        ),
    }
    for cells in found.values():
        marked = [
            cell
            for cell in cells
            if (cell.block, cell.method, cell.column, "PSNR") in doubts(file_of_table(cell.table))
        ]
        assert marked


def test_one_row_has_no_number_at_all() -> None:
    assert empty_rows() == [PrintedCell(12, "noise+rain+haze", "NDR-Restore(with_Le)", "")]


def test_findings_on_the_text_are_filled_from_the_tables() -> None:
    texts = " ".join(map(finding_text, errata_facts().text))
    for number in ("33.61", "34.90", "3.41", "4.70", "exactly 0.70", "is 0.52 dB", "28.484"):
        assert number in texts
    assert "{" not in texts
    assert len(errata_facts().text) == 26
    for number in (
        *("0.8928 against 0.8916", "by 0.01 to 0.09 dB on BSD68", "the same 34.11 dB"),
        *("loses 3.80 dB, Restormer 3.69 dB", "3.32 dB on haze", "2.91 dB on rain"),
        *("25.15 against 25.13 dB", "0.888 against 0.886"),
    ):
        assert number in texts, number


def test_a_finding_on_a_cell_that_the_paper_lacks_names_the_nearest() -> None:
    value = NamedCell("a", 2, "derain", "AirNett", "Rain100L", "PSNR")
    with pytest.raises(UnknownNameError, match="did you mean 'AirNet'"):
        finding_text(TextFinding("Table II", "{a}", (value,)))
    with pytest.raises(UnknownNameError, match="number of a finding 'b'"):
        finding_text(TextFinding("Table II", "{b}"))


def test_differences_and_sums_of_a_finding_are_exact() -> None:
    cells = tuple(
        NamedCell(name, 2, "derain", method, "Rain100L", "PSNR")
        for name, method in (("a", "AirNet"), ("l", "LPNet"))
    )
    finding = TextFinding("Table II", "{a - l} {a + l + l}", cells)
    a, lp = (
        Decimal(printed_value("table02.csv", ("derain", method, "Rain100L", "PSNR")).text)
        for method in ("AirNet", "LPNet")
    )
    assert finding_text(finding) == f"{a - lp} {a + lp + lp}"


def test_a_misspelt_key_of_the_facts_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "doubts.yaml"
    path.write_text("cells: []\naverage_rule: []\n", encoding="utf-8")
    with pytest.raises(SpecError, match="did you mean 'average_rules'"):
        errata_facts(path)


def test_doubts_of_computed_errors_stand_where_the_error_is() -> None:
    average = doubts("table05.csv")["noise+haze", "MPRNet", "Average", "PSNR"]
    assert "29.51" in average
    assert f"29.5225 (difference {MINUS}0.0125)" in average
    weighted = doubts("table14.csv")["exposure", "MPRNet", "Average", "SSIM"]
    assert "weighted 0.4 under and 0.6 over" in weighted
    assert "outside of its parts (0.8096 to 0.8137)" in weighted
    unequal = doubts("table12.csv")["noise+rain+haze", "NDR-Restore(no_Le)", "SOTS", "SSIM"]
    assert "print 0.9616" in unequal
    assert not doubts("text_facts.csv")


def errata_html(**changes: object) -> str:
    template = environment().get_template("_errata.html.j2")
    return template.render(errata={**errata_section(["table_05"]), **changes})


def test_the_section_counts_what_was_computed_and_links_to_tables_of_the_page() -> None:
    section = parsed(errata_html())
    averages, numbers, _ = (item.text for item in section.all("li"))
    assert "80 averages of Table V and Table VI, 58 are the correctly" in averages
    assert "13 were cut off instead of rounded, 9 do not fit" in averages
    assert "30 numbers" in numbers
    tables = {
        region.attributes["aria-labelledby"].removeprefix("errata-"): region.all("tr")
        for region in section.all("div")
    }
    assert len(tables) == 8
    assert [len(tables[key]) - 1 for key in ("averages", "truncated", "copies")] == [9, 13, 2]
    targets = {link.attributes["href"] for row in tables["averages"] for link in row.all("a")}
    assert targets == {"#table_05"}
    assert {row.children[0].text for row in tables["averages"][1:]} == {"Table V", "Table VI"}
    for heads, *rows in tables.values():
        assert rows
        assert all(len(row.children) == len(heads.children) for row in rows)
    words = [row.children[-1].text for row in tables["weighted-average"][1:]]
    assert "does not fit; outside of its parts, where no average can be" in words


def test_findings_are_escaped() -> None:
    facts = errata_facts()
    nasty = dataclasses.replace(
        facts,
        cells=(dataclasses.replace(facts.cells[0], doubt=NASTY),),
        text=(TextFinding(NASTY, NASTY),),
    )
    html = errata_html(facts=nasty)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3


def test_rules_without_weights_are_plain_and_labels_are_roman() -> None:
    assert AverageRule(5).weight("anything") == 1
    assert [table_label(number) for number in (1, 4, 9, 14)] == [
        "Table I",
        "Table IV",
        "Table IX",
        "Table XIV",
    ]
