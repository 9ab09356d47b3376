"""docs/add_a_test_set.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from ndr.data.image_files import write_png
from ndr.records.table_result import AVERAGE, BLANK, Cell, TableResult
from tests.conftest import REPOSITORY
from tests.project_copy import blocks, copy_project, jobs, run_in, succeeded

PAGE = REPOSITORY / "docs" / "add_a_test_set.md"
LISTS = {"config/settings.yaml": "settings", "config/tables/table_05.yaml": "rows"}
FEW = ["only_settings=[noise_rain_haze]", "only_methods=[ndr_restore]"]

pytestmark = pytest.mark.slow


def write_images(folder: Path, *sides: str) -> None:
    noise = np.random.default_rng(0)
    for side in sides:
        (folder / side).mkdir(parents=True, exist_ok=True)
        for name in ("street", "the_garden"):
            image = noise.integers(0, 256, (72, 80, 3), np.uint8)
            write_png(folder / side / f"{name}.png", image)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("around") / "project")
    write_images(folder.parent / "my_rain", "clean", "degraded")
    write_images(folder.parent / "my_photos", "degraded")
    return folder


def command(heading: str) -> list[str]:
    (text,) = (block.text for block in blocks(PAGE, heading) if block.language == "bash")
    return shlex.split(text)


def cells(project: Path, tier: str, table: str, column: str) -> list[Cell]:
    result = TableResult.read(project / "results" / tier / "tables" / f"{table}.json")
    found = [cell for block in result.blocks for row in block.rows for cell in row.cells]
    return [cell for cell in found if cell.column == column]


@pytest.mark.parametrize("tier", ["smoke", "quick"])
def test_one_value_makes_a_column_of_table_five(project: Path, tier: str) -> None:
    asked = [word.replace("tier=smoke", f"tier={tier}") for word in command("The column")]
    succeeded(project, run_in(project, [*asked, *FEW]))
    measured = [cell for cell in cells(project, tier, "table_05", "my_rain") if cell.numbers]
    assert measured
    assert all(cell.n == 2 for cell in measured)
    # Nothing of the paper stands beside it.
    assert all(one.paper is None for cell in measured for one in cell.shown)
    again = jobs(succeeded(project, run_in(project, [*asked, *FEW])))
    assert not again


def test_averages_are_the_papers(project: Path) -> None:
    with_own = command("The column")
    succeeded(project, run_in(project, [*with_own, *FEW]))
    averages = [cell.numbers for cell in cells(project, "smoke", "table_05", AVERAGE)]
    without = [word for word in with_own if not word.startswith("own_test_sets")]
    succeeded(project, run_in(project, [*without, *FEW]))
    assert averages == [cell.numbers for cell in cells(project, "smoke", "table_05", AVERAGE)]
    assert any(averages)


def test_sets_in_a_file_and_photographs(project: Path) -> None:
    (written,) = (block for block in blocks(PAGE, "In a file") if block.language == "yaml")
    (project / written.path).write_text(written.text)
    few = ["only_settings=[derain]", "only_methods=[oracle]"]
    succeeded(project, run_in(project, [*command("In a file"), *few]))
    (rated,) = [c for c in cells(project, "smoke", "table_07", "my_photos") if c.status != BLANK][
        :1
    ]
    assert [number.metric for number in rated.numbers] == ["PIQE"]
    assert cells(project, "smoke", "table_05", "my_rain")
    assert not cells(project, "smoke", "table_05", "my_photos")


def test_a_mix_is_trained_on_pairs_of_ones_own(project: Path) -> None:
    heading = "Train on pairs of one's own"
    for block in blocks(PAGE, heading):
        if block.language == "yaml":
            path, key = project / block.path, LISTS[block.path]
            text = path.read_text()
            path.write_text(text.replace(f"{key}:\n", f"{key}:\n{block.text}", 1))
    succeeded(project, run_in(project, command(heading)))
    provenance = project / "results" / "smoke" / "runs" / "ndr_restore__my_mix__seed_0"
    content = json.loads((provenance / "provenance.json").read_text())
    assert "my_pairs" in json.dumps(content)
