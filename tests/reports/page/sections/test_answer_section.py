"""The first screen: gains, their chart, the sentence, a picture per task; and the heat map."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ndr.records.table_result import TableResult
from ndr.specs.table_plan import PlannedRow
from reports.page.assets import Assets
from reports.page.sections.answer import Answer, answer_section
from reports.page.sections.overview import overview_section
from reports.page.sections.pictures import KeptPictures
from reports.page.sections.tables import PageTable, page_tables
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import SmallReport
from tests.reports.fabricated_results import HAZE, INPUT, NAFNET, NDR, NOISE, RAIN, TRUTH

SCENES = [f"scene{number}" for number in range(8)]


def values(*means: float) -> dict[str, dict[str, float]]:
    """Values of eight scenes on noise and rain around a mean, a dB apart."""
    return {
        test_set: {scene: mean + number - 3.5 for number, scene in enumerate(SCENES)}
        for test_set, mean in zip((NOISE, RAIN), means, strict=True)
    }


def write(folder: Path, ours: float, theirs: float) -> Path:
    """Input at 20 and 24 dB, NDR-Restore and NAFNet with a gain each."""
    results = folder / "results" / "quick"
    made.write_evaluation(results, INPUT, values(20.0, 24.0))
    made.write_trained(results, NDR, values(20.0 + ours, 24.0 + ours))
    made.write_trained(results, NAFNET, values(20.0 + theirs, 24.0 + theirs))
    return results


ROWS = (made.row(NAFNET, "NAFNet"), made.row(None, "AirNet"), made.row(NDR, "NDR-Restore"))


def view_of(results: Path, rows: tuple[PlannedRow, ...] = ROWS, **facts: object) -> PageTable:
    return PageTable(summarise(made.plan(rows, **facts), results))


def answer_of(report: SmallReport, results: Path, *views: PageTable) -> Answer:
    kept = KeptPictures(results, report.description)
    return answer_section(report.description, views, results, kept, Assets(None))


def test_the_chart_holds_paired_gains_and_the_papers_numbers(
    small_report: SmallReport, tmp_path: Path
) -> None:
    results = write(tmp_path, 8.0, 7.0)
    chart = answer_of(small_report, results, view_of(results)).chart
    assert chart is not None
    nafnet, airnet, ours = chart.rows
    assert (nafnet.label, nafnet.ours, ours.ours) == ("NAFNet", False, True)
    assert ours.gain is not None
    assert ours.gain.value == pytest.approx(8.0)
    # Every image gains the same: scenes differ by a dB, gains do not.
    assert ours.gain.interval is not None
    assert ours.gain.interval.low == pytest.approx(8.0) == ours.gain.interval.high
    assert ours.cell == "table_05__noise_rain__ndr_restore__average"
    assert airnet.gain is None
    assert airnet.reason == "not yet in the suite"
    paper = view_of(results).table.blocks[0].rows[3].cells[-1].shown[0].paper
    assert paper is not None
    assert ours.paper == pytest.approx(paper - 22.0)
    assert chart.low < 0 < max(row.paper for row in chart.rows if row.paper) < chart.high
    assert chart.place(chart.low) == 0
    assert chart.place(chart.high) == 100
    assert 0.0 in chart.ticks


def test_the_chart_says_whose_interval_is_over_trainings_too(
    small_report: SmallReport, tmp_path: Path
) -> None:
    results = write(tmp_path, 8.0, 7.0)

    def over(*often: str) -> str:
        rows = [row for row in ROWS if row.run]
        for place, row in enumerate(rows):
            if row.run in often:
                seeds = tuple(row.run.replace("seed_0", f"seed_{seed}") for seed in (1, 2))
                for gain, run in enumerate(seeds):
                    made.write_trained(results, run, values(28.0 + gain, 32.0 + gain))
                rows[place] = dataclasses.replace(row, other_seeds=seeds)
        chart = answer_of(small_report, results, view_of(results, tuple(rows))).chart
        assert chart is not None
        return chart.interval_over

    assert over() == "over images"
    assert over(NDR) == "over images, of NDR-Restore over trainings too"
    assert over(NDR, NAFNET) == "over images and trainings"


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (8.0, 7.0, "NDR-Restore gains +8.00 dB (95 % interval +8.00 to +8.00) over its input, "
                   "more than any other of the two systems as trained here."),
        (7.0, 8.5, "over its input, 1.50 dB less than NAFNet, the best of the two systems as "
                   "trained here."),
        (-1.0, 2.0, "NDR-Restore leaves pictures no better than they came: \N{MINUS SIGN}1.00 dB"),
    ],
)  # fmt: skip
def test_the_result_is_a_sentence(
    small_report: SmallReport, tmp_path: Path, ours: float, theirs: float, words: str
) -> None:
    results = write(tmp_path, ours, theirs)
    sentence = answer_of(small_report, results, view_of(results)).sentence
    assert sentence.startswith("Trained on noise and rain, ")
    assert words in sentence
    assert "The paper's number lies" in sentence


def test_systems_that_images_do_not_tell_apart_are_not_ranked(
    small_report: SmallReport, tmp_path: Path
) -> None:
    results = write(tmp_path, 8.0, 8.0)
    mixed = values(28.3, 32.0)
    mixed[NOISE]["scene0"] -= 4.0
    made.write_trained(results, NAFNET, mixed)
    sentence = answer_of(small_report, results, view_of(results)).sentence
    assert (
        "the most of the two systems as trained here, though the images do not tell it from NAFNet"
        in sentence
    )


def test_a_method_that_was_not_run_says_why(small_report: SmallReport, tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    made.write_evaluation(results, INPUT, values(20.0, 24.0))
    answer = answer_of(small_report, results, view_of(results))
    assert answer.sentence.startswith("NDR-Restore has no result on noise and rain here: ")
    assert answer.chart is not None  # the paper's numbers can be shown
    without = answer_of(small_report, results, view_of(results, name="table_01"))
    assert "does not hold Table V" in without.sentence
    assert without.chart is None


def test_each_task_shows_another_photograph_and_neither_the_best_nor_the_worst(
    small_report: SmallReport, tmp_path: Path
) -> None:
    results = write(tmp_path, 8.0, 7.0)
    for run in (INPUT, NDR, TRUTH):
        for test_set in (NOISE, RAIN):
            for scene in SCENES[:3]:
                made.write_picture(results, run, test_set, scene)
    restored = answer_of(small_report, results, view_of(results)).restored
    assert [(one.column.label, one.image) for one in restored] == [
        ("Noise, sigma = 25", "scene1"),
        ("Rain", "scene0"),
    ]
    # A column that the paper does not have is no further task.
    columns = made.plan(ROWS).columns
    beside = tuple(
        dataclasses.replace(each, paper_column="") if each.test_set == RAIN else each
        for each in columns
    )
    fewer = answer_of(small_report, results, view_of(results, columns=beside)).restored
    assert [one.column.label for one in fewer] == ["Noise, sigma = 25"]
    assert restored[0].psnr == (17.5, 25.5)
    assert [name for name, _ in restored[0].pictures] == [
        "Degraded input", "NDR-Restore", "Ground truth",
    ]  # fmt: skip


def test_the_source_of_the_weights_is_said(small_report: SmallReport, tmp_path: Path) -> None:
    results = write(tmp_path, 8.0, 7.0)
    shipped = dataclasses.replace(small_report.description, weights=("shipped", "official_weights"))
    answer = answer_section(
        shipped, [view_of(results)], results, KeptPictures(results, shipped), Assets(None)
    )
    assert answer.source == (
        "networks that the suite has trained and ships; "
        "the weights that the methods' authors publish"
    )
    assert answer.images == "8 images per test set"


def test_the_heat_map_is_zero_at_the_input_and_one_at_the_papers_number(tmp_path: Path) -> None:
    results = write(tmp_path, 8.0, 0.0)
    view = view_of(results)
    overview = overview_section([view])
    assert overview is not None
    assert [one.column.key for one in overview.columns] == [NOISE, RAIN]
    rows = dict(overview.rows)
    assert list(rows) == ["NAFNet", "NDR-Restore"]
    paper = view.table.blocks[0].rows[3].cells[0].shown[0].paper
    assert paper is not None
    cell = rows["NDR-Restore"][0]
    assert cell is not None
    assert cell.text == f"{8.0 / (paper - 20.0):.2f}"
    assert cell.name == "table_05__noise_rain__ndr_restore__bsd68_sigma25"
    assert "+8.00 dB over the degraded input" in cell.words
    zero = rows["NAFNet"][0]
    assert zero is not None
    assert (zero.text, zero.shade) == ("0.00", "none")


def test_the_heat_map_takes_the_first_table_and_no_ablations(tmp_path: Path) -> None:
    results = write(tmp_path, 8.0, 4.0)
    changed = NDR.replace("__seed", "__use_dq_false__seed")
    made.write_trained(results, changed, values(21.0, 25.0))
    ablated = (made.row(changed, "NDR-Restore", label="without DQ"), *ROWS)
    second = dataclasses.replace(view_of(results).table, name="table_06", label="Table VI")
    overview = overview_section([view_of(results, ablated), PageTable(second)])
    assert overview is not None
    assert [label for label, _ in overview.rows] == ["NAFNet", "NDR-Restore"]
    assert all("Table V," in cell.words for _, cells in overview.rows for cell in cells if cell)
    assert overview_section([]) is None


def table_of(results: Path, *rows: PlannedRow, **facts: object) -> TableResult:
    return summarise(made.plan(rows, **facts), results)


def test_the_widest_block_comes_first_and_names_stay(tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    wide = made.row(
        NDR.replace("noise_rain", "noise_rain_haze"),
        "NDR-Restore",
        (NOISE, RAIN, HAZE),
        block="noise+rain+haze",
    )
    view = PageTable(table_of(results, made.row(NDR, "NDR-Restore"), wide))
    assert [block.name for _, block in view.blocks] == ["noise+rain+haze", "noise+rain"]
    assert view.names[0, 1, 1] == "table_05__noise_rain__ndr_restore__rain100l"
    assert view.names[1, 1, 2] == "table_05__noise_rain_haze__ndr_restore__sots"
    assert view.names[0, 0, 0] == "table_05__noise_rain__identity__bsd68_sigma25"


def test_two_lines_of_one_run_have_two_names(tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    rows = [made.row(NDR, "NDR-Restore", (NOISE,), label=label) for label in ("one", "again")]
    names = [
        name for name in PageTable(table_of(results, *rows)).names.values() if "ndr_restore" in name
    ]
    assert len(names) == len(set(names)) == 4


def test_images_are_said_where_they_are_common(small_report: SmallReport, tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    made.write_trained(
        results,
        NAFNET,
        {NOISE: {"a": 29.0}, RAIN: {"a": 25.0}},
        images={NOISE: [1, 2], RAIN: [1, 2]},
    )
    table = table_of(results, made.row(NAFNET, "NAFNet"), made.row(NDR, "NDR-Restore"))
    view = PageTable(table)
    assert view.images == "2 images per test set"
    assert view.row_images(table.blocks[0].rows[1]) == "1 of 2 images"
    assert view.row_images(table.blocks[0].rows[2]) == ""
    partly = small_report.tables[0]
    slow = partly.blocks[0].rows[1]
    assert PageTable(partly).row_images(slow) == ""
    assert PageTable(partly).cell_images(slow, slow.cells[1]) == "1 of 2 images"


def test_the_files_of_a_table_are_offered_beside_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    table = table_of(results, *ROWS)
    for kind in ("csv", "md"):
        path = results / "tables" / f"{table.name}.{kind}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(kind)
    (view,) = page_tables([table], results, Assets(tmp_path / "reports" / "assets"))
    assert view.files == {
        "csv": "assets/tables/table_05.csv",
        "md": "assets/tables/table_05.md",
    }
    for kind, address in view.files.items():
        assert (tmp_path / "reports" / address).read_text() == kind
