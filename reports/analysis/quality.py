"""What a reader must know before trusting the numbers: listed, never hidden."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.table_result import Cell, QualityEntry, Row, SeedRun, TableResult
from ndr.specs.run_spec import OFFICIAL
from reports.number_format import metric_text, unit

KINDS = {
    "invalid": "Results that contradict themselves",
    "stale": "Results of another training",
    "not_run": "Planned cells without a result",
    "failed": "Test sets that a method could not restore",
    "provenance": "Provenance",
    "leaks": "Test images that are in training sets",
    "unfinished": "Trainings that did not reach their planned steps",
    "below_input": "Numbers that do not beat the degraded input",
    "subset": "Test sets of which only some images were evaluated",
    "other_images": "Rows evaluated on other images than their block",
    "no_interval": "Numbers without an interval",
    "protocol": "Problems of protocols that the tables do not print",
    "pictures": "Pictures and curves",
    "left_out": "Rows that this report leaves out",
}
"""Kinds of entries with their headings, in the order of the page."""
EXPLANATIONS = {
    "below_input": "A training of few steps first learns what has the largest error, and harms "
    "what is nearly clean: weak noise, the structure in rain and haze. After a long training it is "
    "a finding about the method or an error of the suite.",
}
"""What a reader may make of entries of a kind."""


Entry = Callable[..., QualityEntry]
"""Makes an entry about one row of a table."""


def _row_entries(row: Row, entry: Entry) -> Iterator[QualityEntry]:
    """What concerns the trainings and the evaluations behind a row, for each seed."""
    if row.run is None:
        yield entry(t.NOTE, "left_out", message=row.reason or "no reason given")
        return
    for one in (SeedRun(row.run, row.training, row.evaluation), *row.other_seeds):
        yield from _run_entries(one, functools.partial(entry, run=one.run))


def _run_entries(one: SeedRun, entry: Entry) -> Iterator[QualityEntry]:
    training, evaluation = one.training, one.evaluation
    if training is not None and training.steps_done < training.steps_planned:
        yield entry(
            t.WARNING,
            "unfinished",
            message=f"{training.steps_done:,} of {training.steps_planned:,} steps",
            value=float(training.steps_done),
            reference=float(training.steps_planned),
        )
    if evaluation is None or evaluation.training_sha256 is None:
        return
    if training is None:
        message = "the provenance of its training is not there"
        yield entry(t.WARNING, "provenance", message=message)
    elif evaluation.training_sha256 != training.spec_sha256:
        message = (
            f"the evaluation names the training spec {evaluation.training_sha256[:12]}, the "
            f"training has {training.spec_sha256[:12]}; run it again"
        )
        yield entry(t.ERROR, "stale", message=message)


def _training(row: Row) -> str:
    """How the network of a row came to its weights, in a few words."""
    if row.training is not None:
        return f"trained for {row.training.steps_done:,} steps"
    official = row.evaluation is not None and row.evaluation.source == OFFICIAL
    return "its authors' weights" if official else "not trained"


def _measured_entries(row: Row, cell: Cell, entry: Entry) -> Iterator[QualityEntry]:
    """What concerns a cell that has numbers."""
    for shown in cell.shown:
        if shown.below_input and row.kind == t.METHOD:
            ours = metric_text(shown.metric, shown.value, shown.infinite)
            given = metric_text(shown.metric, shown.degraded_input)
            yield entry(
                t.WARNING,
                "below_input",
                message=f"{ours}{unit(shown.metric)}, degraded input {given}{unit(shown.metric)}; "
                f"{_training(row)}",
                metric=shown.metric,
                value=shown.value,
                reference=shown.degraded_input,
            )
    if cell.n is not None and cell.n_total is not None and cell.n < cell.n_total:
        yield entry(
            t.WARNING,
            "subset",
            message=f"{cell.n} of {cell.n_total} images",
            value=float(cell.n),
            reference=float(cell.n_total),
        )
    if row.kind == t.METHOD and not cell.ranked:
        message = "other images than the other rows: not compared with them"
        yield entry(t.WARNING, "other_images", message=message)
    without = [shown for shown in cell.shown if shown.value is not None and not shown.interval]
    if row.kind == t.METHOD and any(METRICS[shown.metric].has_intervals for shown in without):
        message = "fewer than two scenes, or an infinite value: no interval, no comparison"
        yield entry(t.NOTE, "no_interval", message=message)
    for warning in cell.warnings:
        yield entry(t.WARNING, "protocol", message=warning)


UNMEASURED = {
    t.NOT_RUN: (t.ERROR, "not_run"),
    t.FAILED: (t.WARNING, "failed"),
    t.INVALID: (t.ERROR, "invalid"),
}
"""Severity and kind of what is said of a cell without numbers."""


def table_entries(table: TableResult) -> tuple[QualityEntry, ...]:
    """All quality entries of a table, in its order; averages only repeat their columns."""
    entries: list[QualityEntry] = []
    labels = {column.key: column.label for column in table.columns}
    for block in table.blocks:
        for row in block.rows:
            place = functools.partial(QualityEntry, table=table.label, block=block.name)
            of_row = functools.partial(place, row=row.label, run=row.run, column="")
            entries += _row_entries(row, of_row)
            for cell in row.cells:
                if cell.column == t.AVERAGE:
                    continue
                of_cell = functools.partial(of_row, column=labels[cell.column])
                if cell.status in UNMEASURED:
                    entries.append(of_cell(*UNMEASURED[cell.status], message=cell.reason))
                elif cell.status in t.MEASURED:
                    entries += _measured_entries(row, cell, of_cell)
    return tuple(entries)


def report_entry(severity: str, kind: str, message: str) -> QualityEntry:
    """An entry that concerns the whole report."""
    return QualityEntry(severity, kind, "", "", "", None, "", message)


@dataclass(frozen=True, slots=True)
class MergedEntry:
    """Entries that say the same of the same run, with the tables and columns that show it."""

    entry: QualityEntry
    tables: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualityGroup:
    """All entries of one kind and severity."""

    severity: str
    kind: str
    entries: tuple[MergedEntry, ...]

    @property
    def title(self) -> str:
        """The heading."""
        return KINDS[self.kind]

    @property
    def explanation(self) -> str:
        """What to make of them; empty where the entries speak for themselves."""
        return EXPLANATIONS.get(self.kind, "")


def merge_entries(entries: Iterable[QualityEntry]) -> list[QualityGroup]:
    """Group entries by kind, most severe first; what several tables repeat is listed once.

    Two entries are the same when run, metric and message agree; rows without a run are told
    apart by table, block and label.
    """
    alike: dict[tuple[object, ...], list[QualityEntry]] = defaultdict(list)
    for entry in entries:
        who = entry.run or (entry.table, entry.block, entry.row)
        alike[entry.severity, entry.kind, who, entry.metric, entry.message].append(entry)
    groups: dict[tuple[str, str], list[MergedEntry]] = defaultdict(list)
    for same in alike.values():
        tables = dict.fromkeys(entry.table for entry in same if entry.table)
        columns = dict.fromkeys(entry.column for entry in same if entry.column)
        merged = MergedEntry(same[0], tuple(tables), tuple(columns))
        groups[same[0].severity, same[0].kind].append(merged)
    return [
        QualityGroup(severity, kind, tuple(groups[severity, kind]))
        for severity in t.SEVERITIES
        for kind in KINDS
        if (severity, kind) in groups
    ]
