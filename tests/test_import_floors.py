"""Nothing imports what stands above it: the layers of docs/architecture.md, read from the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.project_copy import own_files
from workflows.lint import PRODUCT

ROOT = REPOSITORY

FLOORS = {
    "ndr.metrics.metric": 1,
    "ndr.metrics.pyiqa_table": 1,
    "ndr.method": 1,
    "ndr.image_batch": 1,
    "ndr.image_decoding": 1,
    "ndr.registry": 1,
    "ndr.specs": 1,
    "ndr.records": 1,
    "ndr.layers": 1,
    "ndr.seeds": 1,
    "ndr.atomic_file": 1,
    "ndr.checkpoint": 1,
    "ndr.published_weights": 1,
    "ndr.shipped_weights": 1,
    "ndr.model_cards": 1,
    "ndr.device": 1,
    "ndr.mixed_precision": 1,
    "ndr.console": 1,
    "ndr.allocator": 1,
    "ndr.nearest_name": 1,
    "ndr.source_fingerprint": 1,
    "ndr.network.layout": 4,
    "ndr.network.parameter_counts": 4,
    "ndr.network": 2,
    "baselines": 2,
    "ndr.degradations": 2,
    "ndr.data": 3,
    "ndr.metrics": 4,
    "ndr.results": 4,
    "ndr.training": 4,
    "ndr.evaluation": 4,
    "ndr.study": 4,
    "ndr.photos": 4,
    "ndr.restore": 4,
    "ndr.train": 4,
    "ndr.evaluate": 4,
    "ndr.represent": 4,
    "ndr.time_networks": 4,
    "ndr.fetch_weights": 4,
    "ndr.fetch_metric_weights": 4,
    "workflows": 4,
    "reports.number_format": 5,
    "reports.paper": 6,
    "reports.analysis": 7,
    "reports.tables": 8,
    "reports.claims": 9,
    "reports.figures": 9,
    "reports.regression": 9,
    "reports.explanation": 9,
    "reports.page": 10,
    "reports": 11,
}
"""The first name that fits a module is its floor; a package's commands stand above its parts."""

# Beyond the floors: what a package must not know although it stands higher or beside.
FORBIDDEN = {
    "ndr.specs": ("torch",),
    "ndr.records": ("torch",),
    "ndr.degradations": ("ndr.method", "ndr.network", "ndr.layers", "baselines", "torch"),
    "baselines": ("ndr.degradations", "ndr.network"),
    "ndr.network": ("ndr.degradations", "baselines"),
    "ndr.data": ("ndr.method", "ndr.network", "ndr.layers", "baselines"),
    "ndr.metrics": ("ndr.method", "ndr.network", "baselines"),
    "ndr.training": ("baselines", "ndr.evaluation", "ndr.network", "workflows"),
    "ndr.evaluation": ("baselines", "ndr.training", "ndr.network", "workflows"),
    "ndr.photos": ("baselines", "ndr.training", "ndr.network", "workflows"),
    "reports": ("torch", "ndr.training", "ndr.train", "ndr.network", "baselines", "ndr.method"),
}


FILES = [ROOT / name for name in own_files() if name.endswith(".py")]


def _modules() -> dict[str, Path]:
    modules = {}
    for path in FILES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in PRODUCT:
            modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


MODULES = _modules()


def _layer(module: str) -> str | None:
    return next((name for name in FLOORS if module == name or module.startswith(f"{name}.")), None)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_nothing_from_a_higher_floor(module: str) -> None:
    layer = _layer(module)
    if module == "ndr":
        assert not _imports(MODULES[module])
        return
    assert layer is not None, f"{module} stands on no floor: add it to FLOORS"
    for imported in _imports(MODULES[module]):
        other = _layer(imported)
        if other is not None:
            assert FLOORS[other] <= FLOORS[layer], f"{module} imports {imported}"
        for name in FORBIDDEN.get(layer, FORBIDDEN.get(layer.partition(".")[0], ())):
            assert f"{imported}.".startswith(f"{name}.") is False, f"{module} imports {imported}"


def _arrows() -> dict[str, set[str]]:
    """Which module imports which of the suite's own, also within functions."""
    arrows = {}
    for module, path in MODULES.items():
        imported = _imports(path) & MODULES.keys()
        arrows[module] = {name for name in imported if name != module}
    return arrows


def _circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other, each sorted."""
    reached: dict[str, set[str]] = {}
    for start in arrows:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in arrows.get(waiting.pop(), set()) - seen:
                seen.add(name)
                waiting.append(name)
        reached[start] = seen
    groups = {
        tuple(sorted(b for b in reached[a] if a in reached.get(b, set())))
        for a in arrows
        if a in reached[a]
    }
    return [list(group) for group in sorted(groups)]


def test_circles_are_found() -> None:
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_no_circle_between_files() -> None:
    assert not _circles(_arrows())


def _room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else module


def test_no_circle_between_the_rooms_of_reports() -> None:
    arrows: dict[str, set[str]] = {}
    for module, imported in _arrows().items():
        if module.startswith("reports."):
            own = {_room(name) for name in imported if name.startswith("reports.")}
            arrows.setdefault(_room(module), set()).update(own - {_room(module)})
    assert not _circles(arrows)


def test_the_page_on_the_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in MODULES.values()}
    # Rooms of one level; what is inside them is their own affair.
    missing = {room for room in rooms if room.count("/") == 1 and f"{room}/" not in page}
    assert {room for room in missing if not room.startswith("baselines/")} == set()
    named = re.findall(r"`?((?:ndr|reports|workflows|config|docs|bench)/[a-z_/.]*)", page)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists() and "all_tables" not in name] == []


def test_no_module_hides_its_subject_behind_a_vague_name() -> None:
    vague = {"utils", "helpers", "common", "misc"}
    assert not [name for name in MODULES if name.rsplit(".", maxsplit=1)[-1] in vague]


def _longest(path: Path) -> int:
    """Lines that a file may have: a compared system is one file, however large."""
    if "tests" in path.parts:
        return 500
    return 700 if "baselines" in path.parts else 400


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in FILES
        if path.relative_to(ROOT).parts[0] in (*PRODUCT, "tests")
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > _longest(path)
    }
    assert not long
