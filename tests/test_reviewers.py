"""`docs/reviewers.md`: every command of the page runs, in a copy of the checkout."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from skimage import data, io

from tests.conftest import REPOSITORY
from tests.project_copy import copy_project, run_in, succeeded

ROOT = REPOSITORY
PAGE = ROOT / "docs" / "reviewers.md"
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
REPORT = "snakemake --cores all reports/all_tables.html --config tier=smoke"
"""It takes minutes: here it is planned only; tests/workflows/test_snakemake.py makes it."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("reviewers"))
    io.imsave(folder / "photo.jpg", data.astronaut()[:96, :80])
    return folder


def run(project: Path, block: str) -> str:
    return succeeded(project, run_in(project, ["bash", "-euo", "pipefail", "-c", block]))


def table(name: str) -> Callable[[Path, str], bool]:
    """Whether a table was written in all formats."""

    def written(project: Path, output: str) -> bool:
        paths = (project / "results/smoke/tables").glob(f"{name}.*")
        return {path.suffix for path in paths} == {".json", ".csv", ".md", ".tex"}

    return written


EXPECTED: list[Callable[[Path, str], bool]] = [
    lambda project, output: "render_report" in output,
    table("table_12"),
    lambda project, output: "__use_le_true__" in output and "/per_image.csv" in output,
    lambda project, output: table("table_mine")(project, output) and "lambda = 0.7" in output,
    lambda project, output: "95 % interval" in output and "\n  python -m ndr.train " in output,
    lambda project, output: table("table_02")(project, output) and "UMRL" in output,
    lambda project, output: "Table XIV" in output,
    lambda project, output: (
        "nothing got worse (exit code 0)" in output
        and "nothing got worse" in (project / "regression.md").read_text()
    ),
    lambda project, output: io.imread(project / "restored.png").shape == (96, 80, 3),
    lambda project, output: (project / "results/smoke/leaks.json").is_file(),
]
"""What each block of the page has to leave behind or print."""


def test_page_has_ten_commands() -> None:
    assert len(BLOCKS) == len(EXPECTED) == 10
    assert BLOCKS[0].strip() == REPORT


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_command_runs(project: Path, number: int) -> None:
    """In the order of the page: later commands use what earlier ones made."""
    block = BLOCKS[number].replace(REPORT, f"{REPORT} --dry-run")
    output = run(project, block)
    assert EXPECTED[number](project, output), output[-6000:]
