"""Where the files of a set lie: beside its manifest, elsewhere, or inside an installed package."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path, PurePosixPath

PACKAGE_PREFIX = "package:"


class PackageFileError(FileNotFoundError):
    """A file that should come with an installed Python package, but does not."""


@functools.cache
def _package_folder(package: str) -> Path | None:
    """Folder of an installed top-level package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def package_file(location: str, requirement: str | None = None) -> Path:
    """Find a file inside an installed package, without importing the package.

    Args:
        location: `<python package>/<path inside>`, e.g. `skimage/data/coffee.png`; the prefix
            `package:` may stand in front.
        requirement: what to install when it is missing, e.g. `scikit-image==0.26.0`.

    Raises:
        ValueError: `location` is not of this form.
        PackageFileError: the package is not installed, or this version lacks the file.
    """
    location = location.removeprefix(PACKAGE_PREFIX)
    parts = PurePosixPath(location).parts
    if len(parts) < 2 or ".." in parts or not parts[0].isidentifier():
        raise ValueError(f"{location!r}: expected <python package>/<path inside>")
    advice = f"python -m pip install {requirement or '--requirement requirements.lock'}"
    folder = _package_folder(parts[0])
    if folder is None:
        raise PackageFileError(
            f"{location}: the Python package {parts[0]!r} is missing; install it: {advice}"
        )
    path = folder.joinpath(*parts[1:])
    if not path.is_file():
        raise PackageFileError(
            f"{location}: the installed package {parts[0]!r} ({folder}) does not hold this file; "
            f"install the version that does: {advice}"
        )
    return path


def resolve(location: str, folder: Path) -> Path:
    """Path of a manifest's `clean` or `degraded` entry; `folder` is the manifest's."""
    if location.startswith(PACKAGE_PREFIX):
        return package_file(location)
    return folder / location


def location_from(path: Path, folder: Path) -> str:
    """Write `path` as a manifest in `folder` shall hold it.

    Files below the folder that holds all data (two above a prepared set) are named relative to
    the manifest, so that it can be moved as a whole; all others by their absolute path.
    """
    path, folder = path.absolute(), folder.absolute()
    data = folder.parent.parent
    if path.is_relative_to(data):
        return Path(os.path.relpath(path, folder)).as_posix()
    return path.as_posix()


def moved_location(location: str, old_folder: Path, new_folder: Path) -> str:
    """Write an entry of the manifest in `old_folder` as one in `new_folder` shall hold it."""
    if not location or location.startswith(PACKAGE_PREFIX):
        return location
    return location_from((old_folder / location).resolve(), new_folder.resolve())
