"""A disk that cannot be written ends each command of the report in one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reports import build, summarise
from tests.conftest import REPOSITORY
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import SmallReport


def tables_of(report: SmallReport, folder: Path) -> list[str]:
    paths = [folder / f"{table.name}.json" for table in report.tables]
    for path, table in zip(paths, report.tables, strict=True):
        table.write(path)
    return [str(path) for path in paths]


def test_the_commands_of_a_table_and_the_page(
    small_report: SmallReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is wanted")
    results, counts = str(small_report.results), str(small_report.parameter_counts)
    tables = tables_of(small_report, tmp_path)
    plan = made.plan([made.row(made.NDR, "NDR-Restore")]).canonical_json()
    outs = [f"--out-{kind}={blocked / kind}" for kind in ("json", "csv", "md", "tex")]
    commands: list[tuple[Callable[[list[str]], object], list[str]]] = [
        (
            summarise.main,
            ["--table-json", plan, "--results", results, *outs],
        ),
        (
            build.main,
            [
                *("--report-json", small_report.description.canonical_json(), "--tables", *tables),
                *("--results", results, "--parameter-counts", counts, "--single-file"),
                *("--out", str(blocked / "page.html")),
            ],
        ),
    ]
    for main, words in commands:
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = capsys.readouterr().err
        assert ended.value.code == 1
        assert "blocked" in said
        assert len(said.splitlines()) == 1, said


def test_the_counts(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is wanted")
    words = ["-m", "ndr.network.parameter_counts", "--out", str(blocked / "x.json")]
    result = subprocess.run(
        [sys.executable, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "cannot write" in result.stderr
    assert "Traceback" not in result.stderr
