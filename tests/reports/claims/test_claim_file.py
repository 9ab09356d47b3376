"""The committed claims against paper and plans, misspelt ones, and how the page shows them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from bench.verdict_rates import PAIRS_PER_PART
from ndr.data.catalogue import load_catalogue
from ndr.nearest_name import UnknownNameError
from ndr.records.claim_results import (
    FAILS,
    TOO_CLOSE,
    ClaimResult,
    ClaimResults,
    PartResult,
)
from ndr.records.parameter_counts import ParameterCounts, PartCounts
from ndr.records.record import ResultFileError
from ndr.specs.table_plan import TablePlan
from ndr.specs.typed_file import SpecError, read_yaml
from reports.analysis.evidence import pairs
from reports.analysis.representation_answers import QUESTIONS
from reports.archive import tables_of as tables_of_tier
from reports.build import environment
from reports.claims.parts import averaged_columns, is_own, parts_of
from reports.claims.specs import KINDS, Claim, Claims, Comparison, read_claims
from reports.judge_claims import main, tables_of
from reports.number_format import MISSING
from reports.page.sections.claims import ClaimTierError, claims_section
from reports.paper.arithmetic import doubts
from tests.reports import fabricated_results as made
from tests.reports.claims.fabricated_claims import BLOCK, HAZE, everywhere, judge, table_10, values
from tests.reports.fabricated_report import NASTY, VARIANT
from tests.reports.page_elements import parsed
from workflows.configuration import CONFIG, names_in, suite_config
from workflows.planning import make_plan

CLAIMS = CONFIG / "claims.yaml"
DQ = "NDR-Restore(no_DQ)"
TIMES = "\N{MULTIPLICATION SIGN}"


def every_table(tier: str) -> Mapping[str, TablePlan]:
    """Plans of all tables that a tier has, those that are asked for by name too."""
    content = {**read_yaml(CONFIG / "config.yaml"), "tier": tier, "tables": tables_of_tier(tier)}
    return make_plan(suite_config(content), load_catalogue(CONFIG / "datasets.yaml")).tables


@pytest.fixture(scope="module")
def committed() -> Claims:
    return read_claims(CLAIMS)


def test_the_committed_claims_cover_all_kinds_and_tables(committed: Claims) -> None:
    assert 45 <= len(committed.claims) <= 60
    assert {claim.kind for claim in committed.claims} == {*KINDS} - {"missing"}
    tables = {table for claim in committed.claims for table in tables_of(claim)}
    papers = {f"table_{number:02d}" for number in range(1, 15)}
    assert tables == papers | {"table_checkpoints"}


def test_what_the_papers_own_cells_say_to_the_claims(committed: Claims) -> None:
    words = {claim.id: {part.in_paper for part in parts_of(claim)} for claim in committed.claims}
    failing = {name for name, found in words.items() if FAILS in found}
    assert failing == {
        "airnet_changes_by_4_db",  # 3.41 dB with the right cell
        "best_at_half_the_size",  # Restormer on haze
        "best_at_half_the_size_in_ssim",
        "best_in_ssim",
        "exposure_everywhere",
        "over_promptir_in_ssim",
        "recent_over_previous_denoisers",  # MPRNet against BRDNet
        "single_task_noise_in_ssim",
    }
    close = {name for name, found in words.items() if TOO_CLOSE in found and FAILS not in found}
    assert close == {
        "haze_over_airnet",  # exactly 0.70 dB
        "over_airnet_in_each_mix",  # 0.02 dB, by exact means 0.0175
        "single_task_super_resolution",
    }
    unprinted = {name for name, found in words.items() if "" in found}
    assert unprinted == {"earlier_checkpoints", "extra_loss_helps_haze", "extra_loss_costs_little"}


def test_every_claim_has_its_quote(committed: Claims) -> None:
    """Word by word in quotes, or by sense and saying so."""
    for claim in committed.claims:
        verbatim = re.findall(r'"([^"]+)"', claim.quote)
        assert verbatim or claim.quote.startswith("By sense:"), claim.id
    assert sum('"' in claim.quote for claim in committed.claims) > 12


def test_parts_are_few_among_the_pairs_of_their_table(committed: Claims) -> None:
    """The rates of bench/verdict_rates.py hold for claims of half of a table's pairs at most."""
    tables = every_table("paper")
    for claim in committed.claims:
        found = parts_of(claim)
        for name in {term.system.table for part in found for term in part.terms}:
            plan = tables[name]
            compared = [
                sum(row.block == block and column in row.columns for row in plan.rows)
                for block in {row.block for row in plan.rows}
                for column in {name for row in plan.rows for name in row.columns}
            ]
            shown = len(plan.metrics) * sum(map(pairs, compared))
            assert PAIRS_PER_PART * len(found) <= shown, (claim.id, len(found), shown)


