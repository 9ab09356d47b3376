"""A column of a table for leaked and unleaked test images apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.leak_findings import LeakFindings, TestSetFacts
from ndr.records.per_image import SeriesKey
from ndr.records.provenance import run_folder
from ndr.records.table_result import Block, Column, Row, TableResult
from ndr.specs.report_description import ReportDescription
from reports.analysis.run_results import RunResults, read_run_results
from workflows.main_run import TABLE

PAPER_COLUMN = "Rain100L"
"""The column in question: most of Rain100L's ground truths are photographs of BSD400."""


@dataclass(frozen=True, slots=True)
class SplitMean:
    """A metric over the leaked and over the other images; None where there are none."""

    metric: str
    leaked: float | None
    unleaked: float | None


@dataclass(frozen=True, slots=True)
class OwnLeaks:
    """How many of the images a run was itself trained with."""

    count: int
    not_scanned: tuple[str, ...]
    """Its training sets that the scan did not look at."""


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One system of the column."""

    block: str
    label: str
    leaked: int
    """Evaluated images that stand in a training set of the tier."""
    unleaked: int
    means: tuple[SplitMean, ...]
    trained: bool
    own: OwnLeaks | None
    """None for what was not trained, and where the checkpoint is not there."""
    problem: str
    """Why there are no means; empty where there are."""


@dataclass(frozen=True, slots=True)
class LeakSplit:
    """The column, row by row."""

    table: TableResult
    column: Column
    rows: tuple[SplitRow, ...]
    not_run: int
    """Planned rows whose results are not there."""


def _over(metric: str, values: Mapping[str, float], images: set[str]) -> float | None:
    return METRICS[metric].aggregate([values[image] for image in images]) if images else None


@dataclass(frozen=True, slots=True)
class _Splitter:
    """What the rows of a split share."""

    table: TableResult
    test_set: str
    """As the result files name it."""
    results: Path
    findings: LeakFindings
    facts: TestSetFacts

    def row(self, block: Block, row: Row, run: RunResults) -> SplitRow:
        """One row of the split."""
        images = run.evaluation.images(self.test_set) if run.evaluation else set()
        leaked = images.intersection(self.facts.leaked)
        unleaked = images.intersection(self.facts.unleaked)
        keys = {m: SeriesKey(self.test_set, self.table.protocol, m) for m in self.table.metrics}
        sound = run.evaluation.sound if run.evaluation else lambda _: None
        series = {metric: sound(key) or {} for metric, key in keys.items()}
        problem = self._problem(run, images, series)
        return SplitRow(
            block=block.name,
            label=row.label,
            leaked=len(leaked),
            unleaked=len(unleaked),
            means=tuple(
                SplitMean(metric, _over(metric, values, leaked), _over(metric, values, unleaked))
                for metric, values in series.items()
                if not problem
            ),
            trained=row.training is not None,
            own=self._own_leaks(run, images),
            problem=problem,
        )

    def _problem(
        self, run: RunResults, images: set[str], series: Mapping[str, Mapping[str, float]]
    ) -> str:
        """Why a run's values cannot be split; empty where they can."""
        if run.evaluation is None:
            return run.invalid
        if self.test_set in run.failures:
            return run.failures[self.test_set]
        if not images:
            return f"no test set {self.test_set!r} in its results"
        unknown = sorted(images.difference(self.facts.leaked, self.facts.unleaked))
        if unknown:
            return f"{len(unknown)} images are not in the scan, e.g. {unknown[0]!r}"
        unsound = [metric for metric, values in series.items() if not values]
        return f"no sound {unsound[0]} under protocol {self.table.protocol!r}" if unsound else ""

    def _own_leaks(self, run: RunResults, images: set[str]) -> OwnLeaks | None:
        behind = (run.provenance and run.provenance.training_run) or run.run
        folder = run_folder(self.results, behind)
        header = CheckpointHeader.read_if_there(folder / "checkpoint.safetensors")
        if header is None:
            return None
        sets = set(header.spec.sets)
        leaked = self.findings.leaked_from(self.facts.name, sets)
        missing = sets - self.findings.scanned_trainings(self.facts.name)
        return OwnLeaks(len(leaked.intersection(images)), tuple(sorted(missing)))


def _rows(table: TableResult, column: Column) -> Iterator[tuple[Block, Row]]:
    """Rows with a run that the column is planned for."""
    for block in table.blocks:
        for row in block.rows:
            cell = next(cell for cell in row.cells if cell.column == column.key)
            if row.run is not None and cell.status not in (t.BLANK, t.LEFT_OUT):
                yield block, row


def leak_split(
    findings: LeakFindings,
    description: ReportDescription,
    tables: Sequence[TableResult],
    results: Path,
) -> LeakSplit | None:
    """Split Table V's rain column by what the scan found.

    All rows are split alike, by the training sets of the whole tier, so that they can be compared;
    `SplitRow.own` says what a run itself was trained with.

    Returns:
        None where the report has no such column, or its test set was not scanned.
    """
    table = next((table for table in tables if table.name == TABLE), None)
    columns = table.columns if table else ()
    column = next((column for column in columns if column.paper_column == PAPER_COLUMN), None)
    if table is None or column is None or column.test_set is None:
        return None
    prepared = description.prepared_set(column.test_set)
    facts = findings.facts(prepared) if prepared else None
    if facts is None:
        return None
    splitter = _Splitter(table, column.test_set, results, findings, facts)
    rows, not_run = [], 0
    for block, row in _rows(table, column):
        run = read_run_results(results, row.run or "")
        if run.missing:
            not_run += 1
        else:
            rows.append(splitter.row(block, row, run))
    return LeakSplit(table, column, tuple(rows), not_run)
