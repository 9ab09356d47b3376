"""The numbers of a table: means, averages, differences, marks, and what must not be averaged."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from ndr.nearest_name import UnknownNameError
from ndr.records import table_result as t
from ndr.records.record import ResultFileError
from ndr.records.table_result import Cell, Row, TableResult
from reports.summarise import main, summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import HAZE, INPUT, NAFNET, NDR, NOISE, RAIN


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results" / "quick"


DAMAGES = ("cut", "nested", "1e308", "another zone")


def damaged_json(path: Path, damage: str) -> str:
    """Text of a result file after one of `DAMAGES`."""
    text = path.read_text()
    content = json.loads(text)
    if damage == "1e308":
        return json.dumps({**content, "wall_seconds": 1e308})
    if damage == "another zone":  # a time that cannot be compared with those of the others
        return json.dumps({**content, "started": content["started"][:19]})
    nested = "[" * 100_000 if damage == "nested" else ""
    return text[: len(text) // 2] + nested


def find_run(table: TableResult, run: str) -> Row:
    """The row of a run."""
    return next(row for block in table.blocks for row in block.rows if row.run == run)


def find_row(table: TableResult, label: str, block: int = 0) -> Row:
    return next(row for row in table.blocks[block].rows if row.label == label)


def find_cell(table: TableResult, label: str, column: str, block: int = 0) -> Cell:
    return next(c for c in find_row(table, label, block).cells if c.column == column)


def messages(table: TableResult, kind: str) -> list[str]:
    return [entry.message for entry in table.quality if entry.kind == kind]


def test_means_differences_and_paper_values_by_hand(results: Path) -> None:
    table = summarise(made.write_standard(results), results)
    cell = find_cell(table, "NDR-Restore", NOISE)
    psnr, ssim = cell.shown
    assert (cell.status, cell.n, cell.n_total) == (t.OK, 2, 2)
    assert psnr.value == 30.5
    assert psnr.paper_text == "31.48"
    assert psnr.difference == 30.5 - 31.48
    assert psnr.degraded_input == 20.5
    assert ssim.value == pytest.approx(0.305)
    assert ssim.paper == 0.8863
    assert [(n.protocol, n.metric, n.as_float) for n in cell.numbers][2:] == [
        ("airnet", "PSNR", 31.5),
        ("airnet", "SSIM", pytest.approx(0.315)),
    ]


def test_average_is_the_plain_mean_over_the_rows_own_columns(results: Path) -> None:
    table = summarise(made.write_standard(results), results)
    average = find_cell(table, "NDR-Restore", t.AVERAGE)
    assert average.shown[0].value == (30.5 + 35.75) / 2
    assert average.shown[0].paper_text == "33.03"
    assert average.shown[0].degraded_input == (20.5 + 25.5) / 2
    assert average.n is None
    assert find_cell(table, "NDR-Restore", HAZE).status == t.BLANK
    assert find_cell(table, "Degraded input", t.AVERAGE).shown[0].value == 23.0


def test_degraded_input_comes_first_and_has_the_columns_of_its_block(results: Path) -> None:
    made.write_standard(results)
    made.write_trained(
        results, "ndr_restore__rain_haze__seed_0", {RAIN: {"a": 35.0}, HAZE: {"a": 25.0}}
    )
    rows = [
        made.row(NDR, "NDR-Restore"),
        made.row("ndr_restore__rain_haze__seed_0", "NDR-Restore", (RAIN, HAZE), block="rain+haze"),
    ]
    table = summarise(made.plan(rows), results)
    assert [block.name for block in table.blocks] == ["noise+rain", "rain+haze"]
    for block in table.blocks:
        assert block.rows[0].kind == t.DEGRADED_INPUT
    assert find_cell(table, "Degraded input", HAZE, 0).status == t.BLANK
    assert find_cell(table, "Degraded input", NOISE, 1).status == t.BLANK
    assert find_cell(table, "Degraded input", HAZE, 1).status == t.NO_PAPER_VALUE


def test_best_and_second_best_within_a_block_without_input_and_controls(results: Path) -> None:
    made.write_standard(results)
    made.write_evaluation(results, made.TRUTH, {NOISE: {"a": math.inf, "b": math.inf}})
    rows = [
        made.row(NAFNET, "NAFNet"),
        made.row(NDR, "NDR-Restore"),
        made.row(made.TRUTH, "", (NOISE,), label="oracle"),
    ]
    table = summarise(made.plan(rows), results)
    ranks = {
        row.label: [shown.rank for cell in row.cells for shown in cell.shown]
        for row in table.blocks[0].rows
    }
    assert ranks["NDR-Restore"] == [1, 1, 1, 1, 0, 0, 1, 1]
    assert ranks["NAFNet"] == [2, 2, 2, 2, 0, 0, 2, 2]
    assert set(ranks["Degraded input"]) == set(ranks["oracle"]) == {0}
    assert find_row(table, "oracle").kind == t.CONTROL


def test_a_row_on_other_images_does_not_compete(results: Path) -> None:
    plan = made.write_standard(results)
    made.write_trained(results, NAFNET, {NOISE: {"a": 99.0}, RAIN: {"a": 1.0, "b": 1.0}}, n_total=2)
    table = summarise(plan, results)
    cell = find_cell(table, "NAFNet", NOISE)
    assert cell.shown[0].value == 99.0
    assert not cell.ranked
    assert not find_cell(table, "NAFNet", t.AVERAGE).ranked
    assert find_cell(table, "NAFNet", RAIN).ranked
    assert find_cell(table, "NDR-Restore", NOISE).shown[0].rank == 0  # nobody to compare with
    assert messages(table, "other_images") == [
        "other images than the other rows: not compared with them"
    ]
    assert messages(table, "subset") == ["1 of 2 images"]
    assert cell.shown[0].degraded_input == 20.0  # over the same image


def test_rows_that_do_not_beat_the_degraded_input_are_listed_with_both_numbers(
    results: Path,
) -> None:
    table = summarise(made.write_standard(results), results)
    entries = [entry for entry in table.quality if entry.kind == "below_input"]
    assert [(e.row, e.column, e.metric, e.value, e.reference) for e in entries] == [
        ("NAFNet", "Rain", "PSNR", 25.25, 25.5),
        ("NAFNet", "Rain", "SSIM", pytest.approx(0.2525), pytest.approx(0.255)),
    ]
    assert entries[0].message == "25.25 dB, degraded input 25.50 dB; trained for 20 steps"
    assert {entry.severity for entry in entries} == {t.WARNING}
    assert find_cell(table, "NAFNet", RAIN).shown[0].below_input


def test_equal_to_the_input_is_not_better(results: Path) -> None:
    plan = made.write_standard(results)
    made.write_trained(
        results, NAFNET, {NOISE: {"a": 20.0, "b": 21.0}, RAIN: {"a": 26.0, "b": 27.0}}
    )
    table = summarise(plan, results)
    assert find_cell(table, "NAFNet", NOISE).shown[0].below_input
    assert not find_cell(table, "NAFNet", RAIN).shown[0].below_input


def test_nothing_is_below_inputs_of_which_one_equals_its_truth(results: Path) -> None:
    plan = made.write_standard(results)
    sets = {NOISE: {"a": math.inf, "b": 21.0}, RAIN: {"a": 25.0, "b": 26.0}}
    made.write_evaluation(results, made.INPUT, sets)
    table = summarise(plan, results)
    noise = find_cell(table, "NAFNet", NOISE).shown[0]
    assert (noise.value, noise.degraded_input, noise.below_input) == (29.25, None, False)
    assert find_cell(table, "NAFNet", RAIN).shown[0].below_input
    assert any("infinite PSNR" in message for message in messages(table, "protocol"))


def test_a_system_that_is_not_in_the_suite_keeps_the_papers_numbers(results: Path) -> None:
    table = summarise(made.write_standard(results), results)
    cell = find_cell(table, "AirNet", NOISE)
    assert (cell.status, cell.reason) == (t.LEFT_OUT, "not yet in the suite")
    assert (cell.shown[0].value, cell.shown[0].paper_text) == (None, "31.46")
    assert find_cell(table, "AirNet", t.AVERAGE).status == t.LEFT_OUT
    notes = [entry for entry in table.quality if entry.kind == "left_out"]
    assert [(entry.row, entry.severity) for entry in notes] == [("AirNet", t.NOTE)]


def test_a_missing_result_file_is_a_marked_cell_and_an_error_under_quality(results: Path) -> None:
    plan = made.write_standard(results)
    (results / "evaluations" / NDR / "per_image.csv").unlink()
    table = summarise(plan, results)
    cell = find_cell(table, "NDR-Restore", NOISE)
    assert cell.status == t.NOT_RUN
    assert NDR in cell.reason
    assert cell.shown[0].value is None
    assert find_cell(table, "NDR-Restore", t.AVERAGE).status == t.NOT_RUN
    entries = [entry for entry in table.quality if entry.kind == "not_run"]
    assert [entry.column for entry in entries] == ["Noise, sigma = 25", "Rain"]
    assert {entry.severity for entry in entries} == {t.ERROR}


def test_a_missing_test_set_is_not_averaged_over(results: Path) -> None:
    plan = made.write_standard(results)
    made.write_trained(results, NDR, {NOISE: {"a": 30.0, "b": 31.0}})
    table = summarise(plan, results)
    assert find_cell(table, "NDR-Restore", NOISE).status == t.OK
    assert find_cell(table, "NDR-Restore", RAIN).status == t.NOT_RUN
    assert find_cell(table, "NDR-Restore", t.AVERAGE).status == t.NOT_RUN


def spoiled(case: str) -> list[list[str]]:
    """Lines of NDR-Restore with one thing wrong in its noise numbers of protocol `ndr`."""
    lines = made.lines_of(NDR, {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}})
    first = lines[0]
    changes = {
        "double": lambda: lines.append([*first[:-1], "30.5"]),
        "nan": lambda: first.__setitem__(-1, "nan"),
        "text": lambda: first.__setitem__(-1, "high"),
        "minus infinity": lambda: first.__setitem__(-1, "-inf"),
        "other run": lambda: first.__setitem__(0, NAFNET),
        "missing image": lambda: lines.remove(first),
        "ssim": lambda: lines[1].__setitem__(-1, "1.5"),
    }
    changes[case]()
    return lines


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("double", "image 'a': the image stands there twice"),
        ("nan", "the value is NaN"),
        ("text", "'high' is no number"),
        ("minus infinity", "-inf is no PSNR (expected 0 to 1000, or inf)"),
        ("other run", f"expected run '{NDR}', found '{NAFNET}'"),
        ("missing image", "1 of 2 images have no PSNR under protocol 'ndr', e.g. 'a'"),
        ("ssim", "1.5 is no SSIM"),
    ],
)
def test_a_contradictory_file_is_never_averaged(results: Path, case: str, message: str) -> None:
    plan = made.write_standard(results)
    values = {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    made.write_trained(results, NDR, values, lines=spoiled(case))
    table = summarise(plan, results)
    cell = find_cell(table, "NDR-Restore", NOISE)
    assert cell.status == t.INVALID
    assert message in cell.reason
    assert cell.shown[0].value is None
    assert not cell.numbers
    assert find_cell(table, "NDR-Restore", RAIN).status == t.OK
    assert find_cell(table, "NDR-Restore", t.AVERAGE).status == t.INVALID
    assert [entry.severity for entry in table.quality if entry.kind == "invalid"] == [t.ERROR]


def test_a_missing_shown_protocol_is_invalid_and_another_one_a_warning(results: Path) -> None:
    plan = made.write_standard(results)
    values = {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    made.write_trained(results, NDR, values, lines=made.lines_of(NDR, values, ("airnet",)))
    made.write_trained(results, NAFNET, values, lines=made.lines_of(NAFNET, values, ("ndr",)))
    table = summarise(plan, results)
    assert "no PSNR under protocol 'ndr'" in find_cell(table, "NDR-Restore", NOISE).reason
    assert find_cell(table, "NAFNet", NOISE).status == t.OK
    assert "no SSIM under protocol 'airnet'" in messages(table, "protocol")


def test_a_bad_value_of_another_protocol_leaves_the_shown_one(results: Path) -> None:
    plan = made.write_standard(results)
    values = {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    lines = made.lines_of(NDR, values)
    next(line for line in lines if line[4] == "airnet")[-1] = "nan"
    made.write_trained(results, NDR, values, lines=lines)
    table = summarise(plan, results)
    cell = find_cell(table, "NDR-Restore", NOISE)
    assert cell.shown[0].value == 30.5
    assert [(n.protocol, n.metric) for n in cell.numbers] == [
        ("ndr", "PSNR"),
        ("ndr", "SSIM"),
        ("airnet", "SSIM"),
    ]
    assert "the value is NaN" in messages(table, "protocol")[0]
    average = find_cell(table, "NDR-Restore", t.AVERAGE)
    assert ("airnet", "PSNR") not in [(n.protocol, n.metric) for n in average.numbers]


@pytest.mark.parametrize("header", [[], [*made.COLUMNS, "more"], made.COLUMNS[:-1]])
def test_another_header_spoils_the_whole_file(results: Path, header: list[str]) -> None:
    plan = made.write_standard(results)
    made.write_lines(results, NDR, [], header)
    table = summarise(plan, results)
    cells = find_row(table, "NDR-Restore").cells
    assert [cell.status for cell in cells] == [t.INVALID, t.INVALID, t.BLANK, t.INVALID]
    assert "run again" in cells[0].reason


def test_a_count_that_the_provenance_does_not_confirm_is_invalid(results: Path) -> None:
    plan = made.write_standard(results)
    values = {NOISE: {"a": 30.0, "b": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    made.write_trained(results, NDR, values, images={NOISE: [3, 3], RAIN: [2, 2]})
    table = summarise(plan, results)
    assert "says 3 images, the file has 2" in find_cell(table, "NDR-Restore", NOISE).reason


def test_infinite_psnr_is_no_json_literal(results: Path, tmp_path: Path) -> None:
    made.write_standard(results)
    made.write_evaluation(results, made.TRUTH, {NOISE: {"a": math.inf, "b": math.inf}})
    plan = made.plan([made.row(made.TRUTH, "", (NOISE,), label="oracle")])
    files = {suffix: tmp_path / f"out.{suffix}" for suffix in ("json", "csv", "md", "tex")}
    run_main(plan, results, files)

    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    json.loads(files["json"].read_text(), parse_constant=refuse)
    shown = find_cell(TableResult.read(files["json"]), "oracle", NOISE).shown[0]
    assert (shown.value, shown.infinite) == (None, True)
    assert ",inf,2,2," in files["csv"].read_text()
    assert "∞" in files["md"].read_text()
    assert r"$\infty$" in files["tex"].read_text()


def test_unfinished_trainings_and_results_of_another_training_are_listed(results: Path) -> None:
    plan = made.write_standard(results)
    made.write_training(results, NDR, done=12, planned=20)
    made.write_training(results, NAFNET, spec_sha256=made.sha("another"))
    table = summarise(plan, results)
    assert messages(table, "unfinished") == ["12 of 20 steps"]
    assert [e.severity for e in table.quality if e.kind == "stale"] == [t.ERROR]
    facts = find_row(table, "NDR-Restore").training
    assert facts is not None
    assert (facts.steps_done, facts.batch, facts.patch, facts.balance) == (
        12,
        6,
        48,
        "task_uniform",
    )


def test_a_training_without_provenance_is_listed(results: Path) -> None:
    plan = made.write_standard(results)
    (results / "runs" / NDR / "provenance.json").unlink()
    assert messages(summarise(plan, results), "provenance") == [
        "the provenance of its training is not there"
    ]


@pytest.mark.parametrize("folder", ["runs", "evaluations"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_provenance_costs_the_cells_of_its_run(
    results: Path, folder: str, damage: str
) -> None:
    plan = made.write_standard(results)
    sound = summarise(plan, results)
    path = results / folder / NDR / "provenance.json"
    path.write_text(damaged_json(path, damage))
    table = summarise(plan, results)
    for block in table.blocks:
        for row in block.rows:
            if row.run == NDR:
                assert {cell.status for cell in row.cells} <= {t.INVALID, t.BLANK}
                assert any("delete it and run again" in cell.reason for cell in row.cells)
            elif row.run:
                status = [cell.status for cell in row.cells]
                assert status == [cell.status for cell in find_run(sound, row.run).cells]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": "noise+rian"}, "unknown block of table05.csv 'noise\\+rian'.*'noise\\+rain'"),
        ({}, "unknown method of table05.csv 'NAFnet'.*'NAFNet'"),
    ],
)
def test_a_name_that_the_paper_does_not_have_is_an_error(
    results: Path, change: dict, message: str
) -> None:
    made.write_standard(results)
    plan = made.plan([made.row(NAFNET, "NAFNet" if change else "NAFnet", **change)])
    with pytest.raises(UnknownNameError, match=message):
        summarise(plan, results)


def run_main(plan, results: Path, files: dict[str, Path]) -> None:
    outs = [part for suffix, path in files.items() for part in (f"--out-{suffix}", str(path))]
    main(["--table-json", plan.canonical_json(), "--results", str(results), *outs])


def test_the_command_writes_what_it_computed(results: Path, tmp_path: Path) -> None:
    plan = made.write_standard(results)
    files = {suffix: tmp_path / "out" / f"t.{suffix}" for suffix in ("json", "csv", "md", "tex")}
    run_main(plan, results, files)
    assert TableResult.read(files["json"]) == summarise(plan, results)
    assert all(path.stat().st_size for path in files.values())


def test_the_command_ends_with_one_line_on_bad_input(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = made.write_standard(results)
    bad = dataclasses.replace(plan, paper_values="table99.csv")
    files = {suffix: tmp_path / f"t.{suffix}" for suffix in ("json", "csv", "md", "tex")}
    with pytest.raises(SystemExit) as error:
        run_main(bad, results, files)
    assert error.value.code == 1
    assert "unknown file of the paper's values 'table99.csv'" in capsys.readouterr().err
    assert not any(path.exists() for path in files.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no table file"),
        ("[]", "no table file"),
        ('{"schema": 99}', "expected schema 3, found 99"),
        ('{"schema": 3, "tabel": 2}', "unknown key 'tabel'"),
    ],
)
def test_table_files_of_another_kind_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(ResultFileError, match=message):
        TableResult.read(path)


def test_the_input_itself_missing_leaves_rows_without_reference(results: Path) -> None:
    plan = made.write_standard(results)
    (results / "evaluations" / INPUT / "per_image.csv").unlink()
    table = summarise(plan, results)
    assert find_cell(table, "Degraded input", NOISE).status == t.NOT_RUN
    shown = find_cell(table, "NDR-Restore", NOISE).shown[0]
    assert (shown.value, shown.degraded_input, shown.below_input) == (30.5, None, False)
    assert shown.rank == 1


def test_images_that_the_input_lacks_leave_no_reference(results: Path) -> None:
    plan = made.write_standard(results)
    values = {NOISE: {"a": 30.0, "z": 31.0}, RAIN: {"a": 35.5, "b": 36.0}}
    made.write_trained(results, NDR, values)
    table = summarise(plan, results)
    cell = find_cell(table, "NDR-Restore", NOISE)
    assert (cell.shown[0].value, cell.shown[0].degraded_input) == (30.5, None)
    assert not cell.ranked
