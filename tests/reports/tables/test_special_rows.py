"""Weighted averages, failed test sets, authors' weights, metrics of which less is better."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import pytest

from ndr.records import table_result as t
from ndr.records.table_result import Cell, TableResult
from ndr.specs.table_plan import PlannedColumn, PlannedRow
from reports.summarise import summarise
from reports.tables.csv_export import table_csv
from reports.tables.markdown_export import table_markdown
from reports.tables.tex_export import table_tex
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, INPUT, NAFNET, NDR, NOISE, RAIN

OFFICIAL = "nafnet__official_weights__weights_sidd__seed_0"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results" / "quick"


def cell(table: TableResult, label: str, column: str) -> Cell:
    (row,) = [row for row in table.blocks[0].rows if row.label == label]
    return next(cell for cell in row.cells if cell.column == column)


def messages(table: TableResult, kind: str) -> list[str]:
    return [entry.message for entry in table.quality if entry.kind == kind]


def test_an_average_may_weigh_its_columns(results: Path) -> None:
    plan = made.write_standard(results)
    plan = dataclasses.replace(plan, average_weights=(0.4, 0.6, 0.0))
    table = summarise(plan, results)
    average = cell(table, "NDR-Restore", t.AVERAGE)
    assert average.shown[0].value == pytest.approx(0.4 * 30.5 + 0.6 * 35.75)
    assert average.shown[0].degraded_input == pytest.approx(0.4 * 20.5 + 0.6 * 25.5)
    assert table.average_weights == (0.4, 0.6, 0.0)


def test_a_failed_test_set_says_why_and_the_others_stand(results: Path) -> None:
    plan = made.write_standard(results)
    made.write_trained(
        results,
        NDR,
        {NOISE: {"a": 30.0, "b": 31.0}},
        failures={RAIN: "the program ended with status 3: no memory"},
    )
    table = summarise(plan, results)
    assert cell(table, "NDR-Restore", NOISE).status == t.OK
    failed = cell(table, "NDR-Restore", RAIN)
    assert (failed.status, failed.reason) == (
        t.FAILED,
        "the program ended with status 3: no memory",
    )
    assert cell(table, "NDR-Restore", t.AVERAGE).status == t.FAILED
    assert "the program ended with status 3: no memory" in messages(table, "failed")


def test_weights_that_could_not_be_had_fill_no_cell(results: Path) -> None:
    plan = made.write_standard(results)
    reason = "net.pth, published at https://host/net.pth, could not be had"
    made.write_evaluation(
        results, OFFICIAL, {}, failures=dict.fromkeys((NOISE, RAIN), reason), images={}
    )
    row = dataclasses.replace(plan.rows[0], run=OFFICIAL)
    table = summarise(dataclasses.replace(plan, rows=(row, *plan.rows[1:])), results)
    for column in (NOISE, RAIN):
        found = cell(table, "NAFNet", column)
        assert (found.status, found.reason) == (t.FAILED, reason)
    # Without a reason an empty file is a damaged one.
    made.write_evaluation(results, OFFICIAL, {}, images={})
    table = summarise(dataclasses.replace(plan, rows=(row, *plan.rows[1:])), results)
    assert cell(table, "NAFNet", NOISE).status == t.INVALID


def test_authors_weights_are_shown_under_their_own_protocol(results: Path) -> None:
    plan = made.write_standard(results)
    row = dataclasses.replace(plan.rows[0], protocol="airnet", own_noise=True)
    table = summarise(dataclasses.replace(plan, rows=(row, *plan.rows[1:])), results)
    found = cell(table, "NAFNet", NOISE)
    assert found.shown[0].value == 29.25 + 1  # the fabricated second protocol adds 1 dB
    # The degraded input was made with other noise: nothing to compare with.
    assert found.shown[0].degraded_input is None
    assert not found.shown[0].below_input
    (shown,) = [row for row in table.blocks[0].rows if row.label == "NAFNet"]
    assert shown.protocol == "airnet"


def test_exports_name_the_protocol_of_authors_weights(results: Path) -> None:
    plan = made.write_standard(results)
    row = dataclasses.replace(plan.rows[0], protocol="airnet", own_noise=True)
    table = summarise(dataclasses.replace(plan, rows=(row, *plan.rows[1:])), results)
    lines = [
        (line["protocol"], line["shown"], float(line["value"]))
        for line in csv.DictReader(io.StringIO(table_csv(table)))
        if (line["label"], line["test_set"], line["metric"]) == ("NAFNet", NOISE, "PSNR")
    ]
    assert lines == [("airnet", "yes", 29.25 + 1), ("ndr", "no", 29.25)]
    assert "| NAFNet (protocol airnet) |" in table_markdown(table)
    assert "NAFNet (protocol airnet) &" in table_tex(table)
    assert "NDR-Restore (protocol" not in table_markdown(table) + table_tex(table)


def real(run: str, psnr: dict[str, float], results: Path, **facts: object) -> None:
    lines = [
        [run, NOISE, image, image, "no_reference", "PIQE", repr(value)]
        for image, value in psnr.items()
    ]
    images = {NOISE: [len(psnr), len(psnr)]}
    unavailable = {"MUSIQ": "its weights are not there; put them into data/weights/metrics"}
    made.write_evaluation(
        results, run, {}, lines=lines, images=images, unavailable_metrics=unavailable, **facts
    )


def test_less_piqe_is_better_and_missing_metrics_say_why(results: Path) -> None:
    real(INPUT, {"a": 60.0, "b": 50.0}, results)
    real(NDR, {"a": 30.0, "b": 20.0}, results)
    real(NAFNET, {"a": 70.0, "b": 55.0}, results)
    rows = [
        made.row(run, label, (NOISE,), block="noise+rain+haze")
        for run, label in ((NAFNET, "Restormer"), (NDR, "NDR-Restore"))
    ]
    column = PlannedColumn(NOISE, "Real noise", "real_noise_SIDD")
    plan = made.plan(
        rows,
        name="table_07",
        metrics=("PIQE", "MUSIQ"),
        protocol="no_reference",
        columns=(column,),
        average=False,
        paper_values="table07.csv",
        own_metrics=("PIQE",),
    )
    table = summarise(plan, results)
    ndr, nafnet = (cell(table, name, NOISE).shown for name in ("NDR-Restore", "Restormer"))
    assert (ndr[0].value, ndr[0].rank, ndr[0].below_input) == (25.0, 1, False)
    assert (nafnet[0].value, nafnet[0].rank, nafnet[0].below_input) == (62.5, 2, True)
    assert (ndr[0].paper, nafnet[0].paper) == (None, None)
    assert (ndr[1].value, ndr[1].rank) == (None, 0)
    assert nafnet[1].paper_text == "30.58"
    (warning,) = cell(table, "NDR-Restore", NOISE).warnings
    assert warning.startswith("MUSIQ: its weights are not there")
    assert messages(table, "invalid") == []


def test_announced_systems_keep_their_mark(results: Path) -> None:
    plan = made.write_standard(results)
    announced = PlannedRow(
        plan.rows[0].block, "DehazeNet", "", None, (HAZE,), "left out", printed=False
    )
    table = summarise(dataclasses.replace(plan, rows=(*plan.rows, announced)), results)
    printed = {row.label: row.printed for row in table.blocks[0].rows}
    assert printed["DehazeNet"] is False
    assert printed["NDR-Restore"] is True
