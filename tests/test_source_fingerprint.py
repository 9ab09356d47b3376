"""The fingerprint follows imports and ignores what computes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndr import source_fingerprint as module
from ndr.source_fingerprint import imported_modules, source_fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ndr").mkdir()
    (tmp_path / "ndr" / "__init__.py").write_text("")
    (tmp_path / "ndr" / "top.py").write_text(
        '"""Top."""\nfrom ndr.bottom import value\n\n'
        'def double():\n    """Twice."""\n    return 2 * value\n'
    )
    (tmp_path / "ndr" / "bottom.py").write_text("value = 1\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    module._parsed.cache_clear()
    yield tmp_path / "ndr"
    module._parsed.cache_clear()


def changed(package: Path, file: str, old: str, new: str) -> bool:
    before = source_fingerprint("ndr.top")
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))
    module._parsed.cache_clear()
    return source_fingerprint("ndr.top") != before


def test_comments_and_docstrings_do_not_count(package: Path) -> None:
    assert not changed(package, "top.py", '"""Twice."""', '"""Two times."""')
    assert not changed(package, "top.py", "    return", "    # why\n    return")


def test_code_counts(package: Path) -> None:
    assert changed(package, "top.py", "2 * value", "3 * value")


def test_code_of_an_imported_module_counts(package: Path) -> None:
    assert changed(package, "bottom.py", "value = 1", "value = 4")


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="no module of the suite"):
        source_fingerprint("ndr.does_not_exist")


def test_bookkeeping_does_not_count() -> None:
    reached = imported_modules("ndr.train")
    assert "ndr.training.loop" in reached
    assert "ndr.training.progress" not in reached
    assert all(module.module_file(name) is not None for name in module.BOOKKEEPING)


def test_one_baseline_does_not_depend_on_another() -> None:
    reached = imported_modules("baselines.denoising.ffdnet")
    assert "ndr.method" in reached
    assert not [name for name in reached if name.startswith("baselines.") and "ffdnet" not in name]


def test_packages_beside_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of the package count, and what they import of the suite."""
    folder = tmp_path / "other_restoration"
    (folder / "parts").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "gamma.py").write_text("from ndr.layers.transformer_block import LayerNorm\n")
    (folder / "parts" / "deep.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = source_fingerprint("other_restoration.gamma")
    assert source_fingerprint("other_restoration.gamma") == before
    (folder / "parts" / "deep.py").write_text("value = 2  # more\n")
    module._parsed.cache_clear()
    changed_there = source_fingerprint("other_restoration.gamma")
    (folder / "gamma.py").write_text("from ndr.layers.transformer_block import *\n")
    module._parsed.cache_clear()
    assert len({before, changed_there, source_fingerprint("other_restoration.gamma")}) == 3
    with pytest.raises(ModuleNotFoundError, match="nor installed beside it"):
        source_fingerprint("no_such_package.gamma")
