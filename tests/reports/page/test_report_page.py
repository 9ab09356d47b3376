"""The page: its numbers are the files' numbers; self-contained, ordered, escaped, accessible."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ndr.records.record import ResultFileError
from reports.analysis.quality import EXPLANATIONS
from reports.build import ReportError, environment, main
from reports.number_format import difference_text, metric_text
from reports.page.sections.parameters import parameters_section
from reports.summarise import summarise
from reports.tables.csv_export import table_csv
from tests.conftest import REPOSITORY
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import NASTY, SmallReport
from tests.reports.page_elements import Element, parsed

ROOT = REPOSITORY
FETCHING = {"src", "srcset", "href", "xlink:href", "data", "action", "poster", "formaction"}


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return parsed(page)


def csv_lines(report: SmallReport) -> list[dict[str, str]]:
    return [
        line for table in report.tables for line in csv.DictReader(io.StringIO(table_csv(table)))
    ]


def numbers_tables(tree: Element) -> list[Element]:
    return [table for table in tree.all("table") if "numbers" in table.classes()]


def test_every_number_of_the_tables_equals_the_csv(
    tree: Element, small_report: SmallReport
) -> None:
    shown = [line for line in csv_lines(small_report) if line["shown"] == "yes"]
    expected = Counter()
    for line in shown:
        for name, text in (("value", metric_text), ("difference", difference_text)):
            if line[name]:
                expected[line[name], text(line["metric"], float(line[name]))] += 1
    found = Counter(
        (data.attributes["value"], data.text)
        for table in numbers_tables(tree)
        for data in table.all("data")
    )
    assert found == expected
    assert sum(expected.values()) > 30
    papers = Counter(line["paper"] for line in shown if line["paper"])
    printed = Counter(
        number
        for table in numbers_tables(tree)
        for cell in table.all("td")
        for span in cell.all("span")
        if span.classes() == {"paper"}
        for number in re.findall(r"paper ([\d.]+)$", span.text.strip())
    )
    assert printed == papers


def panels_of(tree: Element) -> dict:
    (block,) = (e for e in tree.all("script") if e.attributes.get("id") == "cells")
    return json.loads(block.text)


def test_the_panels_hold_every_number_of_every_protocol(
    tree: Element, small_report: SmallReport
) -> None:
    lines = [line for line in csv_lines(small_report) if line["value"]]
    expected = Counter(
        (line["value"], metric_text(line["metric"], float(line["value"]))) for line in lines
    )
    found = Counter(
        (full, text)
        for cell in panels_of(tree)["cells"].values()
        for _, _, texts, _ in cell.get("rows", [])
        for full, text in texts
        if full
    )
    assert found == expected


def test_each_button_opens_the_panel_of_its_own_cell(
    tree: Element, small_report: SmallReport
) -> None:
    content = panels_of(tree)
    buttons = [button for table in numbers_tables(tree) for button in table.all("button")]
    assert len(buttons) > 10
    for button in buttons:
        cell = content["cells"][button.attributes["data-cell"]]
        data = button.all("data")
        if data:
            shown = [texts for _, _, texts, in_table in cell["rows"] if in_table]
            assert data[0].attributes["value"] in [full for texts in shown for full, _ in texts]
        else:
            assert button.text in {"not run", "invalid"}
            assert button.text in cell["problem"].lower()
    row = small_report.tables[0].blocks[0].rows[1]
    assert row.training is not None
    facts = {term: value for term, _, value in content["runs"][made.NAFNET]}
    assert facts["Training spec"] == row.training.spec_sha256
    assert facts["Steps"].startswith("12 of 20")
    assert facts["Energy of training"] == "not reported"
    assert "A Processor, 2 cores" in facts["Training hardware"]
    assert "torch 2.14.1" in facts["Evaluation versions"]


def test_a_panel_has_the_commands_that_redo_its_number(tree: Element) -> None:
    cells = panels_of(tree)["cells"].values()
    cell = next(c for c in cells if c["run"] == made.NAFNET and c["aside"].startswith("Rain "))
    assert dict(cell["commands"]) == {
        "Train and evaluate this run": f"snakemake --cores all {made.NAFNET} --config tier=quick",
        "This table": "snakemake --cores all table_05 --config tier=quick",
        "Explain this number": (
            f"python -m reports.explain table_05 {made.NAFNET} {made.RAIN} --tier quick"
        ),
    }


def test_the_panels_cannot_end_their_block(page: str) -> None:
    block = page.split('id="cells">')[1].split("</script>", maxsplit=1)[0]
    assert "<" not in block
    assert (
        NASTY in json.loads(block)["cells"]["table_05__noise_rain__nafnet__bsd68_sigma25"]["title"]
    )


def test_nothing_is_loaded_from_anywhere(page: str, tree: Element) -> None:
    def elements(element: Element):
        yield element
        for child in element.children:
            yield from elements(child)

    loading = [
        value
        for element in elements(tree)
        for name, value in element.attributes.items()
        if name in FETCHING
    ]
    assert len(loading) > 10
    for value in loading:
        assert value.startswith(("data:", "#")), value
    styles = "".join(style.text for style in tree.all("style"))
    styles += "".join(element.attributes.get("style", "") for element in elements(tree))
    assert "url(" not in styles
    assert "@import" not in styles
    # The name of the SVG elements is no address.
    script = scripts(tree)[0].text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"fetch|XMLHttpRequest|import\(|WebSocket|http", script)
    assert "https://example.org/by" in page  # as text only


def scripts(tree: Element) -> list[Element]:
    """Scripts that run: blocks of data do not."""
    return [script for script in tree.all("script") if "type" not in script.attributes]


def test_the_policy_allows_no_host_and_only_our_script(tree: Element) -> None:
    (script,) = scripts(tree)
    policy = next(
        meta.attributes["content"]
        for meta in tree.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src 'self' data:;")


def test_names_are_escaped(page: str, tree: Element) -> None:
    assert "<img src=x" not in page
    assert page.count("<script>") == 1
    assert page.count("</style>") == page.count("<style>") == 2  # one where nothing runs
    assert page.count("</script>") == 2
    assert NASTY in tree.text


def test_contents_list_follows_the_order_of_the_page(tree: Element) -> None:
    nav = next(nav for nav in tree.all("nav") if "contents" in nav.classes())
    targets = [link.attributes["href"][1:] for link in nav.all("a")]
    assert targets == [
        "answer",
        "claims",
        "tables",
        "table_05",
        "table_controls",
        "figures",
        "pictures",
        "representation",
        "sensitivity",
        "curves",
        "errata",
        "leaks",
        "parameters",
        "quality",
        "origin",
    ]
    order = [
        section.attributes["id"] for section in tree.all("section") if "id" in section.attributes
    ]
    assert [name for name in order if name in targets] == targets


def test_ids_are_unique_and_every_reference_resolves(tree: Element) -> None:
    def values(name: str) -> list[str]:
        found: list[str] = []

        def visit(element: Element) -> None:
            found.extend([element.attributes[name]] if name in element.attributes else [])
            for child in element.children:
                visit(child)

        visit(tree)
        return found

    ids = values("id")
    assert len(ids) == len(set(ids))
    references = [value[1:] for value in values("href") if value.startswith("#")]
    references += values("aria-labelledby") + values("for")
    assert set(references) <= set(ids)


def test_headings_descend_in_steps(tree: Element) -> None:
    levels = [
        int(element.tag[1]) for element in _in_order(tree) if re.fullmatch("h[1-6]", element.tag)
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def _in_order(element: Element):
    for child in element.children:
        yield child
        yield from _in_order(child)


def test_landmarks_have_names_of_their_own(tree: Element) -> None:
    texts = {e.attributes["id"]: e.text for e in _in_order(tree) if "id" in e.attributes}
    landmarks = [
        element
        for element in _in_order(tree)
        if element.tag == "section" or element.attributes.get("role") == "region"
    ]
    names = [
        element.attributes.get("aria-label") or texts[element.attributes["aria-labelledby"]]
        for element in landmarks
    ]
    assert len(names) > 20
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_tables_and_pictures_speak(tree: Element) -> None:
    for head in tree.all("th"):
        assert head.attributes.get("scope") in {"col", "row", "colgroup", "rowgroup"}
    for table in numbers_tables(tree):
        (caption,) = table.all("caption")
        assert "cells filled; 2 images per test set" in caption.text
    pictures = [image for image in tree.all("img") if "src" in image.attributes]
    # Input, output and truth of two tasks; then the four runs of two test sets.
    assert len(pictures) == 2 * 3 + 2 * 4
    assert all(image.attributes["alt"] for image in pictures)
    for drawing in tree.all("svg"):
        assert drawing.attributes.get("aria-hidden") == "true" or drawing.all("title")


def test_what_all_tables_share_is_said_once(tree: Element, page: str) -> None:
    (legend,) = (e for e in tree.all("div") if "legend" in e.classes())
    for words in ("protocol ndr", "not comparable with the paper", "95\xa0%", "tier quick"):
        assert words in legend.text
    assert page.count("Gaussian") <= 1
    tables = "".join(table.text for table in numbers_tables(tree))
    for words in ("protocol", "quick", "1 of 2 images", "best of"):
        assert tables.count(words) <= 2, words


def test_marks_do_not_rest_on_colour(tree: Element) -> None:
    buttons = [b for table in numbers_tables(tree) for b in table.all("button")]
    assert any(", best" in button.text for button in buttons)
    assert any(", not distinguishable from the best" in button.text for button in buttons)
    below = [b for b in buttons if any("below" in span.classes() for span in b.all("span"))]
    assert below
    assert all("not better than the degraded input" in button.text for button in below)


def test_quality_lists_everything_with_counts(tree: Element, small_report: SmallReport) -> None:
    section = next(s for s in tree.all("section") if s.attributes.get("id") == "quality")
    for entry in [entry for table in small_report.tables for entry in table.quality]:
        assert entry.message in section.text
    for text in ("12 of 20 steps", "1 of 2 images", "is not there", "degraded input 25.00 dB"):
        assert text in section.text
    assert EXPLANATIONS["below_input"] in section.text
    counts = [item.text.split(maxsplit=1)[1] for item in section.all("li")]
    summaries = [summary.text.split() for summary in section.all("summary")]
    totals = Counter()
    for words in summaries:
        totals[words[1]] += int(words[-1])
    assert counts == [
        f"{totals[s]} {s}" + ("" if totals[s] == 1 else "s") for s in ("error", "warning", "note")
    ]
    assert totals["error"] >= 1


def test_doubtful_numbers_of_the_paper_carry_a_footnote(small_report: SmallReport) -> None:
    results = small_report.results
    plan = made.plan(
        [
            made.row(made.NDR, "NDR-Restore(no_DI)", label="no DI", block="noise+rain+haze"),
            made.row(made.NAFNET, "NDR-Restore(no_DQ)", label="no DQ", block="noise+rain+haze"),
        ],
        average=False,
        paper_values="table10.csv",
    )
    tree = parsed(dataclasses.replace(small_report, tables=[summarise(plan, results)]).html())
    marks = [link for table in numbers_tables(tree) for link in table.all("a")]
    assert [mark.text for mark in marks] == ["†1"]
    assert "0.8213" in marks[0].parent.text
    target = next(
        item
        for item in tree.all("li")
        if f"#{item.attributes.get('id')}" == marks[0].attributes["href"]
    )
    assert "0.05 below its neighbours" in target.text


def test_time_and_origin_come_from_the_results(
    page: str, small_report: SmallReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 2 trainings of 30.25 s; 4 evaluations of 7.5 s
    assert "1 min 0 s" in page
    assert "30.0 s" in page
    assert "2026-01-02 03:04 UTC" in page
    assert "0123456789ab" in page
    assert small_report.html() == page
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert "1970-01-01 00:00 UTC" in small_report.html()


def test_tables_of_another_tier_or_twice_are_refused(small_report: SmallReport) -> None:
    other = dataclasses.replace(small_report.tables[0], tier="paper", name="table_06")
    with pytest.raises(ReportError, match="is of tier 'paper', the report of tier 'quick'"):
        dataclasses.replace(small_report, tables=[*small_report.tables, other]).html()
    with pytest.raises(ReportError, match="each table once"):
        dataclasses.replace(small_report, tables=small_report.tables[:1] * 2).html()


def test_templates_fail_on_names_that_do_not_exist() -> None:
    with pytest.raises(Exception, match="'missing' is undefined"):
        environment().from_string("{{ missing }}").render()


def test_the_command_writes_the_page(small_report: SmallReport, page: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{table.name}.json" for table in small_report.tables]
    for path, table in zip(paths, small_report.tables, strict=True):
        table.write(path)
    out = tmp_path / "all_tables.html"
    arguments = ["--report-json", small_report.description.canonical_json()]
    arguments += ["--tables", *map(str, paths), "--results", str(small_report.results)]
    arguments += ["--parameter-counts", str(small_report.parameter_counts), "--out", str(out)]
    main([*arguments, "--single-file"])
    assert out.read_text(encoding="utf-8") == page
    assert not (tmp_path / "assets").exists()
    main(arguments)
    tree = parsed(out.read_text(encoding="utf-8"))
    beside = {image.attributes["src"] for image in tree.all("img")}
    beside |= {picture[0] for picture in panels_of(tree)["pictures"]}
    assert len(beside) == 4  # grey values of the fabricated pictures
    pictures = tmp_path / "assets" / "pictures"
    assert beside == {f"assets/pictures/{path.name}" for path in pictures.iterdir()}


def test_building_imports_neither_torch_nor_the_training() -> None:
    code = (
        "import sys, json, reports.build, reports.summarise;"
        "print(json.dumps([m for m in sys.modules if m.startswith(('torch', 'ndr.', 'pandas'))]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = json.loads(result.stdout)
    assert "ndr.specs.run_spec" in loaded
    assert not [m for m in loaded if m.startswith(("torch", "ndr.training", "ndr.train"))]


@pytest.mark.parametrize("text", ["{", "{}", '{"variants": {"a": {}}}'])
def test_a_damaged_file_of_counts_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counts.json"
    path.write_text(text)
    with pytest.raises(ResultFileError, match="delete it and run again"):
        parameters_section(path)


def test_counts_stand_beside_the_papers(tree: Element) -> None:
    section = next(s for s in tree.all("section") if s.attributes.get("id") == "parameters")
    rows = [[cell.text for cell in row.children] for row in section.all("tr")]
    assert ["NDR-Restore", "28.4 M", "5"] in rows
    assert ["NDR-Degrad", "10.70 M", "4"] in rows
    assert ["full", "1,234,567 100.00 %"] in rows
