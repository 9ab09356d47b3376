"""A table of the paper as the suite plans to fill it: plain data, no training, no results."""

from __future__ import annotations

from dataclasses import dataclass

from ndr.specs.typed_file import CanonicalSpec


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """One test set of a table."""

    test_set: str
    """Name of the test set at this tier, e.g. `photographs_sigma25`."""
    label: str
    """Head of the column, e.g. "Noise, sigma = 25"."""
    paper_column: str
    """The column's name in the file of the paper's numbers, e.g. `BSD68_sigma25`."""
    stand_in: str = ""
    """What is shown in place of the paper's set, in a few words."""


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One system of a table; `run` is None where it cannot be run yet, with the reason."""

    block: str
    """Block of the table, as in the file of the paper's numbers, e.g. `noise+rain`."""
    label: str
    paper_method: str
    """The method's name in the file of the paper's numbers."""
    run: str | None
    columns: tuple[str, ...]
    """Test sets of this row; the paper leaves the others blank."""
    reason: str = ""
    printed: bool = True
    """False: the paper announces the system, but its table has no row for it."""
    protocol: str | None = None
    """Protocol of this row's numbers, where it is not the table's (authors' weights)."""
    own_noise: bool = False
    """The test sets' noise is another than the degraded input's (authors' weights)."""
    other_seeds: tuple[str, ...] = ()
    """Runs of the same system with the configuration's further seeds; `run` has the first."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs of all seeds; none where the row is left out."""
        return () if self.run is None else (self.run, *self.other_seeds)


@dataclass(frozen=True, slots=True)
class TablePlan(CanonicalSpec):
    """One table at one tier."""

    name: str
    """E.g. `table_05`."""
    label: str
    """E.g. "Table V"."""
    title: str
    tier: str
    metrics: tuple[str, ...]
    protocol: str
    """Protocol of the numbers shown; the result file holds all."""
    columns: tuple[PlannedColumn, ...]
    rows: tuple[PlannedRow, ...]
    degraded_input_run: str
    """Run of the control that the table starts with: `identity`, or `bicubic` at scale 2."""
    average: bool = False
    """Whether the paper prints an average over the row's columns."""
    average_weights: tuple[float, ...] = ()
    """Weight of each column in the average; empty: the plain mean."""
    own_metrics: tuple[str, ...] = ()
    """Those of `metrics` that the paper does not print."""
    paper_values: str | None = None
    """File in `reports/paper_values/`."""
    notes: tuple[str, ...] = ()
