"""The estimate of the tables: every run once, finished ones left out, in time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ndr.data.catalogue import load_catalogue
from ndr.records.provenance import Hardware
from ndr.specs.typed_file import read_yaml
from tests.conftest import REPOSITORY
from tests.reports import fabricated_results as made
from workflows.configuration import CONFIG, suite_config
from workflows.estimate.__main__ import as_json, as_text, main
from workflows.estimate.hours import TABLE, cost_key
from workflows.estimate.tables import TableEstimate, estimate, total_of
from workflows.planning import Plan, make_plan
from workflows.report_parts import sensitivity_plan

ROOT = REPOSITORY
ABLATION = "ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0"
MAIN = "ndr_restore__noise_rain_haze__seed_0"


def content(**changes: Any) -> dict[str, Any]:
    return {**read_yaml(CONFIG / "config.yaml"), "tier": "paper", **changes}


def plan(**changes: Any) -> Plan:
    return make_plan(suite_config(content(**changes)), load_catalogue(CONFIG / "datasets.yaml"))


def trainings(made: Plan) -> set[str]:
    """Runs that the tables of a configuration show."""
    evaluations = {run for table in made.config.tables for run in made.runs_of_table(table)}
    return {made.evaluations[run].training_run for run in evaluations} - {None}


def train(root: Path, run: str, spec_sha256: str) -> None:
    """A finished training."""
    machine = Hardware(processor="EPYC", cores=2, system="Linux", gpus=("H100",))
    facts = {"seconds_per_step": 0.036, "device": "cuda", "hardware": machine}
    made.write_training(root / "results" / "paper", run, spec_sha256=spec_sha256, **facts)


def score(root: Path, run: str, evaluation_sha256: str) -> Path:
    """A finished evaluation; returns the path of its scores."""
    results = root / "results" / "paper"
    return made.write_evaluation(results, run, {}, evaluation_sha256=evaluation_sha256)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[TableEstimate]:
    """All tables, where nothing has run."""
    return estimate(content(), tmp_path_factory.mktemp("empty"))


def test_every_run_is_counted_once(tables: list[TableEstimate]) -> None:
    total = total_of(tables)
    assert total.new == total.left == len(trainings(plan()))
    assert [item.table for item in tables] == [*content()["tables"], "beyond_tables"]
    assert sum(item.runs for item in tables) > total.new  # some tables share runs


def test_what_figures_score_is_counted_without_training_anything(
    tables: list[TableEstimate],
) -> None:
    beyond = tables[-1]
    assert (beyond.new, beyond.left, beyond.hours) == (0, 0, {})
    made = plan()
    of_tables = {run for table in made.config.tables for run in made.runs_of_table(table)}
    noise = {one.run for one in sensitivity_plan(made).noise}
    assert beyond.scores_left >= len(noise - of_tables) == len(noise) > 0
    assert total_of(tables).scores_left == len(of_tables) + beyond.scores_left


def test_every_run_has_hours(tables: list[TableEstimate]) -> None:
    missing = {cost_key(spec) for spec in plan().runs.values()} - set(json.loads(TABLE.read_text()))
    assert not missing, "run `python -m workflows.estimate.hours`"
    total = total_of(tables)
    assert not total.uncounted
    (basis,) = total.hours
    assert basis == "GPU-hours, counted for A100 class"
    # Table XI alone: four networks of about 50 hours, one of them without NDR-Degrad.
    eleven = next(item for item in tables if item.table == "table_11")
    assert 150 < sum(eleven.hours.values()) < 200


def test_finished_runs_are_left_out_and_measure_the_others(tmp_path: Path) -> None:
    only = plan(tables=["table_11"])
    train(tmp_path, ABLATION, only.runs[ABLATION].sha256())
    scores = score(tmp_path, ABLATION, only.evaluations[ABLATION].sha256())
    train(tmp_path, MAIN, "of another spec")
    score(tmp_path, MAIN, "of another spec")
    item, _ = estimate(content(tables=["table_11"]), tmp_path)
    assert (item.runs, item.new, item.left) == (5, 5, 4)
    assert item.scores_left == len(only.runs_of_table("table_11")) - 1
    # A million steps of 0.036 s are ten hours; the one without NDR-Degrad takes less.
    (basis,) = item.hours
    assert basis == "GPU-hours, measured on H100"
    assert 37 < item.hours[basis] < 40
    scores.unlink()  # they are written last: without them the evaluation is not finished
    assert estimate(content(tables=["table_11"]), tmp_path)[0].scores_left == item.scores_left + 1


def test_text_has_all_tables_and_a_command_for_each_stage(tables: list[TableEstimate]) -> None:
    text = as_text(tables, ["tier=paper", "data_mirrors=[a b]"])
    for item in tables:
        assert f"\n{item.label} " in text
    for rule in ("prepare_set", "train_run", "evaluate_run"):
        assert f"--until {rule} --config tier=paper 'data_mirrors=[a b]'" in text
    assert text.splitlines()[0].split("  ")[0] == "table"
    assert "GPU-hours" in text.splitlines()[0]


def test_json_holds_the_same(tables: list[TableEstimate]) -> None:
    parsed = json.loads(as_json(tables))
    assert len(parsed["tables"]) == len(tables)
    assert parsed["sum"]["left"] == total_of(tables).left
    assert set(parsed["sum"]["download"]) == {"bytes", "unknown"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "teir=paper"], "did you mean 'tier'"),
        (["--config", "tier=papr"], "did you mean 'paper'"),
        (["--config", "tier"], "name=value"),
        (["--card", "a10"], "did you mean 'a100'"),
    ],
)
def test_misspelt_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_command_is_quick() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "workflows.estimate", "--config", "tier=paper", "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(result.stdout)["sum"]["new"] == len(trainings(plan()))
    # Processor time: other work on the machine does not count.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20


def test_hours_of_this_machine_are_printed(tables: list[TableEstimate]) -> None:
    text = as_text(tables, [])
    (line,) = (line for line in text.splitlines() if "core-hours here without a card" in line)
    hours = total_of(tables).core_hours
    assert f"about {hours:,.0f} core-hours" in line
    # A core is slower than a card by far.
    assert hours > 50 * sum(sum(item.hours.values()) for item in tables)
