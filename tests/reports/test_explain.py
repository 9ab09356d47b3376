"""`reports.explain`: which cell names mean, and what is said before and after a run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ndr.nearest_name import UnknownNameError
from ndr.specs.run_spec import EvaluationSpec, RunSpec
from ndr.specs.typed_file import read_yaml
from reports.explain import main
from reports.explanation.cell_choice import (
    AmbiguousCellError,
    Choice,
    DryRunError,
    choose_cell,
    parsed_jobs,
    planned_jobs,
)
from tests.project_copy import copy_project
from workflows.configuration import CONFIG, suite_config
from workflows.suite import Suite
from workflows.targets import PlannedCell, ablation_targets, cell_targets, planned_cells

LAMBDA = "ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return Suite(suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke"}))


@pytest.fixture(scope="module")
def cells(suite: Suite) -> list[PlannedCell]:
    return planned_cells(suite.plan)


def chosen(
    cells: list[PlannedCell], table: str, system: str, test_set: str, setting: str | None = None
) -> Choice:
    return choose_cell(cells, table, system, test_set, setting)


@pytest.mark.parametrize("table", ["table_05", "Table V", "V", "5", "05", "v"])
@pytest.mark.parametrize("system", ["ndr_restore", "NDR-Restore", "ndr restore"])
@pytest.mark.parametrize("test_set", ["rain100l", "Rain100L", "smoke_rain", "Rain"])
def test_names_are_forgiving(
    cells: list[PlannedCell], table: str, system: str, test_set: str
) -> None:
    choice = chosen(cells, table, system, test_set)
    assert choice.cell.name == "table_05__noise_rain_haze__ndr_restore__rain100l"
    # The mix of all tasks is meant; the other two are named.
    assert [cell.setting for cell in choice.others] == ["noise_rain", "rain_haze"]


@pytest.mark.parametrize("setting", ["noise_rain", "noise+rain", "Noise Rain"])
def test_setting_narrows(cells: list[PlannedCell], setting: str) -> None:
    choice = chosen(cells, "V", "ndr_restore", "rain100l", setting)
    assert choice.cell.row.run == "ndr_restore__noise_rain__seed_0"
    assert not choice.others


@pytest.mark.parametrize(
    ("system", "run"),
    [
        ("lambda = 0.5", LAMBDA),
        ("lambda_degrad_0.5", LAMBDA),
        (LAMBDA, LAMBDA),
        ("NDR-Restore(lambda=0.5)", LAMBDA),
        ("ndr_restore", "ndr_restore__noise_rain_haze__seed_0"),  # the unchanged one
    ],
)
def test_ablations_by_label_change_and_run(cells: list[PlannedCell], system: str, run: str) -> None:
    assert chosen(cells, "XI", system, "sots").cell.row.run == run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("table_055", "ndr_restore", "sots"), "did you mean 'table_05'"),
        (("V", "ndr_restor", "sots"), "did you mean 'ndr_restore'"),
        (("V", "ndr_restore", "rain100"), "did you mean 'smoke_rain'"),
        (("V", "ndr_restore", "sots", "noise_rain_hase"), "did you mean 'noise_rain_haze'"),
        (("V", "zzzz", "sots"), "expected one of airnet, mprnet"),
    ],
)
def test_unknown_names_show_the_nearest(
    cells: list[PlannedCell], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        chosen(cells, *arguments)


def test_ambiguous_names_list_the_choices(cells: list[PlannedCell]) -> None:
    # Two of the mixes have noise, none holds the other: without the third they are equals.
    pair = [cell for cell in cells if cell.setting in {"noise_rain", "noise_haze"}]
    with pytest.raises(AmbiguousCellError) as caught:
        chosen(pair, "V", "ndr_restore", "BSD68_sigma25")
    for setting in ("noise_rain", "noise_haze"):
        assert f"table_05__{setting}__ndr_restore__bsd68_sigma25" in str(caught.value)


def test_every_cell_has_a_target_of_its_own(suite: Suite, cells: list[PlannedCell]) -> None:
    targets = cell_targets(suite.plan)
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        assert targets[cell.name] == list(cell.row.runs)
        assert set(cell.row.runs) <= set(targets[cell.short_name])
        # Targets are rules: none may hide a run or a table.
        assert not {cell.name, cell.short_name} & {*suite.plan.evaluations, *suite.plan.all_tables}
    assert set(targets["table_05__ndr_restore__rain100l"]) == {
        f"ndr_restore__{mix}__seed_0" for mix in ("noise_rain", "rain_haze", "noise_rain_haze")
    }


def test_ablations_compare_with_the_unchanged_network(suite: Suite) -> None:
    targets = ablation_targets(suite.plan)
    unchanged = "ndr_restore__noise_rain_haze__seed_0"
    assert targets["ablation_lambda_0.5"] == [LAMBDA, unchanged]
    assert "ablation_without_degradation_query" in targets
    assert all(runs[-1] == unchanged for runs in targets.values())
    assert len(targets) == 12


def test_jobs_are_read_from_what_snakemake_prints() -> None:
    output = (
        "Job stats:\n\n[Mon]\nrule train_run:\n    input: a\n    output: b, c\n"
        "    log: logs/x.log (check log file(s) for error details)\n"
        "Shell command: python -m ndr.train --spec '{\"a\": 1}' > logs/x.log 2>&1\n\n"
        "[Mon]\nrule table_11:\n    input: b\nShell command: None\n"
    )
    (job,) = parsed_jobs(output)
    assert (job.rule, job.outputs, job.log) == ("train_run", ("b", "c"), "logs/x.log")
    assert shlex.split(job.command)[4] == '{"a": 1}'


def test_workflow_that_cannot_be_planned(tmp_path: Path) -> None:
    with pytest.raises(DryRunError, match="Snakefile"):
        planned_jobs(tmp_path, ["anything"], [])


@pytest.mark.slow
def test_explanation_before_anything_has_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a tree without results: what would run, and commands that can be pasted."""
    folder = copy_project(tmp_path / "suite")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    code = (
        "import reports.explain as e, pathlib, sys; "
        "e.explain.__defaults__ = (pathlib.Path.cwd(),); "
        "sys.exit(e.main(sys.argv[1:]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "XI", "lambda = 0.5", "rain100l", "--tier", "smoke"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = [line.strip() for line in result.stdout.splitlines()]
    (todo,) = [line for line in lines if line.startswith("not run yet: ")]
    assert "1 training, 1 evaluation" in todo
    assert any("the paper: " in line for line in lines)
    assert "arguments.lambda_degrad: 0.5" in lines
    (train,) = [line for line in lines if line.startswith("python -m ndr.train ")]
    spec = RunSpec.from_json(shlex.split(train)[4])
    assert spec.run == LAMBDA
    assert any(spec.sha256() in line for line in lines)
    (evaluate,) = [line for line in lines if line.startswith("python -m ndr.evaluate ")]
    assert EvaluationSpec.from_json(shlex.split(evaluate)[4]).run == LAMBDA


def test_command_names_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table_99", "ndr_restore", "rain100l", "--tier", "smoke"]) == 2
    assert "unknown table 'table_99'" in capsys.readouterr().err
    assert main(["V", "ndr_restore", "rain100l", "--tier", "smok"]) == 2
    assert "did you mean 'smoke'" in capsys.readouterr().err
