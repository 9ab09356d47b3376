"""CSV, Markdown and LaTeX of a table: full precision, marks, and names that try to break out."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ndr.records import table_result as t
from ndr.records.table_result import TableResult
from reports.summarise import summarise
from reports.tables import csv_export, markdown_export, tex_export
from tests.reports import fabricated_results as made
from tests.reports.fabricated_results import NAFNET, NDR, NOISE, RAIN

NASTY = r"""<img src=x> & | `a` *b* \input{/etc/passwd} $x$ 50 % #1 ~ ^ _ "quoted" [z] ../../up"""


@pytest.fixture
def table(tmp_path: Path) -> TableResult:
    results = tmp_path / "results" / "quick"
    made.write_standard(results)
    values = {NOISE: {"a": 1 / 3, "b": 29.1}, RAIN: {"a": 25.0, "b": 25.7}}
    made.write_trained(results, NAFNET, values)
    rows = [
        made.row(NAFNET, "NAFNet", label=NASTY),
        made.row(None, "AirNet"),
        made.row(NDR, "NDR-Restore"),
    ]
    return summarise(made.plan(rows, title=NASTY, notes=(NASTY,)), results)


def csv_lines(table: TableResult) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_export.table_csv(table))))


def test_csv_has_every_number_once_at_full_precision(table: TableResult) -> None:
    lines = csv_lines(table)
    expected = [
        (row.label, cell.column, n.protocol, n.metric, n.value)
        for row in table.blocks[0].rows
        for cell in row.cells
        for n in cell.numbers
    ]
    found = [
        (
            line["label"],
            line["test_set"] or t.AVERAGE,
            line["protocol"],
            line["metric"],
            float(line["value"]),
        )
        for line in lines
        if line["value"]
    ]
    assert len(expected) == 36
    assert sorted(found) == sorted(expected)
    first = next(line for line in lines if line["label"] == NASTY)
    assert first["value"] == repr((1 / 3 + 29.1) / 2)
    assert float(first["difference"]) == (1 / 3 + 29.1) / 2 - 31.23
    assert first["degraded_input"] == "20.5"
    assert (first["interval_low"], first["interval_high"]) == (repr(1 / 3), "29.1")
    assert (first["n"], first["seeds"], first["agreement"]) == ("2", "1", "off")
    assert (first["rank"], first["from_best"]) == ("2", "not distinguishable")
    others = [line for line in lines if line["shown"] == "no"]
    assert {(line["interval_low"], line["seeds"], line["agreement"]) for line in others} == {
        ("", "", "")
    }


def test_csv_says_why_a_number_is_missing(table: TableResult) -> None:
    lines = [line for line in csv_lines(table) if line["label"] == "AirNet"]
    papers = [line["paper"] for line in lines]
    assert papers == ["31.46", "0.8923", "38.31", "0.9824", "33.01", "0.9035"]
    assert {(line["status"], line["reason"], line["value"]) for line in lines} == {
        (t.LEFT_OUT, "not yet in the suite", "")
    }


def test_markdown_keeps_its_columns_and_escapes_names(table: TableResult) -> None:
    text = markdown_export.table_markdown(table)
    assert "<img" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in rows}
    assert bars == {10}
    assert "**30.50**<br>\\[30.00, 31.00\\]<br>(31.48; \N{MINUS SIGN}0.98, off)" in text
    assert "<u>14.72</u><br>\\[0.33, 29.10\\]<br>(31.23; \N{MINUS SIGN}16.51, off)" in text
    assert "left out<br>(31.46)" in text
    assert "close (within PSNR 0.1, SSIM 0.005" in text


def unescaped(text: str, characters: str) -> list[str]:
    return re.findall(rf"(?<!\\)[{re.escape(characters)}]", text)


def test_tex_escapes_names(table: TableResult) -> None:
    escaped = tex_export.escaped(NASTY)
    assert r"\input" not in escaped
    assert not unescaped(escaped, "%#&_")
    assert escaped.count("{") == escaped.count("}")
    text = tex_export.table_tex(table)
    assert r"\input" not in text.replace("% Table", "").split(r"\begin{table*}")[1]
    assert text.splitlines()[0].startswith("% Table V")
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    cells = {len(unescaped(line, "&")) for line in body if "multicolumn" not in line}
    assert cells == {8}
    assert r"\textbf{30.50}" in text
    assert r"\underline{14.72}" in text
    assert r"{\scriptsize $^{+0.50}_{-0.50}$}" in text
    assert r"{\scriptsize 31.48\,$-$}" in text


def test_a_mark_stands_for_its_word(table: TableResult) -> None:
    """By word or sign, in every export; second best is in the csv alone."""
    block = table.blocks[0]
    ours = block.rows[3].cells[0]
    shown = dataclasses.replace(ours.shown[0], agreement="close", rank=2, from_best="")
    row = dataclasses.replace(
        block.rows[3], cells=(dataclasses.replace(ours, shown=(shown, ours.shown[1])),)
    )
    marked = dataclasses.replace(
        table,
        columns=table.columns[:1],
        blocks=(dataclasses.replace(block, rows=(row,)),),
    )
    assert "; \N{MINUS SIGN}0.98, close)" in markdown_export.table_markdown(marked)
    assert "| 30.50<br>" in markdown_export.table_markdown(marked)
    assert r"31.48\,$\approx$" in tex_export.table_tex(marked)
    assert "& 30.50 &" in tex_export.table_tex(marked)
    (line, *_) = csv_lines(marked)
    assert (line["rank"], line["from_best"], line["agreement"]) == ("2", "", "close")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive)")
def test_tex_compiles(table: TableResult, tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(tex_export.table_tex(table), encoding="utf-8")
    (tmp_path / "page.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}"
        "\\begin{document}\\input{table}\\end{document}\n",
        encoding="utf-8",
    )
    result = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "page"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:]
