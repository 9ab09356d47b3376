"""`docs/reviewers.md`: every command of the page runs, in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from skimage import data, io

from tests.conftest import REPOSITORY

ROOT = REPOSITORY
PAGE = ROOT / "docs" / "reviewers.md"
SOURCES = ("ndr", "baselines", "workflows", "reports", "config", "profiles", "Snakefile")
PRODUCTS = shutil.ignore_patterns("__pycache__", "all_tables.html", "assets")
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
"""Nothing listens on the discard port: downloads fail at once, wherever the tests run."""
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
REPORT = "snakemake --cores all reports/all_tables.html --config tier=smoke"
"""It takes minutes: here it is planned only; tests/workflows/test_snakemake.py makes it."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviewers")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=PRODUCTS)
        else:
            shutil.copy(source, folder / name)
    io.imsave(folder / "photo.jpg", data.astronaut()[:96, :80])
    return folder


def run(project: Path, block: str) -> str:
    # `snakemake` and `python` have to be those that run the tests.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **NO_NETWORK, "PYTHONPATH": str(project), "PATH": path}
    environment.pop("SNAKEMAKE_PROFILE", None)
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-6000:]
    return output


def table(name: str) -> Callable[[Path, str], bool]:
    """Whether a table was written in all formats."""

    def written(project: Path, output: str) -> bool:
        paths = (project / "results/smoke/tables").glob(f"{name}.*")
        return {path.suffix for path in paths} == {".json", ".csv", ".md", ".tex"}

    return written


EXPECTED: list[Callable[[Path, str], bool]] = [
    lambda project, output: "render_report" in output,
    table("table_12"),
    lambda project, output: "ablation_with_l_e" in output,
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
