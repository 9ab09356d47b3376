from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from ndr.data.manifest import PackageFileError, location_from, package_file
from tests.conftest import REPOSITORY


def test_a_file_is_found_without_importing_its_package(project) -> None:
    # The package's __init__ raises: importing it would fail the test.
    path = package_file(f"package:{project.package}/images/apple.png")
    assert path == project.package_folder / "images" / "apple.png"
    assert project.package not in sys.modules


def test_packaged_photographs_are_found_without_importing_heavy_packages() -> None:
    program = (
        "import sys\n"
        "from ndr.data.manifest import package_file\n"
        "for place in ('skimage/data/coffee.png', 'ndr/data/photographs/stream.jpg',\n"
        "              'sklearn/datasets/images/china.jpg',\n"
        "              'matplotlib/mpl-data/sample_data/grace_hopper.jpg'):\n"
        "    assert package_file(place).stat().st_size > 10000\n"
        "loaded = {'skimage', 'sklearn', 'matplotlib', 'torch'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    root = REPOSITORY
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True)


def test_a_missing_package_or_file_says_what_to_install(project) -> None:
    with pytest.raises(PackageFileError, match="pip install no-such-package==2"):
        package_file("no_such_package/a.png", "no-such-package==2")
    with pytest.raises(PackageFileError, match=r"does not hold this file.*requirements\.lock"):
        package_file(f"{project.package}/images/zebra.png")
    with pytest.raises(PackageFileError, match=r"git checkout -- ndr/data/photographs/zebra\.jpg"):
        package_file("ndr/data/photographs/zebra.jpg")


@pytest.mark.parametrize("location", ["apple.png", "../secrets/a.png", "a/../b.png", "a-b/c.png"])
def test_locations_that_leave_a_package_are_refused(location: str) -> None:
    with pytest.raises(ValueError, match="expected <python package>/<path inside>"):
        package_file(location)


def test_locations_lead_back_to_the_file(tmp_path: Path, project) -> None:
    folder = tmp_path / "data" / "sets" / "kodak"
    manifest = dataclasses.replace(project.prepare("tiny"), folder=folder)
    near = tmp_path / "data" / "originals" / "kodak" / "1.png"
    assert location_from(near, folder) == "../../originals/kodak/1.png"
    assert manifest.path("../../originals/kodak/1.png").resolve() == near
    far = tmp_path / "mirror" / "1.png"
    assert location_from(far, folder) == far.as_posix()
    assert manifest.path(far.as_posix()) == far
