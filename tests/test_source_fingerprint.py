"""The fingerprint follows imports and ignores what computes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
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


def test_bookkeeping_neither_computes_nor_hides_what_does() -> None:
    """It is not followed: so it may import nothing but what describes files."""
    for name in module.BOOKKEEPING:
        imported = module._parsed(module.module_file(name))[1]
        followed = [
            other for other in imported if not other.startswith(("ndr.records", "ndr.specs"))
        ]
        assert set(followed) <= module.BOOKKEEPING
    program = f"import sys, {', '.join(module.BOOKKEEPING)}; print('torch' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "False"


def test_facts_of_metrics_count_for_reports_alone() -> None:
    assert imported_modules("reports.summarise").keys() >= module.FACTS
    reached = imported_modules("ndr.evaluate")
    assert not reached.keys() & module.FACTS
    assert "ndr.metrics.full_reference" in reached


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


SMALL_MODULE = r'''"""Each kind of syntax that all versions parse."""
from __future__ import annotations

import asyncio as waiting


@property
def described(first, /, *rest: int, key: str | None = None, **more) -> str:
    """Docstring."""
    width = 8
    return f"{first!r:>{width}} and " f"{key=}" "\U0001fae8 \N{BULLET}" + u"\x00"


class Shape(dict, metaclass=type):
    side: int = 3
    "A note below an attribute."

    async def area(self):
        async with waiting.Lock() as lock, lock:
            yield [n async for n in self if (m := n) and m]


def kind(value):
    global seen
    match value:
        case {"a": [1, *_], **others} | Shape(side=int() as others):
            return {**others, None: ..., 1e400: -0.0, 2j: b"\xff"}
        case None:
            pass
    try:
        seen = lambda *, key=None: (yield)
    except* ValueError as error:
        raise KeyError from error
    else:
        del seen
    return seen[1:, ::2] @ value if not value else (*value,)
'''


def test_a_fingerprint_holds_for_ever(package: Path) -> None:
    """A stored hash: an unwanted change of the text would train every run anew."""
    (package / "bottom.py").write_text(SMALL_MODULE)
    module._parsed.cache_clear()
    assert source_fingerprint("ndr.top") == "7516f40701db9871"


PROGRAM = """
import json, sys
from pathlib import Path
from ndr.source_fingerprint import _parsed
print(json.dumps({path: _parsed(Path(path))[0] for path in json.load(sys.stdin)}))
"""


def interpreter(version: str) -> str | None:
    """A Python of the version that starts: the PATH's, or one that pyenv keeps."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(root.glob(f"versions/{version}.*/bin/python"))
    for candidate in filter(None, (shutil.which(f"python{version}"), *map(str, kept))):
        # pyenv leaves a program of each version on the PATH, whether it is chosen or not.
        if not subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode:
            return candidate
    return None


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_version_of_python_reads_the_same(version: str, tmp_path: Path) -> None:
    """All product files, and a small one of all kinds of syntax: one text each."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    small = tmp_path / "small.py"
    small.write_text(SMALL_MODULE)
    folders = (module.ROOT / name for name in module.OWN_PACKAGES)
    files = [small, *(path for folder in folders for path in sorted(folder.rglob("*.py")))]
    assert len(files) > 200
    shown = subprocess.run(
        [python, "-c", PROGRAM], input=json.dumps([str(path) for path in files]),
        cwd=module.ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    theirs = json.loads(shown.stdout)
    assert [str(path) for path in files if theirs[str(path)] != module._parsed(path)[0]] == []
