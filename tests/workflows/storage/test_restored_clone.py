"""A tier is run, stored, and restored in another clone: Snakemake takes it for its own work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.workflows.storage.stored_checkout import git

ROOT = REPOSITORY
SOURCES = (
    *("ndr", "baselines", "workflows", "reports", "config", "profiles", "Snakefile"),
    *(".dvc", ".dvcignore", ".gitignore", "dvc.yaml"),
)
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "all_tables.html", "assets", "cache", "tmp", "config.local"
)
KEPT = (0.5, 1.0)
"""Two of the five weights of Table XI are enough."""

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> str:
    # The rules call `python`: it has to be the one that runs the tests.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PATH": path}
    environment.pop("SNAKEMAKE_PROFILE", None)
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    output = result.stdout + result.stderr
    if result.returncode != 0:
        logs = "\n".join(path.read_text()[-1500:] for path in folder.glob("logs/**/*.log"))
        pytest.fail(f"{command}: {output[-4000:]}\n{logs[-4000:]}")
    return output


def snakemake(folder: Path, *arguments: str) -> str:
    table = ("snakemake", "--cores", "2", "table_11", "--config", "tier=smoke")
    return run(folder, *table, *arguments)


def jobs(output: str) -> Counter[str]:
    """Jobs per rule, from the table that Snakemake prints before it starts."""
    table = re.search(r"Job stats:\n(.*?)\n\n", output, re.DOTALL)
    lines = table[1].splitlines()[2:] if table else []
    found = Counter({line.split()[0]: int(line.split()[1]) for line in lines})
    found.pop("total", None)
    return found


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
    folder = tmp_path_factory.mktemp("origin")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, folder / name)
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
