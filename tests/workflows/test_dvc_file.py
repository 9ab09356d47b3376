"""`dvc.yaml` names what exists: parameters, tiers, folders, and the runs of the plan."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from ndr.data.catalogue import load_catalogue
from ndr.shipped_weights import ShippedWeights
from ndr.specs.run_spec import RunParts, run_parts
from ndr.specs.typed_file import read_yaml
from tests.conftest import REPOSITORY
from tests.project_copy import STORAGE, copy_project, run_in, succeeded
from workflows.configuration import CONFIG, names_in, suite_config
from workflows.planning import make_plan

ROOT = REPOSITORY
CONTENT = yaml.safe_load((ROOT / "dvc.yaml").read_text())


def test_parameters_are_files() -> None:
    for path in CONTENT["params"]:
        assert (ROOT / path).is_file(), path


def test_every_real_tier_has_metrics_and_curves() -> None:
    tiers = [tier for tier in names_in("tiers") if tier != "smoke"]
    references = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "reports" / "reference").glob("*/metrics.json")
    }
    assert references
    snapshots = {f"snapshots/{tier}/metrics.json" for tier in tiers}
    assert set(CONTENT["metrics"]) == snapshots | references
    curves = {path for plot in CONTENT["plots"] for path in plot}
    assert curves == {f"snapshots/{tier}/curves" for tier in tiers}


def test_models_are_the_runs_of_the_method_itself() -> None:
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "paper"})
    runs = make_plan(config, load_catalogue(CONFIG / "datasets.yaml")).runs
    expected = {
        re.sub(r"[_.]+", "-", run.removesuffix("__seed_0")).lower(): {
            "path": f"snapshots/paper/checkpoints/{run}.safetensors",
            "type": "model",
        }
        for run, spec in runs.items()
        if spec.method == "ndr_restore"
    }
    shipped = ShippedWeights.of(ROOT / "weights").files.values()
    expected |= {
        re.sub(r"[_.]+", "-", f"shipped-{each.run.removesuffix('__seed_0')}").lower(): {
            "path": f"weights/{each.file}",
            "type": "model",
        }
        for each in shipped
        if run_parts(each.run) == RunParts("ndr_restore", run_parts(each.run).setting, (), 0)
    }
    assert CONTENT["artifacts"] == expected, "write dvc.yaml's artifacts as\n" + yaml.safe_dump(
        {"artifacts": expected}
    )


def test_a_shipped_model_is_had_from_a_clone_by_its_name(tmp_path: Path) -> None:
    clone = copy_project(tmp_path / "clone", ("weights", *STORAGE))
    name, version = "shipped-ndr-restore-noise-rain-haze", "v0.1.0"
    for command in (
        ("git", "init", "--quiet"),
        ("git", "config", "user.name", "A Tester"),
        ("git", "config", "user.email", "tester@example.org"),
        ("git", "add", "."),
        ("git", "commit", "--quiet", "--message", "Begin"),
        ("git", "tag", "--annotate", f"{name}@{version}", "--message", "First networks"),
    ):
        subprocess.run(command, cwd=clone, check=True)
    target = tmp_path / "network.safetensors"
    succeeded(clone, run_in(clone, ("dvc", "artifacts", "get", ".", name, "--out", str(target))))
    path = CONTENT["artifacts"][name]["path"]
    assert target.read_bytes() == (ROOT / path).read_bytes()


def test_the_one_stage_runs_snakemake_and_owns_the_page_alone() -> None:
    (stage,) = CONTENT["stages"].values()
    assert stage["cmd"] == "snakemake --cores all reports/all_tables.html"
    assert stage["outs"] == [{"reports/all_tables.html": {"cache": False, "persist": True}}]
    for path in stage["deps"]:
        assert (ROOT / path).exists(), path
