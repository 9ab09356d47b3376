"""Measurement of a claim's parts: paired differences per image from the results of a tier."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.claim_results import PartResult
from ndr.records.per_image import SeriesKey
from ndr.records.table_result import Column, Row, TableResult
from ndr.specs.run_spec import OFFICIAL, UNTRAINED
from reports.analysis.bootstrap import Sample, weighted_interval
from reports.analysis.comparison import paired_differences
from reports.analysis.run_results import RunResults, read_run_results
from reports.claims.parts import (
    Part,
    averaged_columns,
    paper_difference,
    table_number,
)
from reports.claims.verdicts import (
    MINIMUM_SCENES,
    NOT_RUN,
    UNDECIDED,
    part_verdict,
    widened_level,
)
from reports.number_format import counted
from reports.paper.printed_values import block_title, column_text, system_text, table_label
from reports.tables.row_results import RowResults

DRAWS = "claims"
"""Key of the resamples: all claims share them, so that they are drawn once per number of scenes."""


class NotRunError(Exception):
    """A result that a claim needs is not there; the message says which and why."""


class Measurement:
    """Tables and results of a tier, asked for parts of claims."""

    def __init__(self, tables: Sequence[TableResult], results: Path) -> None:
        self.tables: Mapping[str, TableResult] = {table.name: table for table in tables}
        self.results = results
        self._runs: dict[str, RunResults] = {}

    def _run(self, run: str) -> RunResults:
        if run not in self._runs:
            self._runs[run] = read_run_results(self.results, run)
        return self._runs[run]

    def table(self, name: str) -> TableResult:
        """A table of the report; raises `NotRunError` where the report does not have it."""
        if name not in self.tables:
            label = table_label(table_number(name))
            raise NotRunError(f"{label} is not among the tables of this report")
        return self.tables[name]

    def row(self, table: str, block: str, system: str) -> Row:
        """The row of a system: trained here where there is such a row, else authors' weights.

        Raises:
            NotRunError: the report's table does not have the row, or leaves it out.
        """
        rows = [
            row
            for each in self.table(table).blocks
            if each.name == block
            for row in each.rows
            if row.kind == t.METHOD and row.paper_method == system
        ]
        rows.sort(key=lambda row: (row.run is None, _is_official(row)))
        if not rows:
            raise NotRunError(f"{self.table(table).label} has no row {system} here")
        if rows[0].run is None:
            raise NotRunError(f"{system} is left out: {rows[0].reason}")
        return rows[0]

    def part(self, part: Part, parts: int, label: str) -> PartResult:
        """Verdict and numbers of one of a claim's `parts`."""
        paper = paper_difference(part)
        result = PartResult(
            label,
            UNDECIDED,
            unit=part.metric,
            bound=part.margin or None,
            paper=None if paper is None else float(paper),
            holds_in_paper=part.holds_in_paper,
        )
        try:
            samples, weights = self._differences(part)
        except NotRunError as error:
            return replace(result, verdict=NOT_RUN, reason=str(error))
        means = [float(sample.by_seed.mean()) for sample in samples]
        estimate = math.fsum(map(operator.mul, weights, means)) / math.fsum(weights)
        scenes = min(len(sample.scenes) for sample in samples)
        result = replace(
            result,
            images=sum(len(sample.clusters) for sample in samples),
            scenes=scenes,
            seeds=min(len(sample.by_seed) for sample in samples),
        )
        if not math.isfinite(estimate):
            return replace(result, reason="an infinite value")
        interval = weighted_interval(samples, weights, name=DRAWS)
        widened = weighted_interval(samples, weights, name=DRAWS, level=widened_level(parts))
        if interval is not None:
            result = replace(result, interval=(interval.low, interval.high))
        if interval is None or widened is None or scenes < MINIMUM_SCENES:
            reason = (
                f"{counted(scenes, 'scene')} of a test set; fewer than {MINIMUM_SCENES} decide "
                "nothing"
            )
            return replace(result, estimate=estimate, reason=reason)
        verdict = part_verdict(interval, widened, part.margin, part.includes_margin)
        reason = ""
        if verdict == UNDECIDED and parts > 1 and interval.high < part.margin:
            reason = f"below, but not by more than one of {parts} comparisons strays by luck"
        return replace(result, estimate=estimate, verdict=verdict, reason=reason)

    def _differences(self, part: Part) -> tuple[list[Sample], list[float]]:
        """Differences per image on each test set, and the weights of the sets."""
        table = self.table(part.table)
        rows = [self.row(part.table, part.block, system) for system in part.systems]
        protocol = _common_protocol(table, rows)
        columns = self._columns(part, table)
        samples = [self._difference(part, rows, column, protocol) for column in columns]
        return samples, _weights(part, table, columns)

    def _columns(self, part: Part, table: TableResult) -> list[Column]:
        by_name = {column.paper_column: column for column in table.columns}
        names = averaged_columns(part)
        missing = [name for name in names if name not in by_name]
        if missing:
            raise NotRunError(f"{table.label} has no column {missing[0]} here")
        return [by_name[name] for name in names]

    def _difference(self, part: Part, rows: Sequence[Row], column: Column, protocol: str) -> Sample:
        """Better minus worse per image; positive where the claim's side is ahead."""
        found = [self._images(row, column, part.metric, protocol) for row in rows]
        shared = set.intersection(*(set(images) for images, _ in found))
        if not shared:
            raise NotRunError(f"{column.label}: the systems have no image in common")
        # A slow method may have the first images of a set only: the others are compared on these.
        samples = [_restricted(sample, images, shared) for images, sample in found]
        if not METRICS[part.metric].higher_is_better:
            samples = [replace(sample, values=-sample.values) for sample in samples]
        if len(samples) == 2:
            return paired_differences(*samples)
        first, second, third = samples
        return paired_differences(
            paired_differences(second, first), paired_differences(third, second)
        )

    def _images(
        self, row: Row, column: Column, metric: str, protocol: str
    ) -> tuple[list[str], Sample]:
        """Names of a row's images and their values, in the same order."""
        assert row.run is not None
        assert column.test_set is not None
        runs = (row.run, *(seed.run for seed in row.other_seeds))
        results = RowResults(tuple(self._run(run) for run in runs))
        where = f"{row.label}, {column.label}"
        status, reason = results.state(column.test_set, (metric,), protocol)
        if status != t.OK:
            raise NotRunError(f"{where}: {reason}")
        sample = results.sample(SeriesKey(column.test_set, protocol, metric))
        if sample is None:
            known = [run.unavailable[metric] for run in results.runs if metric in run.unavailable]
            raise NotRunError(f"{where}: {known[0] if known else f'no sound {metric}'}")
        return sorted(results.images(column.test_set)), sample

    def label(self, part: Part, among: Sequence[Part]) -> str:
        """What a part compares; what all parts of the claim share is left out."""
        if len(part.systems) == 2:
            text = f"{system_text(part.systems[0])} over {system_text(part.systems[1])}"
        else:
            first, second, third = map(system_text, part.systems)
            text = f"{first} to {second} against {second} to {third}"
        words = [text]
        if len({(other.table, other.block) for other in among}) > 1:
            words.append(block_title(part.block))
        words.append("average" if part.column == t.AVERAGE else column_text(part.column))
        return ", ".join(words)


