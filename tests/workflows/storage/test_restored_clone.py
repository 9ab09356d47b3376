"""A tier is run, stored, and restored in another clone: Snakemake takes it for its own work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project_copy import PROGRAM, STORAGE, copy_project, jobs, run_in, succeeded
from tests.workflows.storage.stored_checkout import git

KEPT = (0.5, 1.0)
"""Two of the five weights of Table XI are enough."""

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> str:
    return succeeded(folder, run_in(folder, [sys.executable, "-m", *command]))


def snakemake(folder: Path, *arguments: str) -> str:
    table = ("snakemake", "--cores", "2", "table_11", "--config", "tier=smoke")
    return run(folder, *table, *arguments)


def keep_weights(config: Path) -> None:
    path = config / "tables" / "table_11.yaml"
    table = yaml.safe_load(path.read_text())
    table["rows"] = [
        row for row in table["rows"] if row.get("changes", {}).get("lambda_degrad", 1.0) in KEPT
    ]
    assert len(table["rows"]) == len(KEPT)
    path.write_text(yaml.safe_dump(table))


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit of the project with a finished small table, and with its snapshot."""
    folder = copy_project(tmp_path_factory.mktemp("origin"), (*PROGRAM, *STORAGE))
    keep_weights(folder / "config")
    git(folder, "init", "--quiet")
    assert jobs(snakemake(folder))["train_run"] == len(KEPT)
    stored = run(
        folder, "workflows.storage.snapshot", "--tier", "smoke", "--remote", f"{folder}-remote"
    )
    assert f"{len(KEPT)} checkpoints" in stored
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "with a snapshot")
    return folder


@pytest.fixture(scope="module")
def clone(origin: Path) -> Path:
    """A clone of that commit, restored."""
    folder = origin.with_name("clone")
    git(origin, "clone", "--quiet", str(origin), str(folder))
    assert not (folder / "results").exists()
    restored = run(
        folder, "workflows.storage.restore", "--tier", "smoke", "--remote", f"{origin}-remote"
    )
    assert "0 were there" in restored
    assert "images are not here" not in restored
    return folder


def test_a_restored_clone_has_nothing_to_do(clone: Path) -> None:
    assert "Nothing to be done" in snakemake(clone, "-n")
    # Nothing that git tracks was touched, and all that was written is ignored.
    status = ["git", "status", "--porcelain"]
    assert not subprocess.run(status, cwd=clone, capture_output=True, check=True).stdout


def test_storing_again_changes_no_pointer(origin: Path) -> None:
    run(origin, "workflows.storage.snapshot", "--tier", "smoke")
    status = ["git", "status", "--porcelain", "snapshots"]
    assert not subprocess.run(status, cwd=origin, capture_output=True, check=True).stdout


def test_a_changed_parameter_runs_exactly_its_runs(clone: Path) -> None:
    path = clone / "config" / "tables" / "table_11.yaml"
    table = yaml.safe_load(path.read_text())
    changed = [row for row in table["rows"] if row.get("changes")]
    changed[0]["changes"]["lambda_degrad"] = 0.7
    path.write_text(yaml.safe_dump(table))
    ran = jobs(snakemake(clone))
    assert ran == {"train_run": 1, "evaluate_run": 1, "summarise_table": 1, "table_11": 1}
    assert (clone / "results/smoke/tables/table_11.json").read_text().count("0.7") > 0