@pytest.mark.parametrize("tier", names_in("tiers"))
def test_every_claimed_cell_is_planned_at_every_tier(tier: str, committed: Claims) -> None:
    tables = every_table(tier)
    for claim in committed.claims:
        wanted = [
            (*dataclasses.astuple(term.system), averaged_columns(part), part.metric)
            for part in parts_of(claim)
            for term in part.terms
        ]
        if claim.study is not None:
            wanted.append((*dataclasses.astuple(claim.study.system), [], "PSNR"))
            assert {*claim.study.questions} <= QUESTIONS.keys()
        for table, block, system, columns, metric in wanted:
            if tier == "smoke" and is_own(table):
                continue  # it trains nothing that only such a table asks for
            planned = tables[table]
            names = [(row.block, row.paper_method or row.label) for row in planned.rows]
            rows = [
                r for r, name in zip(planned.rows, names, strict=True) if name == (block, system)
            ]
            assert len(rows) == 1, (claim.id, system)
            by_name = {column.paper_column: column.test_set for column in planned.columns}
            assert {by_name[name] for name in columns} <= set(rows[0].columns)
            assert metric in planned.metrics


def test_doubtful_cells_do_not_carry_a_claim_alone(committed: Claims) -> None:
    """Where a claim rests on one cell, that cell is not one that the paper printed wrongly."""
    for claim in committed.claims:
        parts = parts_of(claim)
        if len(parts) == 1 and len(averaged_columns(parts[0])) == 1:
            part = parts[0]
            for term in part.terms:
                system = term.system
                known = doubts(f"table{system.table[-2:]}.csv")
                key = (system.block, system.method, part.column, part.metric)
                assert key not in known


COMPARISON = {"table": "table_10", "blocks": [BLOCK], "against": [DQ]}


def claims_file(folder: Path, *claims: dict) -> Path:
    path = folder / "claims.yaml"
    content = [{"id": "a", "says": "b", "where": "c", "quote": "d", **claim} for claim in claims]
    path.write_text(yaml.safe_dump({"claims": content}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"compare": [COMPARISON], "tabel": 1}, "unknown key 'tabel'"),
        ({"compare": [{**COMPARISON, "againstt": []}]}, "did you mean 'against'"),
        ({"compare": [{"table": "table_10"}]}, "expected the key 'blocks'"),
        ({}, "expected one of compare, .*; found none"),
        ({"compare": [COMPARISON], "missing": "it"}, "found compare, missing"),
        ({"compare": [{**COMPARISON, "order": ["a", "b"]}]}, "either `against` or an `order`"),
        ({"compare": [COMPARISON], "quote": " "}, "expected the paper's words in `quote`"),
        ({"diminishing": [{"table": "t", "block": "b", "systems": ["a"]}]}, "expected three"),
        (
            {"count": {"parts": ["restoree"], "variant": "equations", "counted": "in_use"}},
            "did you mean 'restore'",
        ),
    ],
)
def test_a_claim_that_cannot_be_read_is_refused(tmp_path: Path, claim: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_claims(claims_file(tmp_path, claim))


def test_ids_are_unique_and_broken_yaml_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="duplicate claims: a"):
        read_claims(claims_file(tmp_path, {"missing": "x"}, {"missing": "y"}))
    path = tmp_path / "broken.yaml"
    path.write_text("claims: [", encoding="utf-8")
    with pytest.raises(SpecError, match=r"broken\.yaml"):
        read_claims(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": "table_15"}, "did you mean 'table_1"),
        ({"blocks": ["noise+rain+hase"]}, r"did you mean 'noise\+rain\+haze'"),
        ({"against": ["NDR-Restore(no_DX)"]}, "did you mean 'NDR-Restore"),
        ({"columns": ["SOST"]}, "did you mean 'SOTS'"),
        ({"metrics": ["PNSR"]}, "did you mean 'PSNR'"),
        ({"blocks": ["noise+rain+hase"], "against": ["others"]}, "unknown block of table_10"),
    ],
)
def test_a_misspelt_cell_names_the_nearest(tmp_path: Path, change: dict, message: str) -> None:
    path = claims_file(tmp_path, {"compare": [{**COMPARISON, **change}]})
    with pytest.raises(UnknownNameError, match=message):
        parts_of(read_claims(path).claims[0])