def _restricted(sample: Sample, images: Sequence[str], shared: set[str]) -> Sample:
    """The values of the shared images."""
    kept = [index for index, image in enumerate(images) if image in shared]
    return Sample(sample.values[..., kept], tuple(sample.clusters[index] for index in kept))


def _is_official(row: Row) -> bool:
    return row.run is not None and OFFICIAL in row.run.split("__")


def _common_protocol(table: TableResult, rows: Sequence[Row]) -> str:
    """The protocol of all rows; numbers of two sources or protocols are not compared."""
    trained = [row for row in rows if row.run and UNTRAINED not in row.run.split("__")]
    if len({_is_official(row) for row in trained}) > 1:
        raise NotRunError("the systems' weights come from different sources")
    protocols = {table.protocol_of(row) for row in rows}
    if len(protocols) > 1:
        raise NotRunError(f"the rows follow different protocols: {', '.join(sorted(protocols))}")
    return protocols.pop()


def _weights(part: Part, table: TableResult, columns: Sequence[Column]) -> list[float]:
    """Weight of each test set in the table's average; 1 for a single column."""
    if part.column != t.AVERAGE or not table.average_weights:
        return [1.0] * len(columns)
    keys = [column.key for column in table.columns if column.key != t.AVERAGE]
    by_key = dict(zip(keys, table.average_weights, strict=True))
    return [by_key[column.key] for column in columns]
