"""The wheel: what is installed without a checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ndr.checkpoint import write_checkpoint
from ndr.data.image_files import read_rgb, write_png
from ndr.registry import create
from tests.project_copy import PROGRAM, copy_project
from tests.run_headers import header, run_spec

ENTRY = """\
import importlib.metadata, sys
(distribution,) = importlib.metadata.distributions(name="ndr-restore-benchmark", path=[sys.argv[1]])
(entry,) = (e for e in distribution.entry_points if e.name == sys.argv[2])
sys.argv = sys.argv[2:]
entry.load()()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, as pip would lay them."""
    folder = tmp_path_factory.mktemp("wheel")
    parts = (*PROGRAM, "pyproject.toml", "README.md", "LICENSE")
    source = copy_project(folder / "source", parts)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    shutil.rmtree(source)
    return folder / "installed"


def run(installed: Path, folder: Path, *command: str) -> str:
    """Run Python in a folder that is no checkout."""
    result = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_holds_types_photographs_and_their_terms(installed: Path) -> None:
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    assert {"ndr/py.typed", "ndr/data/photographs/stream.jpg"} <= names
    assert "ndr/data/photographs/LICENSE-CC-BY-4.0.txt" in names
    assert not [name for name in names if name.startswith(("tests", "bench"))]


def test_methods_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = (
        "import ndr.method\n"
        "network = ndr.method.create('restormer', preset='smoke')\n"
        "print(ndr.method.__file__)"
    )
    found = run(installed, tmp_path, "-c", program)
    assert found.strip() == str(installed / "ndr" / "method.py")


def test_a_photograph_is_restored_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create("dncnn", preset="smoke")
    write_checkpoint(tmp_path / "w.safetensors", network, header(run_spec("dncnn")))
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    write_png(tmp_path / "photo.png", noise)
    options = ["--weights", "w.safetensors", "--out", "restored.png", "--device", "cpu"]
    run(installed, tmp_path, "-c", ENTRY, str(installed), "ndr-restore", "photo.png", *options)
    assert read_rgb(tmp_path / "restored.png").shape == (24, 32, 3)


def test_the_commands_show_their_help(installed: Path, tmp_path: Path) -> None:
    for name in ("ndr-restore", "ndr-methods"):
        text = run(installed, tmp_path, "-c", ENTRY, str(installed), name, "--help")
        assert text.startswith("usage: ")