def test_weights_of_different_sources_are_not_compared(tmp_path: Path) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.5), DQ: everywhere(0.0)})
    official = "ndr_restore__official_weights__name"
    made.write_evaluation(tmp_path, official, {HAZE: values(0.0)})
    block = table.blocks[0]
    rows = tuple(
        dataclasses.replace(row, run=official) if row.paper_method == DQ else row
        for row in block.rows
    )
    mixed = dataclasses.replace(table, blocks=(dataclasses.replace(block, rows=rows),))
    comparison = Comparison("table_10", (BLOCK,), ("SOTS",), against=(DQ,))
    claim = Claim("a", "b", "c", "d", compare=(comparison,))
    assert "different sources" in judge(claim, [mixed], tmp_path).parts[0].reason
    rows = tuple(
        dataclasses.replace(row, protocol="airnet") if row.paper_method == DQ else row
        for row in block.rows
    )
    other = dataclasses.replace(table, blocks=(dataclasses.replace(block, rows=rows),))
    assert "different protocols: airnet, ndr" in judge(claim, [other], tmp_path).parts[0].reason


def _claim(name: str, says: str, table: str, *parts: PartResult) -> ClaimResult:
    """The last part decides."""
    *_, last = parts
    deciding = len(parts) - 1
    facts = ("Table V", "compare", (table,), last.verdict, deciding, parts)
    return ClaimResult(name, says, f'"Quote" {NASTY}', *facts)


def some_results() -> ClaimResults:
    part = PartResult(
        "NDR-Restore over AirNet, SOTS",
        "reproduced",
        unit="PSNR",
        estimate=0.8123,
        interval=(0.71, 0.9),
        bound=0.7,
        paper=0.7,
        in_paper="does not hold",
        paper_gap="below",
        images=500,
        scenes=492,
        trainings=1,
    )
    missing = PartResult(NASTY, "not run", NASTY, "PSNR")
    claims = (
        _claim("one", "lambda " + NASTY, "table_05", part),
        _claim("two", "Two.", "table_10", part, missing),
        ClaimResult("three", "Three.", "Quote", "Text", "missing", (), "not run", None, (), NASTY),
    )
    return ClaimResults("quick", claims)


def rendered(section: object) -> str:
    return environment().get_template("_claims.html.j2").render(claims=section)


