"""Measurement of a claim's parts: paired differences per image from the results of a tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.claim_results import PartResult
from ndr.records.table_result import Column, Row, TableResult
from ndr.specs.run_spec import OFFICIAL, UNTRAINED
from reports.analysis.bootstrap import Sample
from reports.analysis.evidence import Comparisons, Evidence, Spread, evidence
from reports.analysis.run_results import RunResults, read_run_results
from reports.claims.parts import (
    Part,
    averaged_columns,
    is_own,
    paper_difference,
    part_label,
    table_number,
)
from reports.claims.specs import TrainedSystem
from reports.claims.verdicts import NOT_RUN, UNDECIDED, gap_word, part_verdict
from reports.paper.printed_values import table_label
from reports.tables.rivals import FilledRow, Rivals
from reports.tables.row_results import RowResults


class NotRunError(Exception):
    """A result that a claim needs is not there; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A system of a claim in a table of the report."""

    table: TableResult
    block: str
    row: int
    filled: FilledRow


class Measurement:
    """Tables and results of a tier, asked for parts of claims."""

    def __init__(self, tables: Sequence[TableResult], results: Path) -> None:
        self.tables: Mapping[str, TableResult] = {table.name: table for table in tables}
        self.results = results
        self._runs: dict[str, RunResults] = {}
        self._rivals: dict[str, Rivals] = {}

    def _run(self, run: str) -> RunResults:
        if run not in self._runs:
            self._runs[run] = read_run_results(self.results, run)
        return self._runs[run]

    def table(self, name: str) -> TableResult:
        """A table of the report; raises `NotRunError` where the report does not have it."""
        if name not in self.tables:
            label = name if is_own(name) else table_label(table_number(name))
            raise NotRunError(f"{label} is not among the tables of this report")
        return self.tables[name]

    def row(self, system: TrainedSystem) -> Row:
        """The row of a system: trained here where there is such a row, else authors' weights.

        Raises:
            NotRunError: the report's table does not have the row, or leaves it out.
        """
        return self._row(system)[1]

    def _row(self, system: TrainedSystem) -> tuple[int, Row]:
        """Place of a system's row in its block, and the row."""
        rows = [
            (place, row)
            for block in self.table(system.table).blocks
            if block.name == system.block
            for place, row in enumerate(block.rows)
            if row.kind == t.METHOD and system.method == (row.paper_method or row.label)
        ]
        rows.sort(key=lambda each: (each[1].run is None, _is_official(each[1])))
        if not rows:
            label = self.table(system.table).label
            raise NotRunError(f"{label} has no row {system.method} here")
        if rows[0][1].run is None:
            raise NotRunError(f"{system.method} is left out: {rows[0][1].reason}")
        return rows[0]

    def rivals(self, table: str) -> Rivals:
        """The rows of a table with the values behind them, as the table compares them."""
        if table not in self._rivals:
            found = self.table(table)
            blocks = {
                block.name: [self._filled(found, row) for row in block.rows]
                for block in found.blocks
            }
            self._rivals[table] = Rivals(blocks)
        return self._rivals[table]

    def _filled(self, table: TableResult, row: Row) -> FilledRow:
        runs = [] if row.run is None else [row.run, *(seed.run for seed in row.other_seeds)]
        keys = [column.key for column in table.columns if column.key != t.AVERAGE]
        weights = dict(zip(keys, table.average_weights or [1.0] * len(keys), strict=True))
        planned = {
            cell.column
            for column, cell in zip(table.columns, row.cells, strict=True)
            if cell.status != t.BLANK and column.paper_column
        }
        return FilledRow(
            row,
            RowResults(tuple(map(self._run, runs))),
            table.protocol_of(row),
            {key: weight for key, weight in weights.items() if key in planned},
        )

    def part(self, part: Part, among: Sequence[Part]) -> PartResult:
        """Verdict and numbers of one of a claim's parts."""
        paper = paper_difference(part)
        result = PartResult(
            part_label(part, among),
            UNDECIDED,
            unit=part.metric,
            bound=part.margin or None,
            paper=None if paper is None else float(paper),
            in_paper=part.in_paper,
        )
        try:
            found, comparisons = self.evidence(part)
        except NotRunError as error:
            return replace(result, verdict=NOT_RUN, reason=str(error))
        result = replace(
            result, images=found.images, scenes=found.scenes, trainings=found.trainings
        )
        if found.interval is None and found.scenes > 1:
            return replace(result, reason="an infinite value")
        smallest = METRICS[part.metric].smallest_effect
        verdict, reason = part_verdict(found, part.margin, smallest, comparisons, len(among))
        interval = found.interval
        return replace(
            result,
            verdict=verdict,
            reason=reason,
            estimate=found.estimate,
            interval=None if interval is None else (interval.low, interval.high),
            paper_gap=gap_word(result.paper, interval),
        )

    def evidence(self, part: Part) -> tuple[Evidence, Comparisons]:
        """What is known of a part's difference, and among how many comparisons it stands.

        Raises:
            NotRunError: a system or a column that is not there, or has no values.
        """
        found = [self._found(term.system) for term in part.terms]
        _check_protocols(found)
        columns = self._columns(part, found[0].table)
        samples = [self._samples(part, columns, each) for each in found]
        terms = [
            (float(coefficient), each)
            for (coefficient, _), each in zip(part.signed, samples, strict=True)
        ]
        average = len(columns) > 1
        name = t.AVERAGE if average else columns[0].key
        weights = _weights(found[0].table, columns) if average else [1.0]
        spread = self._spread(found, name, part.metric)
        return evidence(terms, weights, name=name, spread=spread), self._comparisons(found)

    def _found(self, system: TrainedSystem) -> _Found:
        place, _ = self._row(system)
        filled = self.rivals(system.table).blocks[system.block][place]
        return _Found(self.table(system.table), system.block, place, filled)

    def _columns(self, part: Part, table: TableResult) -> list[Column]:
        by_name = {column.paper_column: column for column in table.columns}
        names = averaged_columns(part)
        missing = [name for name in names if name not in by_name]
        if missing:
            raise NotRunError(f"{table.label} has no column {missing[0]} here")
        # In the table's order, so that an average draws what the table draws for it.
        return [column for name, column in by_name.items() if name in names]

    def _samples(self, part: Part, columns: Sequence[Column], found: _Found) -> list[Sample]:
        """Values of a system on the images that all systems of a part have, per column."""
        rows = [self._found(term.system).filled for term in part.terms]
        samples = []
        for column in columns:
            known = [self._images(row, column, part.metric) for row in rows]
            shared = set.intersection(*(set(images) for images, _ in known))
            if not shared:
                raise NotRunError(f"{column.label}: the systems have no image in common")
            # A slow method may have the first images of a set only: others are compared on these.
            images, sample = self._images(found.filled, column, part.metric)
            samples.append(_restricted(sample, images, shared))
        return samples

    def _images(self, filled: FilledRow, column: Column, metric: str) -> tuple[list[str], Sample]:
        """Names of a row's images and their values, in the same order."""
        assert column.test_set is not None
        where = f"{filled.row.label}, {column.label}"
        status, reason = filled.results.state(column.test_set, (metric,), filled.protocol)
        if status != t.OK:
            raise NotRunError(f"{where}: {reason}")
        samples = filled.samples(column.test_set, metric)
        if not samples:
            runs = filled.results.runs
            known = [run.unavailable[metric] for run in runs if metric in run.unavailable]
            raise NotRunError(f"{where}: {known[0] if known else f'no sound {metric}'}")
        return sorted(filled.results.images(column.test_set)), samples[0]

    def _spread(self, found: Sequence[_Found], name: str, metric: str) -> Spread | None:
        """That of the block, where all systems are of one; None: of the systems' own trainings."""
        places = {(each.table.name, each.block) for each in found}
        keys = [column.key for column in found[0].table.columns]
        if len(places) > 1 or name not in keys:
            return None
        rivals = self.rivals(found[0].table.name)
        return rivals.spread(found[0].block, keys.index(name), metric)

    def _comparisons(self, found: Sequence[_Found]) -> Comparisons:
        """Of the table; where there are several, the larger numbers."""
        each = [self.rivals(one.table.name).comparisons(one.block) for one in found]
        return Comparisons(max(one.scenes for one in each), max(one.trainings for one in each))


