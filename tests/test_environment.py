"""One source of truth for versions, and a project that speaks of itself alone."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker

from ndr.shipped_weights import ShippedWeights
from tests.conftest import REPOSITORY
from workflows.lint import tracked_files

ROOT = REPOSITORY
LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True)
class Pin:
    """One entry of the lock."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def holds(self, machine: dict[str, str]) -> bool:
        return not self.marker or Marker(self.marker).evaluate(dict(machine))


def lock() -> list[Pin]:
    found = []
    for entry in LOCK.read_text().replace("\\\n", " ").splitlines():
        match = re.fullmatch(
            r"([a-z0-9][a-z0-9-]*)==([^\s;]+)(?: ; (.+?))?((?:\s+--hash=sha256:[0-9a-f]{64})+)",
            entry,
        )
        assert match, f"requirements.lock: {entry!r} is no exact pin with hashes"
        hashes = tuple(re.findall("sha256:([0-9a-f]{64})", match[4]))
        found.append(Pin(match[1], match[2], match[3] or "", hashes))
    return found


def pins() -> dict[str, str]:
    """Versions of this machine."""
    return {pin.name: pin.version for pin in lock() if pin.holds({})}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def wanted() -> set[str]:
    content = project()["project"]
    extras = content["optional-dependencies"].values()
    items = [*content["dependencies"], *(item for extra in extras for item in extra)]
    return {re.split(r"[<>=!~ ]", item)[0].lower() for item in items}


def test_every_dependency_is_pinned() -> None:
    assert wanted() <= pins().keys()


@pytest.mark.parametrize("python", ["3.11.0", "3.11.2", "3.12.0", "3.13.0"])
@pytest.mark.parametrize(
    ("system", "platform"), [("Linux", "linux"), ("Darwin", "darwin"), ("Windows", "win32")]
)
@pytest.mark.parametrize("processor", ["x86_64", "arm64"])
def test_the_lock_holds_on_every_machine(
    python: str, system: str, platform: str, processor: str
) -> None:
    """One version of each package, and none that refuses the Python (Debian 12 has 3.11.2)."""
    machine = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "platform_system": system,
        "sys_platform": platform,
        "platform_machine": processor,
        "os_name": "nt" if platform == "win32" else "posix",
    }
    versions = Counter(pin.name for pin in lock() if pin.holds(machine))
    assert set(versions.values()) == {1}
    assert wanted() <= versions.keys()


def test_lock_names_no_address() -> None:
    assert "://" not in LOCK.read_text()
    assert "index" not in LOCK.read_text()


def test_what_the_suite_never_imports_is_left_out() -> None:
    left_out = project()["tool"]["uv"]["exclude-dependencies"]
    assert {"triton", "transformers", "opencv-python"} <= set(left_out)
    assert not set(left_out) & {pin.name for pin in lock()}
    # Without libGL, as in a container.
    assert "opencv-python-headless" in pins()


def test_conda_users_take_the_lock() -> None:
    text = (ROOT / "environment.yml").read_text()
    assert "pip install --no-deps --require-hashes --requirement requirements.lock" in text
    dependencies = yaml.safe_load(text)["dependencies"]
    assert not [item for item in dependencies if isinstance(item, dict)], "no second list"
    python = next(d for d in dependencies if str(d).startswith("python="))
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
    shipped = ShippedWeights.of(ROOT / "weights").files.values()
    own_networks = {ROOT / "weights" / entry.file for entry in shipped}
    assert sum(path.stat().st_size for path in own_networks) < 60_000_000
    for path in files:
        if path in own_networks:
            continue
        assert path.stat().st_size < 1_500_000, f"{path} is too large for the repository"
        assert path.suffix not in {".pth", ".pt", ".ckpt", ".safetensors", ".npy", ".npz"}
        if path.suffix not in {".png", ".jpg", ".webp"} and path != Path(__file__).resolve():
            found = private.search(path.read_bytes())
            assert not found, f"{path} names the private path {found[0]!r}"
