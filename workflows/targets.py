"""Names of the tables' cells, and of the ablations: what a reader asks for in one word.

table_05__noise_rain_haze__ndr_restore__rain100l      one cell
table_05__ndr_restore__rain100l                       the cells of all training mixes
ablation_lambda_0.5                                   a changed network and the unchanged one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.specs.cell_name import SEPARATOR, cell_name, slug, system_names
from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan
from ndr.specs.typed_file import SpecError, read_yaml
from workflows.planning import Plan


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One system on one test set of a table."""

    table: TablePlan
    row: PlannedRow
    column: PlannedColumn
    system: str
    """Name of the row inside its block, e.g. `ndr_restore` or `ndr_restore__lambda_degrad_0.5`."""

    @property
    def setting(self) -> str:
        """The training mix (the block of the table), e.g. `noise_rain_haze`."""
        return slug(self.row.block)

    @property
    def name(self) -> str:
        """Name of the cell, e.g. `table_05__noise_rain_haze__ndr_restore__rain100l`."""
        return cell_name(self.table.name, self.row.block, self.system, self.column.paper_column)

    @property
    def short_name(self) -> str:
        """The name without the training mix."""
        return SEPARATOR.join((self.table.name, self.system, self.column_name))

    @property
    def column_name(self) -> str:
        """The test set by the paper's name, which is the same at all tiers, e.g. `rain100l`."""
        return slug(self.column.paper_column)


def _systems(plan: TablePlan) -> dict[int, str]:
    """Name of each row that has a run, by its place."""
    names: dict[int, str] = {}
    for block in dict.fromkeys(row.block for row in plan.rows):
        places = [place for place, row in enumerate(plan.rows) if row.block == block]
        found = system_names([plan.rows[place].run for place in places])
        names.update((place, name) for place, name in zip(places, found, strict=True) if name)
    return dict(sorted(names.items()))


def planned_cells(plan: Plan) -> list[PlannedCell]:
    """All cells of all tables; rows that the configuration leaves out have none."""
    cells = []
    for table in plan.tables.values():
        columns = {column.test_set: column for column in table.columns}
        for place, system in _systems(table).items():
            row = table.rows[place]
            cells += [PlannedCell(table, row, columns[name], system) for name in row.columns]
    return cells


def cell_targets(plan: Plan) -> Mapping[str, list[str]]:
    """Runs behind every name of a cell.

    The name without a training mix stands for the cells of all mixes of the table.
    """
    targets: dict[str, dict[str, None]] = {}
    for cell in planned_cells(plan):
        for name in (cell.name, cell.short_name):
            targets.setdefault(name, {}).update(dict.fromkeys(cell.row.runs))
    return {name: list(runs) for name, runs in targets.items()}


def ablation_targets(plan: Plan) -> Mapping[str, list[str]]:
    """Runs behind every ablation: those of the changed network, and of the unchanged one."""
    targets: dict[str, dict[str, None]] = {}
    for table in plan.tables.values():
        for row in table.rows:
            base = _unchanged(plan, row)
            if base is not None:
                runs = targets.setdefault(f"ablation_{slug(row.label)}", {})
                runs.update(dict.fromkeys((*row.runs, *base)))
    return {name: list(runs) for name, runs in targets.items()}


def _unchanged(plan: Plan, row: PlannedRow) -> list[str] | None:
    """Runs of the same method and mix without the row's changes; None where nothing is changed."""
    spec = plan.runs.get(row.run or "")
    if spec is None or set(spec.changes) <= {"upscale"}:
        # How a network of scale 1 enlarges is no ablation.
        return None
    return [
        run
        for run, other in plan.runs.items()
        if (other.method, other.setting.name) == (spec.method, spec.setting.name)
        and not other.changes
    ]


def reference_runs(folder: Path) -> tuple[str, ...]:
    """Ids of the runs of a reference, each once; none where there is no `runs.yaml`.

    Raises:
        SpecError: the file holds no list of names.
    """
    path = folder / "runs.yaml"
    if not path.is_file():
        return ()
    names = read_yaml(path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpecError(f"{path}: expected a list of run ids, found {names!r}")
    return tuple(dict.fromkeys(names))
