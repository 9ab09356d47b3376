"""Without bm3d and pyiqa, which are not free for all: their cells say so, all else works."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from tests.project_copy import copy_project, run_in, succeeded

BLOCKED = "import sys\nsys.modules.update(dict.fromkeys(('bm3d', 'pyiqa')))\n"
ACCEPTED = "accepted_terms=[bm3d_non_commercial,pyiqa_non_commercial]"


@pytest.mark.slow
def test_a_report_without_them(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    # Read by every Python that starts in the copy, those of the jobs included.
    (project / "sitecustomize.py").write_text(BLOCKED)
    tried = run_in(project, [sys.executable, "-c", "import pyiqa"])
    assert "ModuleNotFoundError" in tried.stderr
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "reports/all_tables.html"]
    command += ["--config", "tier=smoke", "tables=[table_controls,table_07]"]
    command += ["only_methods=[oracle,identity,bm3d]", "metrics=[lpips]", ACCEPTED]
    succeeded(project, run_in(project, command))
    tables = project / "results" / "smoke" / "tables"
    with (tables / "table_controls.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["shown"] == "yes"]
    values = {(line["label"], line["metric"]): line["value"] for line in lines}
    assert values["Degraded input", "PSNR"]
    assert values["oracle (ground truth)", "SSIM"]
    assert not values["CBM3D, sigma given", "PSNR"]
    assert not values["Degraded input", "lpips"]
    with (tables / "table_07.csv").open(encoding="utf-8", newline="") as file:
        inputs = [line for line in csv.DictReader(file) if line["label"] == "Degraded input"]
    assert all(line["value"] for line in inputs if line["metric"] == "PIQE")
    assert not any(line["value"] for line in inputs if line["metric"] in ("DBCNN", "MUSIQ"))
    text = (tables / "table_controls.json").read_text(encoding="utf-8")
    assert "extra [bm3d]" in text
    for name in ("table_controls", "table_07"):
        said = json.dumps(json.loads((tables / f"{name}.json").read_text(encoding="utf-8")))
        assert "needs the package pyiqa" in said
    page = (project / "reports" / "all_tables.html").read_text(encoding="utf-8")
    assert "extra [bm3d]" in page
    assert "extra [quality]" in page
