"""What the figures ask of the runs: which of their test sets a system is evaluated on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workflows.configuration import Figure, FigureSystem, TableRow
from workflows.row_specs import RowSpecs


def columns_of(rows: RowSpecs, system: FigureSystem, figure: Figure) -> list[str]:
    """Columns of a figure that a system fills.

    They are the test sets of the tasks it was trained for, or with `across_tasks` all of them;
    never one without the noise level that the method must be told.
    """
    tasks = rows.setting(system.setting).tasks
    sets = {name: rows.test_set(name) for name in figure.test_sets}
    told = "sigma" in rows.info(system.row).side_information
    return [
        name
        for name, test_set in sets.items()
        if (figure.across_tasks or test_set.task in tasks) and not (told and test_set.sigma is None)
    ]


def untrained_rows(rows: RowSpecs, figures: Iterable[Figure]) -> Iterator[TableRow]:
    """Rows of the systems that a figure alone may bring in: nothing has to be trained for them."""
    for figure in figures:
        for system in figure.rows:
            if not rows.info(system.row).trainable:
                yield system.row
