"""One source of truth for versions, and a project that speaks of itself alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from tests.conftest import REPOSITORY
from workflows.lint import tracked_files

ROOT = REPOSITORY
LOCK = ROOT / "requirements.lock"


def pins() -> dict[str, str]:
    lines = [line for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)==([^\s;]+)( ; .+)?", line)
        assert match, f"requirements.lock: {line!r} is no exact pin"
        found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2]
    return found


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=!~ ]", item)[0].lower() for item in wanted}
    assert names <= pins().keys()


def test_lock_names_no_address() -> None:
    assert "://" not in LOCK.read_text()
    assert "--" not in LOCK.read_text()


def test_conda_environment_takes_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert pip == ["--requirement requirements.lock", "--editable ."]
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert tuple(map(int, python.removeprefix("python=").split("."))) >= (3, 11)


def test_installed_versions_are_the_pinned_ones() -> None:
    from importlib import metadata

    different = {}
    for name, version in pins().items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # another platform's package
        if installed != version:
            different[name] = (version, installed)
    assert not different


def test_repository_holds_no_data_and_no_private_path() -> None:
    files = [ROOT / name for name in tracked_files(ROOT)]
    assert files
    private = re.compile(rb"/(work|home|root|tmp)/[a-z]")
    for path in files:
        assert path.stat().st_size < 1_500_000, f"{path} is too large for the repository"
        assert path.suffix not in {".pth", ".pt", ".ckpt", ".safetensors", ".npy", ".npz"}
        if path.suffix not in {".png", ".jpg", ".webp"} and path != Path(__file__).resolve():
            found = private.search(path.read_bytes())
            assert not found, f"{path} names the private path {found[0]!r}"
