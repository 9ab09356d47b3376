"""Fixtures that tests of every part use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def find_shared_folder() -> Path | None:
    """Folder with real public sets (`data/`) and authors' weights (`weights/`), if there is one.

    The environment variable NDR_SHARED names it; else a folder `shared` beside the checkout counts.

    Raises:
        NotADirectoryError: NDR_SHARED is set, but names no folder that holds `data/`.
    """
    named = os.environ.get("NDR_SHARED")
    if named:
        if not (Path(named) / "data").is_dir():
            raise NotADirectoryError(
                f"NDR_SHARED={named}: expected a folder that holds data/ (and weights/); "
                "correct the variable, or unset it to skip the tests on real sets"
            )
        return Path(named)
    beside = REPOSITORY.parent / "shared"
    return beside if (beside / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Folder with `data/` and `weights/`; tests that need it are skipped where it is missing."""
    folder = find_shared_folder()
    if folder is None:
        pytest.skip("no real sets here: set NDR_SHARED to a folder that holds data/ and weights/")
    return folder


LONGEST_FIRST = (
    "test_snakemake.py",
    "test_slurm.py",
    "test_reviewers.py",
    "test_restored_clone.py",
)
"""Files that take minutes: begun first, they do not leave the other processes idle at the end.

pytest-xdist would begin with the files of most tests: `--no-loadscope-reorder` keeps this order."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the longest files to the front; the order inside a file stays."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
