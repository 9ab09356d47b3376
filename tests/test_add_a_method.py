"""docs/add_a_method.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.project_copy import PROGRAM, blocks, copy_project, run_in, succeeded

ROOT = REPOSITORY
PAGE = ROOT / "docs" / "add_a_method.md"
ROWS = "config/tables/table_05.yaml"

pytestmark = pytest.mark.slow


def follow(project: Path, heading: str) -> list[str]:
    """Write the files and add the lines of a section; returns its commands."""
    commands: list[str] = []
    for block in blocks(PAGE, heading):
        path = project / block.path
        if block.language == "bash":
            commands += block.text.splitlines()
        elif block.path.startswith("config/"):
            text = path.read_text(encoding="utf-8")
            at = text.index("rows:\n") + len("rows:\n") if block.path == ROWS else len(text)
            path.write_text(f"{text[:at]}{block.text}{text[at:]}", encoding="utf-8")
        else:
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    return commands


def run(project: Path, *command: str) -> str:
    """Run a Python module as the page does, with the copy instead of the installed suite."""
    command = (sys.executable, "-m", *command)
    return succeeded(project, run_in(project, command, project / "installed"))


def table_row(project: Path, label: str) -> dict:
    """A row of Table V, from what has been evaluated so far."""
    script = (
        "from ndr.specs.typed_file import read_yaml\n"
        "from workflows.configuration import suite_config\n"
        "from workflows.suite import Suite\n"
        "from pathlib import Path\n"
        "content = read_yaml(Path('config/config.yaml')) | {'tier': 'smoke'}\n"
        "print(Suite(suite_config(content)).plan.tables['table_05'].canonical_json())\n"
    )
    (project / "table_plan.py").write_text(script)
    plan = run(project, "table_plan").splitlines()[-1]
    outs = [f"--out-{kind}=table.{kind}" for kind in ("json", "csv", "md", "tex")]
    run(project, "reports.summarise", "--table-json", plan, "--results", "results/smoke", *outs)
    table = json.loads((project / "table.json").read_text())
    rows = [row for block in table["blocks"] for row in block["rows"] if row["label"] == label]
    assert len(rows) == 1
    return rows[0]


def assert_filled(row: dict) -> None:
    cells = [cell for cell in row["cells"] if cell["status"] != "blank"]
    assert len(cells) == 6  # three noise levels, rain, haze, and their average
    for cell in cells:
        assert cell["reason"] == ""
        assert all(isinstance(shown["value"], float) for shown in cell["shown"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = (*PROGRAM, "tests", "pyproject.toml")
    return copy_project(tmp_path_factory.mktemp("project"), parts)


def contents(project: Path) -> dict[str, str]:
    """Hash of each source file of the copy."""
    paths = [path for name in PROGRAM for path in [project / name, *(project / name).rglob("*")]]
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_one_file(project: Path) -> None:
    """The file and the line: listed, checked, trained, scored, in the table."""
    before = contents(project)
    commands = follow(project, "One file")
    listing, contract, workflow = (command.split() for command in commands)
    assert listing[:2] == contract[:2] == ["python", "-m"]
    line = next(x for x in run(project, *listing[2:]).splitlines() if "shallow_residual" in x)
    assert line.count("3,523") == 2
    tested = run(project, *contract[2:], "-p", "no:cacheprovider")
    passed = re.search(r"(\d+) passed", tested)
    assert passed is not None
    assert int(passed[1]) >= 20
    assert workflow[0] == "snakemake"
    planned = run(project, *workflow, "-n")
    name = "shallow_residual__noise_rain_haze__seed_0"
    assert f"results/smoke/runs/{name}/checkpoint.safetensors" in planned
    # The whole table takes minutes: only the new run, and the inputs that it is held against.
    run(project, "snakemake", "--cores", "2", name, "identity__no_training__seed_0",
        "--config", "tier=smoke")  # fmt: skip
    assert_filled(table_row(project, "Shallow residual"))
    changed = {name for name, _ in contents(project).items() ^ before.items()}
    assert changed == {"baselines/all_in_one/shallow_residual.py", ROWS}


def test_from_another_package(project: Path) -> None:
    (command,) = follow(project, "From another package")
    assert command == "python -m pip install other_package"
    # Into a folder of its own, without asking a package index for anything.
    run(project, "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--target", "installed", "./other_package")  # fmt: skip
    name = "gamma_curve__noise_rain_haze__seed_0"
    run(project, "snakemake", "--cores", "2", name, "identity__no_training__seed_0",
        "--config", "tier=smoke")  # fmt: skip
    assert_filled(table_row(project, "Gamma curve"))


def test_by_command(project: Path) -> None:
    make, install = follow(project, "By command")
    assert make == "python -m venv environments/stretch/venv"
    assert install == "environments/stretch/venv/bin/python -m pip install numpy pillow"
    name = "stretch__no_training__seed_0"
    evaluate = ("snakemake", "--cores", "2", name, "identity__no_training__seed_0",
                "--config", "tier=smoke")  # fmt: skip
    run(project, *evaluate)
    row = table_row(project, "Contrast stretch")
    cell = next(cell for cell in row["cells"] if cell["column"] == "smoke_haze")
    assert "interpreter is not at environments/stretch/venv/bin/python" in cell["reason"]
    run(project, "venv", "--without-pip", "environments/stretch/venv")
    # Instead of installing: the packages of the environment that runs the tests.
    (site,) = (project / "environments/stretch/venv").glob("lib/python*/site-packages")
    (site / "tests.pth").write_text("\n".join(p for p in sys.path if "site-packages" in p))
    shutil.rmtree(project / "results" / "smoke" / "evaluations" / name)
    run(project, *evaluate)
    assert_filled(table_row(project, "Contrast stretch"))


def test_the_page_names_what_there_is() -> None:
    """Fields, methods and examples that its tables list exist."""
    from ndr.method import Method, MethodInfo

    page = PAGE.read_text(encoding="utf-8")
    names = re.findall(r"^\| `(\w+)(?:\(.*?\))?` \|", page, flags=re.MULTILINE)
    assert len(names) >= 16
    for name in names:
        assert name in MethodInfo.__dataclass_fields__ or hasattr(Method, name)
    for path in re.findall(r"`(baselines/\w+/\w+\.py)`", page):
        assert (ROOT / path).is_file()
