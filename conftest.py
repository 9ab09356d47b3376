"""Tests and doctests are collected from the project's own files, never from products."""

from __future__ import annotations

from pathlib import Path

from workflows.lint import NoCheckoutError, new_files, tracked_files

ROOT = Path(__file__).resolve().parent


def _own_paths() -> set[Path] | None:
    """Files that git tracks or would add, and their folders; None outside of a clone."""
    try:
        files = [ROOT / name for name in (*tracked_files(ROOT), *new_files(ROOT))]
    except NoCheckoutError:
        return None
    return {path for file in files for path in (file, *file.parents)}


OWN = _own_paths()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what git ignores: results, data, the report and what lies beside it."""
    if OWN is None or collection_path in OWN or not collection_path.is_relative_to(ROOT):
        return None
    return True
