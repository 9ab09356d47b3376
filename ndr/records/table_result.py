"""The file `results/<tier>/tables/<table>.json`: one table with its numbers and their origin.

Everything that the page and the exports show is in here, so that nothing is computed twice. The
file is plain JSON without NaN or infinity: an infinite mean (PSNR of an exact copy) is `value:
null` with `infinite: true`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ndr.records.record import Record

OK = "ok"
NO_PAPER_VALUE = "no value in the paper"
"""Measured here; the paper prints nothing to compare with."""
LEFT_OUT = "left out"
"""Nothing was asked of this row at this configuration; the reason says why."""
NOT_RUN = "not run"
"""Planned, but the result file is not there."""
FAILED = "failed"
"""The evaluation ran and could not restore the test set, or lacks what it needs."""
INVALID = "invalid"
"""The result file is there and contradicts itself; nothing is averaged from it."""
BLANK = "blank"
"""The paper leaves this cell of the row empty, and so does the suite."""
STATUSES = (OK, NO_PAPER_VALUE, LEFT_OUT, NOT_RUN, FAILED, INVALID, BLANK)
MEASURED = (OK, NO_PAPER_VALUE)

METHOD, CONTROL, DEGRADED_INPUT = "method", "control", "degraded input"
AVERAGE = "Average"
"""Key of the column of averages, as in the files of the paper's numbers."""

BEST, NOT_DISTINGUISHABLE = "best", "not distinguishable"
"""Words of `Shown.from_best`."""
CLOSE, OFF = "close", "off"
"""Words of `Shown.agreement`."""

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True, slots=True)
class Number:
    """Mean of one metric over the images of a test set, under one protocol."""

    metric: str
    protocol: str
    value: float | None
    """None where infinite."""
    infinite: bool = False

    @property
    def as_float(self) -> float:
        """The mean as a float, infinite where it is."""
        return math.inf if self.value is None else self.value


@dataclass(frozen=True, slots=True)
class Shown:
    """What a table prints for one metric of a cell, under the table's own protocol."""

    metric: str
    value: float | None
    infinite: bool
    paper: float | None
    paper_text: str
    """The paper's digits as printed; empty where it prints none."""
    difference: float | None
    """Ours minus the paper's; None where either is missing or infinite."""
    degraded_input: float | None
    """Mean of the degraded input over the same images."""
    below_input: bool = False
    """The restored images are no better than what the method was given."""
    rank: int = 0
    """1 best, 2 second best within the block, 0 neither."""
    interval: tuple[float, float] | None = None
    """95 % interval of the mean; None: fewer than two scenes, or an infinite value."""
    from_best: str = ""
    """`best`, `not distinguishable` (from the block's best), or empty."""
    agreement: str = ""
    """The paper's number is `close` to ours or `off`; empty where there is none, and at tiers that
    are not comparable with the paper."""
    seeds: int = 0
    """Trainings that the mean is over; 0 where there is no mean."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One system on one test set."""

    column: str
    """Key of the column."""
    status: str
    reason: str
    n: int | None
    """Images that were evaluated (by each seed); None where nothing was, and for averages."""
    n_total: int | None
    """Images of the test set."""
    shown: tuple[Shown, ...]
    numbers: tuple[Number, ...]
    """All metrics under all protocols."""
    ranked: bool = False
    """Whether the cell takes part in best and second best."""
    warnings: tuple[str, ...] = ()
    """What is wrong with the numbers of other protocols than the shown one."""


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What `runs/<run>/provenance.json` says of the training behind a row."""

    spec_sha256: str
    source_fingerprint: str
    steps_done: int
    steps_planned: int
    wall_seconds: float
    parameters: int | None
    balance: str | None
    """How the tasks of the training mix were balanced; None where not recorded."""
    batch: int | None
    patch: int | None


@dataclass(frozen=True, slots=True)
class EvaluationFacts:
    """What `evaluations/<run>/provenance.json` says of the evaluation behind a row."""

    source: str
    """`retrained`, `shipped`, `official_weights` or `no_training`."""
    spec_sha256: str
    training_sha256: str | None
    checkpoint_sha256: str | None
    wall_seconds: float
    parameters: int | None
    tiling: str
    """The tiles as JSON; empty: whole images in one pass."""


@dataclass(frozen=True, slots=True)
class SeedRun:
    """A further run of a row: the same training with another seed."""

    run: str
    training: TrainingFacts | None
    evaluation: EvaluationFacts | None


@dataclass(frozen=True, slots=True)
class Row:
    """One system of a block."""

    kind: str
    label: str
    paper_method: str
    run: str | None
    reason: str
    training: TrainingFacts | None
    evaluation: EvaluationFacts | None
    cells: tuple[Cell, ...]
    printed: bool = True
    """False: the paper announces the system, but its table has no row for it."""
    protocol: str | None = None
    """Protocol of the row's numbers, where it is not the table's (authors' weights)."""
    other_seeds: tuple[SeedRun, ...] = ()
    """Runs with further seeds; `run`, `training` and `evaluation` are those of the first."""

    @property
    def exported_label(self) -> str:
        """The label with the row's own protocol, for files without room for a second line."""
        return f"{self.label} (protocol {self.protocol})" if self.protocol else self.label


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that share a training mix; best and second best are sought inside a block."""

    name: str
    rows: tuple[Row, ...]

    @property
    def balance(self) -> str:
        """How its trainings mixed their tasks; empty where they had one."""
        if "+" not in self.name:
            return ""
        known = [row.training.balance for row in self.rows if row.training]
        return ", ".join(dict.fromkeys(each for each in known if each))


@dataclass(frozen=True, slots=True)
class Column:
    """One test set, or the average."""

    key: str
    label: str
    paper_column: str
    test_set: str | None
    stand_in: str = ""
    """What is shown in place of the paper's set, in a few words."""


@dataclass(frozen=True, slots=True)
class QualityEntry:
    """Something that a reader must know before trusting a number."""

    severity: str
    kind: str
    table: str
    block: str
    row: str
    run: str | None
    column: str
    message: str
    metric: str = ""
    value: float | None = None
    reference: float | None = None
    """What `value` was compared with."""


@dataclass(frozen=True, slots=True)
class TableResult(Record):
    """One table of the paper at one tier."""

    SCHEMA: ClassVar[int] = 3
    FILE: ClassVar[str] = "table file"

    name: str
    label: str
    title: str
    tier: str
    protocol: str
    metrics: tuple[str, ...]
    average: bool
    average_weights: tuple[float, ...]
    """Weight of each column in the average; empty: the plain mean."""
    paper_values: str | None
    comparable_with_paper: bool
    degraded_input_run: str
    plan_sha256: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    quality: tuple[QualityEntry, ...]
    notes: tuple[str, ...]

    def protocol_of(self, row: Row) -> str:
        """Protocol of the numbers that a row shows."""
        return row.protocol or self.protocol


def table_metrics(table: TableResult) -> dict[str, Any]:
    """Means of one table by block, row, test set and metric.

    Returns:
        Values under the table's protocol, rounded to what is printed anywhere; rows and cells
        without a value are left out.
    """
    blocks: dict[str, Any] = {}
    for block in table.blocks:
        for row in block.rows:
            cells = {
                cell.column: values
                for cell in row.cells
                if (values := _values(cell, table.protocol))
            }
            if cells:
                blocks.setdefault(block.name, {})[row.label] = cells
    return blocks


def _values(cell: Cell, protocol: str) -> dict[str, float]:
    return {
        number.metric: round(number.value, 4)
        for number in cell.numbers
        if number.protocol == protocol and number.value is not None
    }
