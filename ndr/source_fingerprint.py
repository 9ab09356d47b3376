"""A hash of the code that a result depends on, blind to comments and docstrings.

Snakemake does not follow the imports of the programs that it runs. Costly rules therefore take
this fingerprint as a parameter: a real change of a module, or of what it imports inside this
repository, re-runs them; a reworded comment does not.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

OWN_PACKAGES = ("ndr", "baselines", "workflows", "reports")
BOOKKEEPING = frozenset(
    {
        "ndr.allocator",
        "ndr.atomic_file",
        "ndr.training.progress",
        "ndr.nearest_name",
        "ndr.records.provenance",
        "ndr.source_fingerprint",
    }
)
"""Modules that write, name and report what others compute: no reason to train anew."""
FACTS = frozenset({"ndr.metrics.metric", "ndr.metrics.pyiqa_table"})
"""Facts about numbers that reports print and judge by: no reason to measure anew."""
ROOT = Path(__file__).resolve().parent.parent


def module_file(module: str) -> Path | None:
    """Source file of one of the suite's modules or packages; None for all others."""
    if module.split(".", maxsplit=1)[0] not in OWN_PACKAGES:
        return None
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _text(node: Any) -> str:
    """A syntax tree without docstrings as text, the same under every version of Python.

    `ast.dump` is not: fields of later syntax (type parameters) stand there empty or are left out.
    Here no empty field is written, and strings in ASCII, because what `repr` takes for printable
    depends on the version too.
    """
    if isinstance(node, list):
        return f"[{','.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(fields.get("body"), list):
        fields["body"] = [item for item in fields["body"] if not _is_bare_string(item)]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 ends some f-strings by an empty part
        fields["values"] = [item for item in node.values if getattr(item, "value", "x") != ""]
    written = (f"{k}={_text(v)}" for k, v in fields.items() if v is not None and v != [])
    return f"{type(node).__name__}({','.join(written)})"


def _is_bare_string(statement: ast.stmt) -> bool:
    """Whether it is a docstring or a note below an attribute: it computes nothing."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@functools.cache
def _parsed(path: Path) -> tuple[str, dict[str, Path]]:
    """Syntax of a source file as text, and the files of the suite's modules that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            imported.add(node.module)
            imported.update(f"{node.module}.{alias.name}" for alias in node.names)
    files = {name: module_file(name) for name in sorted(imported)}
    return _text(tree), {name: file for name, file in files.items() if file is not None}


def imported_modules(*modules: str) -> dict[str, Path]:
    """Files of the suite's modules that `modules` reach by imports, themselves included.

    Left out are those of `BOOKKEEPING`, and of `FACTS` where no report is among `modules`.
    """
    found: dict[str, Path] = {}
    open_list = [(module, module_file(module)) for module in modules]
    reports = any(module.startswith("reports.") for module in modules)
    left_out = BOOKKEEPING if reports else BOOKKEEPING | FACTS
    while open_list:
        module, path = open_list.pop()
        if module in found or module in left_out or path is None:
            continue
        found[module] = path
        open_list.extend(_parsed(path)[1].items())
    return found


def source_fingerprint(*modules: str) -> str:
    """Hash of the syntax trees of `modules` and of all they import inside this repository.

    Args:
        modules: dotted names, e.g. `"ndr.train", "baselines.denoising.dncnn"`; of another project's
            package all source files count.

    Returns:
        16 hexadecimal digits.

    Raises:
        ModuleNotFoundError: a name that is no module of the suite, nor of an installed package.
    """
    digest = hashlib.sha256()
    reached = set(modules)
    for module in modules:
        if module_file(module) is None:
            for path in _files_of_other_package(module):
                tree, imported = _parsed(path)
                digest.update(f"{path.name}\n{tree}\n".encode())
                reached |= imported.keys()
    for module, path in sorted(imported_modules(*reached).items()):
        digest.update(f"{module}\n{_parsed(path)[0]}\n".encode())
    return digest.hexdigest()[:16]


def _files_of_other_package(module: str) -> list[Path]:
    """All source files of the package that a method of another project comes from."""
    package = module.split(".", maxsplit=1)[0]
    spec = None if package in OWN_PACKAGES else importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"{module!r} is no module of the suite, nor installed beside it")
    folders = spec.submodule_search_locations
    if folders:
        return sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    return sorted(_with_neighbours(Path(spec.origin or "")))


def _with_neighbours(file: Path) -> set[Path]:
    """A file outside of any package, and the files beside it that it reaches by imports."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module]
            for name in names:
                beside = file.parent / name.partition(".")[0]
                waiting += [beside.with_suffix(".py")] * beside.with_suffix(".py").is_file()
                waiting += beside.rglob("*.py")
    return found
