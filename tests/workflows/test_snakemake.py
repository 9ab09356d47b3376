"""The workflow itself, run at the smoke tier in a copy of the project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.claim_results import ClaimResults
from ndr.records.figure_record import FigureRecord
from ndr.records.leak_findings import LeakFindings
from ndr.records.network_costs import NetworkCosts
from ndr.records.network_layout import NetworkLayout
from ndr.records.parameter_counts import ParameterCounts
from ndr.records.per_image import read_evaluation
from ndr.records.provenance import (
    EvaluationProvenance,
    TrainingProvenance,
    evaluation_provenance,
)
from ndr.records.record import Record
from ndr.records.representation import RepresentationFile
from ndr.records.table_result import TableResult
from reports.analysis.sensitivity import Sensitivity
from tests.conftest import REPOSITORY
from tests.project_copy import copy_project, jobs, run_in, succeeded
from tests.reports.pair_words import judged_pairs

TRAININGS = 97
"""Runs of all fourteen tables; tests/workflows/test_planning.py counts them."""
NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV")
LAMBDA = "ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0"

PAGE = "reports/all_tables.html"

RECORDS: dict[str, type[Record]] = {
    "runs/*/provenance.json": TrainingProvenance,
    "runs/*/checkpoint.safetensors": CheckpointHeader,
    "evaluations/*/provenance.json": EvaluationProvenance,
    "tables/*.json": TableResult,
    "figures/*.json": FigureRecord,
    "representation/*.json": RepresentationFile,
    "claims.json": ClaimResults,
    "leaks.json": LeakFindings,
    "network_layout.json": NetworkLayout,
    "network_costs.json": NetworkCosts,
    "parameter_counts.json": ParameterCounts,
    "sensitivity.json": Sensitivity,
}
"""Every kind of file of a tier's results."""

pytestmark = pytest.mark.slow


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_in(folder, [sys.executable, "-m", "snakemake", "--cores", "2", *arguments])


def made(folder: Path, *arguments: str) -> str:
    return succeeded(folder, snakemake(folder, *arguments, "--config", "tier=smoke"))


