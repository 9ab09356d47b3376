"""CONTRIBUTING.md, "Add a metric", and docs/add_a_metric.md, followed to the letter in copies."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.project_copy import blocks, copy_project, run_in, succeeded

END_OF_ENTRIES = '    )\n)\n"""Every metric'

pytestmark = pytest.mark.slow


def follow(project: Path) -> list[str]:
    """Add the entry, the function and the table's line; returns the commands."""
    commands = []
    for block in blocks(REPOSITORY / "CONTRIBUTING.md", "Add a metric"):
        path = project / block.path
        if block.language == "bash":
            commands += block.text.splitlines()
            continue
        text = path.read_text(encoding="utf-8")
        if block.language == "yaml":
            key = block.text.partition(":")[0]
            text, replaced = re.subn(rf"^{key}: .*\n", block.text, text, flags=re.MULTILINE)
            assert replaced == 1
        elif block.path == "ndr/metrics/metric.py":
            assert text.count(END_OF_ENTRIES) == 1
            text = text.replace(END_OF_ENTRIES, block.text + END_OF_ENTRIES)
        else:
            text = f"{text}\n\n{block.text}"
        path.write_text(text, encoding="utf-8")
    return commands


def test_one_entry_and_one_function(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    (command,) = follow(project)
    succeeded(project, run_in(project, shlex.split(command)))
    results = project / "results" / "smoke"
    with (results / "tables" / "table_controls.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["metric"] == "MAE"]
    measured = [line for line in lines if line["value"] and line["label"] == "Degraded input"]
    protocols = {"ndr", "airnet", "restormer_y", "sr_y", "rgb_uint8"}
    assert {(line["test_set"], line["protocol"]) for line in measured} == {
        (test_set, protocol)
        for test_set in ("smoke_sigma25", "smoke_rain", "smoke_haze")
        for protocol in protocols
    }
    assert {line["protocol"] for line in measured if line["shown"] == "yes"} == {"ndr"}
    assert all(line["interval_low"] for line in measured if line["shown"] == "yes")
    assert {line["value"] for line in lines if line["label"] == "oracle (ground truth)"} == {"0.0"}
    assert not {line["rank"] for line in measured} - {""}

    # Its value is the mean over the images that the evaluation kept, here all of them.
    def picture(run: str, name: str) -> np.ndarray:
        path = results / "evaluations" / f"{run}__no_training__seed_0" / "pictures" / name
        return np.asarray(Image.open(path), dtype=np.float64) / 255

    names = [
        f"smoke_rain/{path.name}"
        for path in (
            results / "evaluations/identity__no_training__seed_0/pictures/smoke_rain"
        ).iterdir()
    ]
    assert len(names) == 2
    errors = [np.abs(picture("identity", each) - picture("oracle", each)).mean() for each in names]
    (shown,) = (
        line
        for line in measured
        if (line["test_set"], line["protocol"]) == ("smoke_rain", "rgb_uint8")
    )
    assert float(shown["value"]) == pytest.approx(np.mean(errors), abs=1e-12)

    page = (project / "reports" / "all_tables.html").read_text(encoding="utf-8")
    assert page.count('MAE <span class="aside">lower is better</span></th>') >= 3
    assert f"{float(next(line['value'] for line in measured)):.4f}" in page


def shown(project: Path, metric: str) -> list[dict[str, str]]:
    path = project / "results" / "smoke" / "tables" / "table_controls.csv"
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        return [line for line in lines if line["metric"] == metric and line["shown"] == "yes"]


def test_metrics_of_pyiqa_by_their_names(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    page = blocks(REPOSITORY / "docs" / "add_a_metric.md", "A metric of pyiqa")
    (command,) = (block.text for block in page if block.language == "bash")
    succeeded(project, run_in(project, shlex.split(command)))
    for metric, better in (("gmsd", min), ("entropy", max)):
        lines = shown(project, metric)
        values = {
            line["label"]: float(line["value"])
            for line in lines
            if line["test_set"] == "smoke_sigma25" and line["value"]
        }
        assert {"Degraded input", "oracle (ground truth)"} <= values.keys()
        if metric == "gmsd":
            assert better(values, key=values.__getitem__) == "oracle (ground truth)"
            assert values["oracle (ground truth)"] == pytest.approx(0, abs=1e-6)
        assert all(line["interval_low"] for line in lines if line["value"])
    assert not any(line["value"] for line in shown(project, "lpips"))
    table = project / "results" / "smoke" / "tables" / "table_controls.json"
    for words in (
        "lpips: lpips needs alexnet-owt-7be5be79.pth, published at https://",
        "place the file at data/weights/metrics/alexnet-owt-7be5be79.pth",
    ):
        assert words in table.read_text(encoding="utf-8")
    # The same line of a table: until the terms are accepted, the cells ask for it.
    path = project / page[1].path
    text, replaced = re.subn(r"^metrics: .*\n", page[1].text, path.read_text(), flags=re.MULTILINE)
    assert replaced == 1
    path.write_text(text, encoding="utf-8")
    asked = shlex.split("snakemake --cores 2 table_controls --config tier=smoke")
    succeeded(project, run_in(project, asked))
    lines = shown(project, "gmsd")
    assert lines
    assert not any(line["value"] for line in lines)
    assert "add pyiqa_non_commercial to accepted_terms" in table.read_text(encoding="utf-8")
    assert all(
        line["value"] for line in shown(project, "PSNR") if line["label"] == "Degraded input"
    )
