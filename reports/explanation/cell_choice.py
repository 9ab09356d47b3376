"""The cell that a reader means: names are forgiving, ambiguity is not hidden."""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndr.nearest_name import UnknownNameError
from ndr.specs.cell_name import parts_of_run
from workflows.targets import PlannedCell


class AmbiguousCellError(ValueError):
    """Several cells answer to the names; the message lists them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The cell that is meant, and those of other training mixes that answer to the same names."""

    cell: PlannedCell
    others: tuple[PlannedCell, ...] = ()


def plain(name: str) -> str:
    """A name without case, spaces and punctuation, which readers write in many ways.

    >>> plain("NDR-Restore(lambda=0.5)"), plain("Table V")
    ('ndrrestorelambda0.5', 'tablev')
    """
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def table_names(cell: PlannedCell) -> list[str]:
    """What a table answers to: `table_05`, `Table V`, `V`, `5`."""
    number = cell.table.name.removeprefix("table_")
    numeral = cell.table.label.removeprefix("Table ")
    return [cell.table.name, cell.table.label, number, number.lstrip("0"), numeral]


def system_names(cell: PlannedCell) -> list[str]:
    """What a row answers to: method, label, the paper's name, its changes, its runs."""
    names = [cell.system, cell.row.label, cell.row.paper_method, *cell.row.runs]
    if cell.row.run is not None:
        method, _, changes = parts_of_run(cell.row.run)
        names += [method, "__".join(changes), "__".join((method, *changes))]
    return [name for name in names if name]


def test_set_names(cell: PlannedCell) -> list[str]:
    """What a column answers to: the test set's name at this tier, the paper's, the label."""
    column = cell.column
    return [column.test_set, column.paper_column, cell.column_name, column.label]


def setting_names(cell: PlannedCell) -> list[str]:
    """What a training mix answers to: the block, and the setting of the run."""
    names = [cell.setting, cell.row.block]
    return names if cell.row.run is None else [*names, parts_of_run(cell.row.run)[1]]


def _narrowed(
    cells: Sequence[PlannedCell],
    kind: str,
    wanted: str,
    names_of: Callable[[PlannedCell], Iterable[str]],
) -> list[PlannedCell]:
    """Cells of which one name is `wanted`.

    Raises:
        UnknownNameError: none is; the message names the nearest.
    """
    found = [cell for cell in cells if plain(wanted) in map(plain, names_of(cell))]
    if found:
        return found
    # One name per thing: a row answers to six, and the nearest would be the same one thrice.
    first = {plain(name): next(iter(names_of(cell))) for cell in cells for name in names_of(cell)}
    close = difflib.get_close_matches(plain(wanted), first, n=6, cutoff=0.5)
    known = list(dict.fromkeys(first[name] for name in close))[:3]
    if known:
        hint = "did you mean " + " or ".join(map(repr, known)) + "?"
    else:
        hint = "expected one of " + ", ".join(sorted(set(first.values())))
    raise UnknownNameError(f"unknown {kind} {wanted!r}: {hint}")


def choose_cell(
    cells: Sequence[PlannedCell], table: str, system: str, test_set: str, setting: str | None
) -> Choice:
    """Find the cell.

    Where cells of several training mixes answer and `setting` is None, the mix that holds all
    the tasks of the others is meant, and the others are named beside it.

    Raises:
        UnknownNameError: no cell answers to one of the names, with the nearest.
        AmbiguousCellError: several do, with the choices.
    """
    found = _narrowed(cells, "table", table, table_names)
    label = found[0].table.label
    if setting is not None:
        found = _narrowed(found, f"training mix of {label}", setting, setting_names)
    found = _narrowed(found, f"method of {label}", system, system_names)
    # Of rows that share a method, the one whose own name is meant: `ndr_restore` unchanged.
    found = [cell for cell in found if plain(cell.system) == plain(system)] or found
    found = _narrowed(found, f"test set of this row of {label}", test_set, test_set_names)
    if len(found) == 1:
        return Choice(found[0])
    for cell in found:
        others = tuple(other for other in found if other is not cell)
        tasks = set(cell.row.block.split("+"))
        if all(set(other.row.block.split("+")) < tasks for other in others):
            return Choice(cell, others)
    lines = [f"  {cell.name}   ({cell.row.label}; {cell.row.block})" for cell in found]
    raise AmbiguousCellError(
        f"{len(found)} cells of {label} answer to {system!r} on {test_set!r}; name one by its "
        "label, its changes or --setting:\n" + "\n".join(lines)
    )


COSTLY = ("train_run", "evaluate_run")
"""Rules whose commands are wanted even where their results are there."""
_JOB = re.compile(
    r"^(?:local)?rule (?P<rule>\w+):\n(?P<facts>(?: {4}.*\n)*)Shell command: (?P<command>.+)$",
    re.MULTILINE,
)

_IF_KILLED = " || { [ $? -eq 137 ]"
"""What a rule writes after the command whose process the system may kill."""


class DryRunError(RuntimeError):
    """Snakemake could not plan the jobs; the message is its own."""


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One job of the workflow."""

    rule: str
    outputs: tuple[str, ...]
    """Files, relative to the checkout."""
    command: str
    """The shell command as Snakemake runs it, without what follows if it is killed; it can be
    pasted."""
    log: str = ""
    """File that the command writes its messages to; its folder must be there."""

    def finished(self, root: Path) -> bool:
        """Whether all outputs are there."""
        return all((root / output).exists() for output in self.outputs)


def parsed_jobs(output: str) -> list[PlannedJob]:
    """Jobs in what `snakemake -n -p` printed."""
    jobs = []
    for found in _JOB.finditer(output):
        facts = dict(re.findall(r"^ {4}(\w+): (.+)$", found["facts"], re.MULTILINE))
        if "output" in facts:
            outputs = tuple(facts["output"].split(", "))
            log = facts.get("log", "").split(" ")[0]
            command = found["command"].strip().partition(_IF_KILLED)[0]
            jobs.append(PlannedJob(found["rule"], outputs, command, log))
    return jobs


def planned_jobs(root: Path, targets: Sequence[str], overrides: Sequence[str]) -> list[PlannedJob]:
    """All jobs that `targets` need and that are not done, trainings and evaluations in any case.

    Args:
        root: the checkout.
        targets: files to make.
        overrides: `key=value`, as for `snakemake --config`.

    Raises:
        DryRunError: the workflow cannot be planned.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--cores", "1"]
    command += ["--forcerun", *COSTLY]
    command += ["--config", *overrides] if overrides else []
    result = subprocess.run(
        [*command, "--", *targets], cwd=root, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise DryRunError(f"{result.stdout}{result.stderr}".strip())
    return parsed_jobs(result.stdout + result.stderr)


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_value_text, value)) or "none"
    return "none" if value is None or value == {} else str(value)


def _nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value)


def spec_lines(content: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Lines of a spec's content, in its order.

    >>> list(spec_lines({"seed": 0, "setting": {"tasks": [{"name": "rain", "noise": None}]}}))
    ['seed: 0', 'setting.tasks.rain.noise: none']
    """
    for key, value in content.items():
        name = f"{path}{key}"
        if not _nested(value):
            yield f"{name}: {_value_text(value)}"
        elif isinstance(value, Mapping):
            yield from spec_lines(value, f"{name}.")
        else:
            for place, item in enumerate(value):
                inner = dict(item)
                yield from spec_lines(inner, f"{name}.{inner.pop('name', place)}.")
