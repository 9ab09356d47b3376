"""Nothing imports what stands above it: the layers of docs/architecture.md, read from the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = {
    "ndr.network": 1,
    "ndr.method": 1,
    "ndr.method_info": 1,
    "ndr.image_batch": 1,
    "ndr.run_spec": 1,
    "ndr.seeds": 1,
    "ndr.atomic_file": 1,
    "ndr.checkpoint": 1,
    "ndr.device": 1,
    "ndr.gpu_energy": 1,
    "ndr.layout_record": 1,
    "ndr.nearest_name": 1,
    "ndr.provenance": 1,
    "ndr.result_file": 1,
    "ndr.source_fingerprint": 1,
    "ndr.state_dict": 1,
    "baselines": 2,
    "ndr.ndr_method": 2,
    "ndr.degradations": 2,
    "ndr.data": 3,
    "ndr.training": 4,
    "ndr.evaluation": 4,
    "ndr.restoration": 4,
    "ndr.restore": 4,
    "ndr.train": 4,
    "ndr.evaluate": 4,
    "ndr.represent": 4,
    "ndr.fetch_weights": 4,
    "ndr.network_layout": 4,
    "ndr.parameter_counts": 4,
    "workflows": 4,
    "reports": 5,
}
# Beyond the floors: what a package must not know although it stands higher or beside.
FORBIDDEN = {
    "ndr.degradations": ("ndr.method", "ndr.network", "baselines", "ndr.ndr_method", "torch"),
    "baselines": ("ndr.degradations", "ndr.ndr_method"),
    "ndr.ndr_method": ("ndr.degradations", "baselines"),
    "ndr.data": ("ndr.method", "ndr.network", "baselines", "ndr.ndr_method"),
    "ndr.training": ("baselines", "ndr.evaluation", "ndr.ndr_method", "workflows"),
    "ndr.evaluation": ("baselines", "ndr.training", "ndr.ndr_method", "workflows"),
    "ndr.restoration": ("baselines", "ndr.training", "ndr.ndr_method", "workflows"),
    "reports": ("torch", "ndr.training", "ndr.train", "ndr.network", "baselines", "ndr.method"),
}


def _modules() -> dict[str, Path]:
    modules = {}
    for package in ("ndr", "baselines", "workflows", "reports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
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
        for name in FORBIDDEN.get(layer, ()):
            assert f"{imported}.".startswith(f"{name}.") is False, f"{module} imports {imported}"


def test_no_module_hides_its_subject_behind_a_vague_name() -> None:
    vague = {"utils", "helpers", "common", "misc"}
    assert not [name for name in MODULES if name.rsplit(".", maxsplit=1)[-1] in vague]


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in [*MODULES.values(), *(ROOT / "tests").rglob("*.py")]
        if (count := len(path.read_text(encoding="utf-8").splitlines()))
        > (500 if "tests" in path.parts else 400)
    }
    assert not long