def planned(folder: Path, *arguments: str) -> Counter[str]:
    return jobs(made(folder, "-n", *arguments))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} does not contain {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def one_table(project: Path) -> str:
    """Output of the call that makes Table XI alone."""
    return made(project, "table_11")


@pytest.fixture(scope="module")
def report(project: Path, one_table: str) -> str:
    """Output of the call that makes everything else."""
    return succeeded(project, snakemake(project, PAGE, "--config", "tier=smoke"))


def test_one_table_runs_what_it_needs(one_table: str) -> None:
    ran = jobs(one_table)
    assert ran["train_run"] == 5
    assert ran["evaluate_run"] == 6  # the degraded input's too
    assert ran["summarise_table"] == 1
    assert ran["render_report"] == 0


def test_report_is_complete(project: Path, report: str) -> None:
    html = (project / "reports" / "all_tables.html").read_text(encoding="utf-8")
    for number in NUMERALS:
        assert f"Table {number}:" in html
    folder = project / "results" / "smoke" / "tables"
    for name in (f"table_{number:02}" for number in range(1, 15)):
        assert {path.suffix for path in folder.glob(f"{name}.*")} == {
            ".json",
            ".csv",
            ".md",
            ".tex",
        }
        assert json.loads((folder / f"{name}.json").read_text())


def test_no_pair_of_systems_has_two_words(project: Path, report: str) -> None:
    results = project / "results" / "smoke"
    tables = [TableResult.read(path) for path in sorted(results.glob("tables/table_*.json"))]
    pairs = list(judged_pairs(tables, results))
    assert len(pairs) > 500
    assert [pair.contradiction for pair in pairs if pair.contradiction] == []


def test_every_file_of_results_is_read_by_its_record(project: Path, report: str) -> None:
    results = project / "results" / "smoke"
    read = set()
    for pattern, kind in RECORDS.items():
        paths = sorted(results.glob(pattern))
        assert paths, pattern
        for path in paths:
            record = kind.read(path)
            if path.suffix == ".json":
                assert record.content() == json.loads(path.read_text(encoding="utf-8")), path
                read.add(path)
    assert set(results.rglob("*.json")) == read
    for path in sorted(results.glob("evaluations/*/per_image.csv")):
        run = path.parent.name
        found = read_evaluation(path, run, may_be_empty=True)
        assert not found.problems
        job = evaluation_provenance(results, run)
        assert job is not None
        failed = set(job.failures)
        assert {key.test_set for key in found.series} == set(job.images) - failed


def left_of(project: Path) -> tuple[int, int]:
    """Trainings and scores that the estimate says are left."""
    arguments = ["-m", "workflows.estimate", "--config", "tier=smoke", "--json"]
    total = json.loads(run_in(project, [sys.executable, *arguments]).stdout)["sum"]
    return total["left"], total["scores_left"]


def test_the_estimate_counts_what_is_left(project: Path, report: str) -> None:
    assert left_of(project) == (0, 0)
    path = project / "config" / "tables" / "table_11.yaml"
    edit(path, "lambda_degrad: 0.5}", "lambda_degrad: 0.7}")
    try:
        assert left_of(project) == (1, 1)
    finally:
        edit(path, "lambda_degrad: 0.7}", "lambda_degrad: 0.5}")


def test_what_one_table_made_is_not_made_again(one_table: str, report: str) -> None:
    # The five of Table XI were there.
    assert jobs(report)["train_run"] == TRAININGS - 5


def test_second_call_does_nothing(project: Path, report: str) -> None:
    again = succeeded(project, snakemake(project, PAGE, "--config", "tier=smoke"))
    assert "Nothing to be done" in again


def test_one_run_by_its_id(project: Path, report: str) -> None:
    assert not planned(project, LAMBDA)
    results = project / "results" / "smoke"
    checkpoint = results / "runs" / LAMBDA / "checkpoint.safetensors"
    before = checkpoint.read_bytes()
    checkpoint.unlink()
    # Nothing that is asked for is missing: a checkpoint that was removed to save space stays so.
    assert not planned(project, LAMBDA)
    (results / "evaluations" / LAMBDA / "per_image.csv").unlink()
    assert planned(project, LAMBDA)["train_run"] == 1
    made(project, LAMBDA)
    assert checkpoint.read_bytes() == before
    # The report quotes the provenance of the new run.
    made(project, PAGE)


def test_comment_runs_nothing_and_code_runs_what_it_touches(project: Path, report: str) -> None:
    path = project / "baselines" / "all_in_one" / "restormer.py"
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(original + "\n# a remark\n", encoding="utf-8")
        assert not planned(project, PAGE)
        path.write_text(original + "\nREMARK = 1\n", encoding="utf-8")
        # 14 rows of the tables, and PromptIR, which is built on it.
        assert planned(project, PAGE)["train_run"] == 14 + 1
    finally:
        path.write_text(original, encoding="utf-8")


def test_changed_weight_trains_one_run(project: Path, report: str) -> None:
    path = project / "config" / "tables" / "table_11.yaml"
    edit(path, "lambda_degrad: 0.5}", "lambda_degrad: 0.7}")
    try:
        wanted = planned(project, "table_11")
        assert wanted["train_run"] == 1
        assert wanted["evaluate_run"] == 1
        assert wanted["summarise_table"] == 1
    finally:
        edit(path, "lambda_degrad: 0.7}", "lambda_degrad: 0.5}")


def test_touched_and_copied_files_run_nothing(project: Path, report: str) -> None:
    path = project / "results" / "smoke" / "runs" / LAMBDA / "checkpoint.safetensors"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert not planned(project, PAGE)


def test_without_a_target_the_report_is_made(project: Path, report: str) -> None:
    """A default target inside an included file would count for nothing."""
    (project / "reports" / "all_tables.html").unlink()
    assert planned(project) == {"all": 1, "render_report": 1}
    made(project, PAGE)


@pytest.mark.parametrize("tier", ["quick", "small", "paper"])
def test_other_tiers_resolve(project: Path, tier: str) -> None:
    result = snakemake(project, PAGE, "--config", f"tier={tier}", "sources=retrained", "-n")
    assert jobs(succeeded(project, result))["train_run"] == TRAININGS


@pytest.mark.parametrize("tier", ["quick", "small"])
def test_tiers_of_shipped_networks_train_nothing(tmp_path: Path, tier: str) -> None:
    project = copy_project(tmp_path / "project")
    shutil.copytree(REPOSITORY / "weights", project / "weights")
    result = snakemake(project, PAGE, "--config", f"tier={tier}", "-n")
    planned = jobs(succeeded(project, result))
    assert planned["shipped_run"] >= 4
    assert "train_run" not in planned


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "teir=smoke", "-n"), "did you mean 'tier'"),
        (("--config", "tier=smok", "-n"), "did you mean 'smoke'"),
        (("--config", "tables=table_111", "-n"), "did you mean 'table_11'"),
    ],
)
def test_misspelt_configuration_stops(
    project: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = snakemake(project, PAGE, *arguments)
    assert result.returncode != 0
    assert message in result.stdout + result.stderr


def test_authors_weights_fill_cells_and_say_what_is_missing(project: Path, report: str) -> None:
    """The weights of a mirror are evaluated; for the others the cell says where they are."""
    folder = project / "mirror"
    folder.mkdir()
    options = (
        "tier=smoke",
        "sources=official_weights",
        "weights_mirrors=mirror",
        "tables=table_02",
    )
    output = succeeded(project, snakemake(project, "table_02", "--config", *options))
    assert jobs(output)["train_run"] == 0
    content = json.loads((project / "results/smoke/tables/table_02.json").read_text())
    rows = {row["label"]: row for block in content["blocks"] for row in block["rows"]}
    (cell,) = rows["UMRL"]["cells"]
    assert cell["status"] == "failed"
    assert "is unavailable" in cell["reason"]
    assert "https://" in cell["reason"]
    assert "publish no weights" in rows["LPNet"]["reason"]
    # What was trained is there again at once.
    made(project, PAGE)