def test_the_section_shows_verdicts_intervals_and_the_papers_number(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    some_results().write(path)
    assert ClaimResults.read(path) == some_results()
    html = rendered(claims_section(path, "quick", ["table_05"]))
    section = parsed(html)
    heads = [head.text.split(maxsplit=1)[1] for head in section.all("h3")]
    assert heads == ["1 reproduced, 1 of them for one training", "2 not run"]
    first, *_ = (item for item in section.all("li") if "claim" in item.classes())
    links = [link.attributes["href"] for head in section.all("h4") for link in head.all("a")]
    assert links == ["#table_05"]
    (measured,) = (p for p in first.all("p") if "measured" in p.classes())
    assert measured.text == (
        "+0.81 dB (+0.71 to +0.90) paper +0.70 dB, claimed +0.7 dB, below our interval "
        "▲ The paper's own numbers do not support it."
    )
    assert "; for one training" in first.text
    (folded, _) = (each for each in section.all("details") if each.all("h4"))
    for words in (
        'Paper: "Quote"',
        "Decisive: NDR-Restore over AirNet, SOTS; paper +0.70 dB, claimed +0.7 dB, below our "
        "interval; 500 images, 492 scenes, 1 training",
        "▲ The paper's own numbers do not support it.",
    ):
        assert words in folded.text
    rows = [[cell.text for cell in row.children] for row in section.all("tr")]
    assert rows[3] == [
        "NDR-Restore over AirNet, SOTS",
        "+0.81 dB",
        "+0.71 to +0.90",
        "+0.70 dB, claimed +0.7 dB, below our interval",
        "does not hold",
        "reproduced for one training",
    ]
    assert rows[4] == [NASTY, *[MISSING] * 4, f"not run {NASTY}"]
    assert NASTY in section.text
    assert "<script" not in html


@pytest.mark.parametrize(
    ("unit", "shown", "paper"),
    [
        ("ratio", f"{TIMES}0.81", f"{TIMES}28.40, claimed at most {TIMES}0.70"),
        ("M", "0.812 M", "28.4 M, claimed +0.7 M"),
        ("SSIM", "+0.8123 SSIM", "+28.4000 SSIM, claimed +0.7 SSIM"),
        ("s", "+0.81230 s", "+28.40000 s, claimed at most 0.7 s"),
        ("number", "0.81", "28.40, compared with 0.70"),
    ],
)
def test_each_unit_has_its_digits(tmp_path: Path, unit: str, shown: str, paper: str) -> None:
    path = tmp_path / "claims.json"
    claim = some_results().claims[0]
    part = dataclasses.replace(claim.parts[0], unit=unit, paper=28.4)
    claims = (dataclasses.replace(claim, parts=(part,)),)
    dataclasses.replace(some_results(), claims=claims).write(path)
    section = parsed(rendered(claims_section(path, "quick")))
    (measured,) = (p for p in section.all("p") if "measured" in p.classes())
    assert measured.text.startswith(f"{shown} (")
    assert f") paper {paper}, below our interval" in measured.text


def test_without_a_file_the_section_says_so() -> None:
    html = rendered(claims_section(None, "quick"))
    assert "were not judged" in html
    assert "<li" not in html


def test_claims_of_another_tier_or_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    some_results().write(path)
    with pytest.raises(ClaimTierError, match=r"'quick'.*'paper'"):
        claims_section(path, "paper")
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "schema": 9}), encoding="utf-8")
    with pytest.raises(ResultFileError, match="expected schema 2, found 9"):
        ClaimResults.read(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ResultFileError, match="delete"):
        ClaimResults.read(path)


def test_the_command_judges_the_committed_claims(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_10(tmp_path, {"NDR-Restore": everywhere(0.5, 1.0), DQ: everywhere(0.0)})
    table.write(tmp_path / "table_10.json")
    counts = PartCounts(
        restore=28407819,
        degrade=10709673,
        query_and_injection=2385699,
        representation=4096,
        encoder_and_decoder=26018024,
    )
    variant = dataclasses.replace(VARIANT, with_never_used=counts)
    ParameterCounts({"first_release": variant}).write(tmp_path / "counts.json")
    arguments = ["--claims", str(CLAIMS), "--tables", str(tmp_path / "table_10.json")]
    arguments += ["--results", str(tmp_path), "--parameter-counts", str(tmp_path / "counts.json")]
    arguments += ["--out", str(tmp_path / "claims.json")]
    main(arguments)
    first = (tmp_path / "claims.json").read_bytes()
    found = {c.id: c for c in ClaimResults.read(tmp_path / "claims.json").claims}
    assert found["query_helps"].verdict == "reproduced"
    assert found["injection_helps"].verdict == "not run"
    assert found["size_of_networks"].verdict == "reproduced"
    assert found["size_of_backbone"].verdict == "reproduced"  # approximately
    assert found["modules_are_a_small_overhead"].verdict == "reproduced"
    assert found["airnet_is_faster"].parts[0].reason.endswith("network_costs.json is not there")
    assert found["haze_over_airnet"].parts[0].reason.startswith("Table V is not among")
    main(arguments)
    assert (tmp_path / "claims.json").read_bytes() == first
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--claims", str(tmp_path / "none.yaml")])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
