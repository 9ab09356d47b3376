"""The leak section: numbers of the scan and of the result files, or why there are none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ndr.records.leak_findings import (
    IDENTICAL,
    NEAR_DUPLICATE,
    Comparison,
    LeakFindings,
    Match,
    NameClash,
    TestSetFacts,
)
from ndr.records.record import ResultFileError
from ndr.records.table_result import WARNING
from ndr.specs.report_description import ReportDescription, TestSetSource
from ndr.specs.run_spec import TaskSpec
from reports.analysis.leak_split import SplitMean
from reports.analysis.quality import merge_entries
from reports.build import build_page, main
from reports.page.assets import Assets
from reports.page.sections.leaks import LeakSection, leak_section
from reports.summarise import summarise
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import NASTY, SmallReport, write_small_report
from tests.reports.page_elements import Element, parsed
from tests.run_headers import run_spec

TEST_SET = "photographs_rain_test"


def match(image: str, kind: str = IDENTICAL, partners: tuple[str, ...] = ("p",)) -> Match:
    score = 1.0 if kind == IDENTICAL else 0.8764
    return Match(image, f"scene {image}", kind, score, "mirrored", "clean = clean", partners)


def findings(leaked: tuple[str, ...] = ("a",), unleaked: tuple[str, ...] = ("b",)) -> LeakFindings:
    """One training set with image a, one without, and one that belongs to another test set."""
    partners = ("p1", "p2", "p3", "p4", NASTY)
    return LeakFindings(
        maximum_distance=80,
        minimum_correlation=0.5,
        trainings=(
            Comparison(
                "smoke_train",
                TEST_SET,
                20,
                2,
                tuple(match(image, partners=partners) for image in leaked),
                (NameClash("a", "a", True), NameClash("b", "b", False)),
            ),
            Comparison("clear_train", TEST_SET, 9, 2, (), ()),
            Comparison(NASTY, "other_test", 9, 4, (match("z", NEAR_DUPLICATE),), ()),
        ),
        tests=(Comparison(TEST_SET, "other_test", 2, 4, (), ()),),
        test_sets=(
            TestSetFacts(TEST_SET, 2, 100, 2, 1, (("a", "b"),), leaked, unleaked),
            TestSetFacts("other_test", 4, 4, 3, 3, (), ("z",), ("u", "v", "w")),
        ),
    )


def with_sources(description: ReportDescription) -> ReportDescription:
    sources = (TestSetSource(made.NOISE, "photographs_test"), TestSetSource(made.RAIN, TEST_SET))
    return dataclasses.replace(description, sources=sources)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> SmallReport:
    """The small report whose runs remember the sets that they were trained with."""
    report = write_small_report(tmp_path_factory.mktemp("report"))
    for run, sets in ((made.NDR, ("smoke_train",)), (made.NAFNET, ("clear_train", "unseen"))):
        spec = run_spec(tasks=(TaskSpec("rain", sets, ("0",) * len(sets)),))
        made.write_checkpoint(report.results, run, spec)
    return dataclasses.replace(report, description=with_sources(report.description))


def section_of(report: SmallReport, folder: Path, found: LeakFindings) -> LeakSection:
    path = folder / "leaks.json"
    found.write(path)
    section = leak_section(path, report.description, report.tables, report.results, Assets(None))
    assert section is not None
    return section


def page_with(report: SmallReport, folder: Path, found: LeakFindings) -> str:
    path = folder / "leaks.json"
    found.write(path)
    return build_page(
        report.description,
        report.tables,
        report.results,
        report.parameter_counts,
        leaks=path,
    )


def leaks_of(page: str) -> Element:
    return next(s for s in parsed(page).all("section") if s.attributes.get("id") == "leaks")


def test_means_over_leaked_and_other_images(report: SmallReport, tmp_path: Path) -> None:
    split = section_of(report, tmp_path, findings()).split
    assert split is not None
    assert (split.table.label, split.column.label) == ("Table V", "Rain")
    rows = {(row.block, row.label): row for row in split.rows}
    ours = rows["noise+rain", "NDR-Restore"]
    assert ours.means == (SplitMean("PSNR", 35.5, 36.0), SplitMean("SSIM", 0.355, 0.36))
    assert (ours.leaked, ours.unleaked) == (1, 1)
    given = rows["noise+rain", "Degraded input"]
    assert given.means == (SplitMean("PSNR", 25.0, 26.0), SplitMean("SSIM", 0.25, 0.26))
    # NAFNet was evaluated on image a only.
    other = rows["noise+rain", NASTY]
    assert (other.leaked, other.unleaked) == (1, 0)
    assert other.means[0] == SplitMean("PSNR", 25.0, None)
    assert {block for block, _ in rows} == {"noise+rain"}


def test_means_are_taken_over_several_images(report: SmallReport, tmp_path: Path) -> None:
    found = section_of(report, tmp_path, findings(leaked=("a", "b"), unleaked=())).split
    assert found is not None
    ours = next(row for row in found.rows if row.label == "NDR-Restore")
    assert ours.means[0] == SplitMean("PSNR", 35.75, None)


def test_what_a_run_was_trained_with(report: SmallReport, tmp_path: Path) -> None:
    split = section_of(report, tmp_path, findings()).split
    assert split is not None
    own = {row.label: (row.trained, row.own) for row in split.rows}
    trained, leaks = own["NDR-Restore"]
    assert trained
    assert leaks is not None
    assert (leaks.count, leaks.not_scanned) == (1, ())
    trained, leaks = own[NASTY]
    assert leaks is not None
    assert (leaks.count, leaks.not_scanned) == (0, ("unseen",))
    assert own["Degraded input"] == (False, None)


def test_images_that_were_not_scanned_are_not_averaged(report: SmallReport, tmp_path: Path) -> None:
    split = section_of(report, tmp_path, findings(unleaked=())).split
    assert split is not None
    ours = next(row for row in split.rows if row.label == "NDR-Restore")
    assert ours.means == ()
    assert ours.problem == "1 images are not in the scan, e.g. 'b'"
    nafnet = next(row for row in split.rows if row.label == NASTY)
    assert nafnet.means


def test_rows_without_results_are_counted(report: SmallReport, tmp_path: Path) -> None:
    plan = made.plan(
        [made.row("nafnet__not_run__seed_0", "NAFNet"), made.row(made.NDR, "NDR-Restore")]
    )
    tables = [summarise(plan, report.results)]
    split = section_of(dataclasses.replace(report, tables=tables), tmp_path, findings()).split
    assert split is not None
    assert split.not_run == 1
    assert [row.label for row in split.rows] == ["Degraded input", "NDR-Restore"]
    page = page_with(dataclasses.replace(report, tables=tables), tmp_path, findings())
    assert "1 row of this column has no results yet." in page


def test_the_page_shows_the_scan(report: SmallReport, tmp_path: Path) -> None:
    section = leaks_of(page_with(report, tmp_path, findings()))
    first, *_ = section.all("table")
    rows = [[cell.text for cell in row.children] for row in first.all("tr")[1:]]
    assert rows == [
        [TEST_SET, "smoke_train training", "2", "1", "0", "50.0 %", "2 1"],
        ["other_test", f"{NASTY} training", "4", "0", "1", "25.0 %", "0 0"],
    ]
    (verdict,) = (p.text for p in section.all("p") if "verdict-line" in p.classes())
    assert verdict == (
        f"2 test sets of 2 have images that are in a training set: {TEST_SET}, other_test."
    )
    assert "p1, p2, p3 and 2 more" in section.text
    assert "0.876 mirrored" in " ".join(section.text.split())
    scenes = section.all("table")[-2]
    assert [[cell.text for cell in row.children] for row in scenes.all("tr")[1:]] == [
        [TEST_SET, "2 of 100", "2", "1", "1", "1"],
        ["other_test", "4", "3", "3", "1", "3"],
    ]


def test_the_page_shows_the_split(report: SmallReport, tmp_path: Path) -> None:
    section = leaks_of(page_with(report, tmp_path, findings()))
    table = section.all("table")[-1]
    values = {
        row.children[0].text.split()[0]: [data.attributes["value"] for data in row.all("data")]
        for row in table.all("tr")[2:]
    }
    assert values["NDR-Restore"] == ["35.5", "36.0", "0.355", "0.36"]
    assert values["Degraded"] == ["25.0", "26.0", "0.25", "0.26"]
    texts = [[cell.text for cell in row.children] for row in table.all("tr")]
    ours = ["1 image", "1", "1", "35.50", "36.00", "0.3550", "0.3600"]
    assert ["NDR-Restore Noise + Rain", *ours] in texts
    assert "0 images not scanned: unseen" in [text[1] for text in texts]
    # As many cells in every row as the heads announce.
    assert {
        sum(int(c.attributes.get("colspan", 1)) for c in row.children)
        for row in table.all("tr")[2:]
    } == {8}


def test_names_are_escaped(report: SmallReport, tmp_path: Path) -> None:
    page = page_with(report, tmp_path, findings())
    assert "<img src=x" not in page
    assert page.count("<script>") == 1
    assert NASTY in leaks_of(page).text


def test_ids_stay_unique_and_headings_descend(report: SmallReport, tmp_path: Path) -> None:
    section = leaks_of(page_with(report, tmp_path, findings()))
    headings = [
        (child.tag, child.attributes.get("id")) for child in section.children if child.tag[0] == "h"
    ]
    assert headings == [("h2", "leaks-title"), ("h3", "leaks-split")]
    assert all(head.attributes.get("scope") for head in section.all("th"))


def test_long_lists_are_cut_and_say_so(report: SmallReport, tmp_path: Path) -> None:
    many = tuple(match(f"i{n}") for n in range(105))
    long = Comparison("smoke_train", TEST_SET, 20, 200, many, ())
    found = dataclasses.replace(findings(), trainings=(long,))
    section = leaks_of(page_with(report, tmp_path, found))
    assert "The first 100 of 105" in section.text
    assert len(section.all("details")[0].all("tr")) == 1 + 100


def test_leaks_of_training_sets_are_warned_of(report: SmallReport, tmp_path: Path) -> None:
    section = section_of(report, tmp_path, findings())
    assert [(entry.severity, entry.kind) for entry in section.quality] == [(WARNING, "leaks")] * 2
    (group,) = merge_entries(section.quality)
    assert group.title == "Test images that are in training sets"
    assert "1 of 2 images are in the training set smoke_train" in group.entries[0].entry.message
    assert group.entries[0].entry.message in page_with(report, tmp_path, findings())


def test_without_a_scan_the_page_says_so(report: SmallReport) -> None:
    section = leaks_of(report.html())
    assert "No leak scan was made for this report" in section.text
    assert not section.all("table")


def test_without_the_column_the_page_says_so(report: SmallReport, tmp_path: Path) -> None:
    without = dataclasses.replace(report, tables=report.tables[1:])
    assert section_of(without, tmp_path, findings()).split is None
    section = leaks_of(page_with(without, tmp_path, findings()))
    assert "no scanned rain column of Table V" in section.text
    unknown = dataclasses.replace(report.description, sources=())
    assert (
        section_of(dataclasses.replace(report, description=unknown), tmp_path, findings()).split
        is None
    )


def test_a_scan_without_leaks(report: SmallReport, tmp_path: Path) -> None:
    nothing = findings(leaked=(), unleaked=("a", "b"))
    trainings = tuple(
        dataclasses.replace(c, matches=(), name_clashes=()) for c in nothing.trainings
    )
    section = leaks_of(
        page_with(report, tmp_path, dataclasses.replace(nothing, trainings=trainings))
    )
    assert "No test image is in a training set." in section.text
    assert len(section.all("table")) == 2


def test_the_command_takes_the_scan(report: SmallReport, tmp_path: Path) -> None:
    leaks, out = tmp_path / "leaks.json", tmp_path / "page.html"
    findings().write(leaks)
    paths = [tmp_path / f"{table.name}.json" for table in report.tables]
    for path, table in zip(paths, report.tables, strict=True):
        table.write(path)
    arguments = ["--report-json", report.description.canonical_json(), "--tables", *map(str, paths)]
    arguments += ["--results", str(report.results), "--leaks", str(leaks), "--out", str(out)]
    arguments += ["--parameter-counts", str(report.parameter_counts), "--single-file"]
    main(arguments)
    assert out.read_text(encoding="utf-8") == page_with(report, tmp_path, findings())
    leaks.write_text("{}")
    main(arguments)
    assert f"{leaks} is damaged, or no" in out.read_text(encoding="utf-8")


def test_a_damaged_scan_is_refused(report: SmallReport, tmp_path: Path) -> None:
    path = tmp_path / "leaks.json"
    path.write_text("{")
    with pytest.raises(ResultFileError, match="run the scan again"):
        leak_section(path, report.description, report.tables, report.results, Assets(None))
    with pytest.raises(FileNotFoundError):
        leak_section(
            tmp_path / "none.json", report.description, report.tables, report.results, Assets(None)
        )
