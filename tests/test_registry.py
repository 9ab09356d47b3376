"""What `ndr.method` offers of the registry, which it imports when asked."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ndr import method, registry
from tests.project_copy import copy_project, run_in


def test_the_contract_offers_what_the_registry_does() -> None:
    assert method.create is registry.create
    assert method.load_official is registry.load_official
    with pytest.raises(AttributeError, match="no attribute 'creat'"):
        _ = method.creat


def test_every_method_of_the_suite_can_be_used() -> None:
    registry.method_names()
    assert not registry.BROKEN


BROKEN = """
from ndr.method import Method, MethodInfo, register_method

@register_method
class Half(Method):
    info = MethodInfo("half", "Half", "none (test)", frozenset({"noise"}), trainable=False)

"""


@pytest.mark.parametrize(
    ("room", "text", "words"),
    [
        ("", BROKEN + "import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("", BROKEN.replace('"noise"', '"nois"'), "UnknownNameError: unknown task 'nois'"),
        ("room/", BROKEN + "class", "SyntaxError: invalid syntax"),
        ("room/", BROKEN + "raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_one_broken_file_leaves_the_others_as_they_are(
    tmp_path: Path, room: str, text: str, words: str
) -> None:
    """Told in a line by commands that do not need it, and by name by the one that does."""
    copy_project(tmp_path, ("ndr", "baselines", "config"))
    (tmp_path / "baselines" / room).mkdir(exist_ok=True)
    name = "__init__" if room else "broken"
    (tmp_path / "baselines" / room / f"{name}.py").write_text(text)
    code = (
        "from ndr.registry import create, method_names\n"
        "print(len(method_names()), create('identity').info.name)\n"
        "create('half')\n"
    )
    found = run_in(tmp_path, [sys.executable, "-c", code])
    source = "baselines.room" if room else "baselines.broken"
    assert found.stdout.split() == [str(len(registry.method_names())), "identity"]
    first, *_, last = found.stderr.strip().splitlines()
    assert first.startswith(f"methods of {source} cannot be used: {words}")
    assert last.startswith("ndr.nearest_name.UnknownNameError: unknown method 'half'")
    assert f"{source} cannot be used" in last


def test_one_broken_entry_point_leaves_the_others_as_they_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = EntryPoint("mine", "nowhere.at_all", "ndr.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [found])
    monkeypatch.setattr(registry, "BROKEN", broken := {})
    registry._scan_suite.__wrapped__()
    assert list(broken) == ["mine = nowhere.at_all"]
    assert "methods of mine = nowhere.at_all cannot be used: ModuleNotFound" in caplog.text
    assert "identity" in registry.method_names()
