"""Containers: what their environment is made of. Where a builder is, `.ci/run` builds one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.project_copy import copy_project, run_in, succeeded

FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
for last; do :; done
case $last in *.lock) cp "$last" "$RECORD.lock";; esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("python", "uv"):
        (tmp_path / "bin" / name).write_text(FAKE)
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copy(REPOSITORY / "requirements.lock", tmp_path)
    return tmp_path


def install(folder: Path, cuda: str) -> tuple[set[str], list[str]]:
    """Packages that pip gets, and the commands."""
    subprocess.run(
        ["sh", str(REPOSITORY / "containers" / "install.sh"), cuda],
        cwd=folder,
        env={
            "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
            "RECORD": str(folder / "record"),
            "TMPDIR": str(folder),
        },
        check=True,
    )
    lock = (folder / "record.lock").read_text()
    # Hashes go with their package.
    assert re.fullmatch(r"(?:[a-z][^\n]*\\\n(?: +--hash=sha256:\w+(?: \\)?\n)+)+", lock)
    names = set(re.findall(r"^([a-z0-9-]+)==", lock, flags=re.MULTILINE))
    return names, (folder / "record").read_text().splitlines()


@pytest.mark.parametrize("cuda", ["0", "1"])
def test_nothing_for_non_commercial_use_is_in_it(folder: Path, cuda: str) -> None:
    names, _ = install(folder, cuda)
    assert not names & {"bm3d", "bm4d", "pyiqa"}
    assert {"numpy", "snakemake", "spandrel", "timm"} <= names


def test_for_cpus_pytorch_comes_without_cuda(folder: Path) -> None:
    names, (pip, uv) = install(folder, "0")
    assert not [name for name in names if name.startswith(("torch", "nvidia", "cuda"))]
    assert "--require-hashes" in pip
    assert re.search(r"--torch-backend=cpu torch==2\.\d+\.\d+ torchvision==0\.\d+\.\d+$", uv)


def test_for_cards_all_is_that_of_the_lock(folder: Path) -> None:
    names, commands = install(folder, "1")
    assert {"torch", "torchvision", "nvidia-cublas"} <= names
    assert len(commands) == 1


def test_both_definitions_install_it_in_the_same_way() -> None:
    docker = (REPOSITORY / "Dockerfile").read_text()
    apptainer = (REPOSITORY / "containers" / "apptainer.def").read_text()
    assert "ARG CUDA=0" in docker
    assert "CUDA=0" in apptainer
    packages = "apt-get install --yes --no-install-recommends git libarchive13 make"
    for text in (docker, apptainer):
        assert "slim-bookworm" in text
        assert packages in text
        assert re.search(r"sh \S*install\.sh", text)


def test_an_image_holds_the_photographs_but_no_products() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    without = {line.strip("/").removeprefix("**/") for line in lines if not line.startswith("#")}
    assert {line.strip("/") for line in ignored} <= without


def test_a_pod_on_kubernetes_keeps_what_a_run_needs_and_gets_the_cards_that_it_uses(
    tmp_path: Path,
) -> None:
    text = (REPOSITORY / "containers" / "kubernetes.yaml").read_text(encoding="utf-8")
    claim, job = yaml.safe_load_all(text)
    assert (claim["apiVersion"], claim["kind"]) == ("v1", "PersistentVolumeClaim")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "OnFailure"  # Jobs take this or Never
    (container,) = pod["containers"]
    # What is mounted is declared, in the image's own folder, and outlives the pod.
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["suite"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (root,) = re.findall(r"^WORKDIR (\S+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    kept = {
        each["mountPath"].removeprefix(f"{root}/")
        for each in container["volumeMounts"]
        if each["name"] == "suite"
    }
    assert {each["name"] for each in container["volumeMounts"]} == volumes.keys()
    assert kept == {"data", "results", "resume", "logs", ".snakemake"}
    # The cards and cores that Snakemake hands out are those that the pod has.
    arguments = container["args"]
    cards = container["resources"]["limits"]["nvidia.com/gpu"]
    assert f"gpu={cards}" in arguments
    assert arguments[arguments.index("--cores") + 1] == container["resources"]["requests"]["cpu"]
    # The command is one that the suite understands.
    project = copy_project(tmp_path)
    command = [sys.executable, "-m", arguments[0], "-n", *arguments[1:]]
    planned = succeeded(project, run_in(project, command))
    assert "summarise_table" in planned