def _restricted(sample: Sample, images: Sequence[str], shared: set[str]) -> Sample:
    """The values of the shared images."""
    kept = [index for index, image in enumerate(images) if image in shared]
    return Sample(sample.values[..., kept], tuple(sample.clusters[index] for index in kept))


def _is_official(row: Row) -> bool:
    return row.run is not None and OFFICIAL in row.run.split("__")


def _check_protocols(found: Sequence[_Found]) -> None:
    """Numbers of two sources or protocols are not compared."""
    rows = [each.filled.row for each in found]
    trained = [row for row in rows if row.run and UNTRAINED not in row.run.split("__")]
    if len({_is_official(row) for row in trained}) > 1:
        raise NotRunError("the systems' weights come from different sources")
    protocols = {each.filled.protocol for each in found}
    if len(protocols) > 1:
        raise NotRunError(f"the rows follow different protocols: {', '.join(sorted(protocols))}")


def _weights(table: TableResult, columns: Sequence[Column]) -> list[float]:
    """Weight of each test set in the table's average."""
    if not table.average_weights:
        return [1.0] * len(columns)
    keys = [column.key for column in table.columns if column.key != t.AVERAGE]
    by_key = dict(zip(keys, table.average_weights, strict=True))
    return [by_key[column.key] for column in columns]
