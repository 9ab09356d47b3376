"""CONTRIBUTING.md, followed to the letter in a copy of the project: a row, a data set, a figure."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.project_copy import blocks, copy_project, jobs, run_in, succeeded

ROOT = REPOSITORY
PAGE = ROOT / "CONTRIBUTING.md"
LISTS = {"config/tables/table_11.yaml": "rows", "config/tiers/smoke.yaml": "test_sets"}
"""Files of which a block is a further entry, below this key."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


def follow(project: Path, heading: str) -> list[str]:
    """Write the files and add the entries of a section; returns its command."""
    (command,) = (block.text.strip() for block in blocks(PAGE, heading) if block.language == "bash")
    for block in blocks(PAGE, heading):
        path = project / block.path
        if block.language != "yaml":
            continue
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if key := LISTS.get(block.path):
            text = text.replace(f"\n{key}:\n", f"\n{key}:\n{block.text}")
        else:
            text += block.text
        path.write_text(text, encoding="utf-8")
    return shlex.split(command)


def planned(project: Path, heading: str) -> dict[str, int]:
    command = follow(project, heading)
    return jobs(succeeded(project, run_in(project, [*command, "-n"])))


def test_a_row_is_one_run_more(project: Path) -> None:
    before = [*shlex.split("snakemake --cores all table_11 --config tier=smoke"), "-n"]
    trained = jobs(succeeded(project, run_in(project, before)))["train_run"]
    assert planned(project, "Add a table row")["train_run"] == trained + 1


def test_a_data_set_is_prepared_and_scored(project: Path) -> None:
    noise = np.random.default_rng(0)
    for kind in ("clean", "rain"):
        folder = project / "data" / "originals" / "my_rain" / kind
        folder.mkdir(parents=True)
        for name in ("001", "002"):
            pixels = noise.integers(0, 256, (72, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")
    wanted = planned(project, "Add a data set")
    assert (wanted["train_run"], wanted["summarise_table"]) == (1, 1)
    run = "identity__no_training__seed_0"
    command = ["snakemake", "--cores", "2", run, "--config", "tier=smoke"]
    succeeded(project, run_in(project, command))
    scores = project / "results" / "smoke" / "evaluations" / run / "per_image.csv"
    assert scores.read_text(encoding="utf-8").count("smoke_my_rain,") > 0


def test_a_figure_shows_its_systems(project: Path) -> None:
    wanted = planned(project, "Add a figure")
    assert (wanted["draw_pictures"], wanted["train_run"]) == (1, 3)


def test_commands_and_files_that_the_page_names_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert len(targets) > 5
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    paths = re.findall(r"`((?:ndr|reports|workflows|tests|docs)/[\w/.]+)`", text)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
