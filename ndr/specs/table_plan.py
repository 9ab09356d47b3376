"""What a table of the paper, and the table of protocol and noise choices, are planned to hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from ndr.specs.typed_file import LATER, CanonicalSpec


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """One test set of a table."""

    test_set: str
    """Name of the test set at this tier, e.g. `photographs_sigma25`."""
    label: str
    """Head of the column, e.g. "Noise, sigma = 25"."""
    paper_column: str
    """The column's name in the file of the paper's numbers, e.g. `BSD68_sigma25`; empty for a set
    of the user's own."""
    stand_in: str = ""
    """What is shown in place of the paper's set, in a few words."""


@dataclass(frozen=True, slots=True)
class QuotedNumber:
    """A published number that the user gives beside a row."""

    test_set: str
    metric: str
    text: str
    """As it is printed."""
    source: str
    """Where it is printed, e.g. "Li et al., CVPR 2022, Table 1"."""


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
    quoted: tuple[QuotedNumber, ...] = field(default=(), metadata=LATER)
    """Numbers that stand beside it where the paper has none."""

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
    comparable_with_paper: bool = field(default=True, metadata=LATER)
    """Whether the tier's sets and networks are such that a word may be said on the paper's
    numbers."""
    withheld: dict[str, str] = field(default_factory=dict, metadata=LATER)
    """Why those of `metrics` were not computed that run under terms which nobody has accepted."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A system whose place among the others may depend on the protocol."""

    label: str
    run: str


@dataclass(frozen=True, slots=True)
class ComparedTestSet:
    """A column of the table."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class ComparedNoise:
    """One way of adding noise, with the runs that were evaluated under it."""

    variant: str
    run: str
    input_run: str


@dataclass(frozen=True, slots=True)
class SensitivityPlan(CanonicalSpec):
    """One network under every protocol and every noise variant."""

    tier: str
    run: str | None
    """None where the configuration leaves the main run out; then `reason` says why."""
    reason: str
    label: str
    input_run: str
    test_sets: tuple[ComparedTestSet, ...]
    metrics: tuple[str, ...]
    protocols: tuple[str, ...]
    """The first is the one that tables show."""
    noise_in_use: str
    noise: tuple[ComparedNoise, ...]
    """The other variants."""
    rows: tuple[ComparedRow, ...]
    """Systems of the same block: their order is compared under each protocol."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Every run whose results are needed, each once."""
        if self.run is None:
            return ()
        others = [name for one in self.noise for name in (one.run, one.input_run)]
        return tuple(
            dict.fromkeys([self.run, self.input_run, *(row.run for row in self.rows), *others])
        )
