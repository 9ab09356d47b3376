"""Fills a planned table with the results of its runs and the paper's numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.per_image import SeriesKey
from ndr.records.table_result import Cell, Column, Number, Row, SeedRun, Shown, TableResult
from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan
from reports.analysis.run_results import RunResults, read_run_results
from reports.paper.printed_values import NOT_PRINTED, PrintedValue, printed_value
from reports.tables.marks import FilledRow, marked_blocks
from reports.tables.row_results import RowResults, number
from workflows.main_run import CONTROLS, INPUT_CONTROLS


def _shown(
    metric: str, ours: Number | None, printed: PrintedValue, degraded_input: float | None
) -> Shown:
    value = ours.value if ours else None
    paper = printed.value
    goodness = METRICS[metric].goodness
    finite_input = degraded_input is not None and math.isfinite(degraded_input)
    return Shown(
        metric=metric,
        value=value,
        infinite=ours.infinite if ours else False,
        paper=paper,
        paper_text="" if paper is None else printed.text,
        difference=None if value is None or paper is None else value - paper,
        degraded_input=degraded_input if finite_input else None,
        below_input=ours is not None
        and degraded_input is not None
        and goodness(ours.as_float) <= goodness(degraded_input),
    )


class TableAssembly:
    """One planned table being filled; `table()` returns the result."""

    def __init__(self, plan: TablePlan, results: Path) -> None:
        self.plan = plan
        runs = {run for row in plan.rows for run in row.runs} | {plan.degraded_input_run}
        self.runs: Mapping[str, RunResults] = {
            run: read_run_results(results, run) for run in sorted(runs)
        }

    def table(self) -> TableResult:
        """The table without its quality entries."""
        columns = [
            Column(c.test_set, c.label, c.paper_column, c.test_set, c.stand_in)
            for c in self.plan.columns
        ]
        if self.plan.average:
            columns.append(Column(t.AVERAGE, "Average", t.AVERAGE, None))
        names = dict.fromkeys(row.block for row in self.plan.rows)
        blocks = {name: self._filled_rows(name) for name in names}
        return TableResult(
            name=self.plan.name,
            label=self.plan.label,
            title=self.plan.title,
            tier=self.plan.tier,
            protocol=self.plan.protocol,
            metrics=self.plan.metrics,
            average=self.plan.average,
            average_weights=self.plan.average_weights,
            paper_values=self.plan.paper_values,
            degraded_input_run=self.plan.degraded_input_run,
            plan_sha256=self.plan.sha256(),
            columns=tuple(columns),
            blocks=marked_blocks(blocks),
            quality=(),
            notes=self.plan.notes,
        )

    def _filled_rows(self, name: str) -> list[FilledRow]:
        """The rows of a block, the degraded input first; intervals and marks follow."""
        planned = [row for row in self.plan.rows if row.block == name]
        tested = {test_set for row in planned for test_set in row.columns}
        degraded_input = PlannedRow(
            block=name,
            label="Degraded input"
            if self.plan.degraded_input_run.startswith(f"{INPUT_CONTROLS[1]}__")
            else "Degraded input, bicubic",
            paper_method="",
            run=self.plan.degraded_input_run,
            columns=tuple(c.test_set for c in self.plan.columns if c.test_set in tested),
        )
        rows = [self._filled(degraded_input, t.DEGRADED_INPUT)]
        for row in planned:
            control = row.run is not None and row.run.split("__")[0] in CONTROLS
            rows.append(self._filled(row, t.CONTROL if control else t.METHOD))
        return rows

    def _results(self, row: PlannedRow) -> RowResults:
        return RowResults(tuple(self.runs[run] for run in row.runs))

    def _filled(self, row: PlannedRow, kind: str) -> FilledRow:
        filled = self._row(row, kind)
        return FilledRow(filled, self._results(row), self._protocol_of(row), self._weights(row))

    def _row(self, row: PlannedRow, kind: str) -> Row:
        cells = [self._cell(row, column) for column in self.plan.columns]
        if self.plan.average:
            own = [cell for cell in cells if cell.column in row.columns]
            cells.append(self._average(row, own))
        results = self._results(row)
        run = results.first
        return Row(
            kind=kind,
            label=row.label,
            paper_method=row.paper_method,
            run=row.run,
            reason=row.reason,
            training=run.training if run else None,
            evaluation=run.facts if run else None,
            cells=tuple(cells),
            printed=row.printed,
            protocol=row.protocol,
            other_seeds=tuple(
                SeedRun(other.run, other.training, other.facts) for other in results.runs[1:]
            ),
        )

    def _printed(self, row: PlannedRow, paper_column: str, metric: str) -> PrintedValue:
        if not row.paper_method or metric in self.plan.own_metrics:
            return NOT_PRINTED
        key = (row.block, row.paper_method, paper_column, metric)
        return printed_value(self.plan.paper_values, key)

    def _empty(
        self, row: PlannedRow, key: str, paper_column: str, status: str, reason: str
    ) -> Cell:
        shown = tuple(
            _shown(metric, None, self._printed(row, paper_column, metric), None)
            for metric in self.plan.metrics
        )
        return Cell(key, status, reason, None, None, shown, ())

    def _state(self, row: PlannedRow, test_set: str) -> tuple[str, str]:
        """Status of a cell and the reason where it cannot be filled."""
        if test_set not in row.columns:
            return t.BLANK, ""
        if row.run is None:
            return t.LEFT_OUT, row.reason
        return self._results(row).state(test_set, self.plan.metrics, self._protocol_of(row))

    def _protocol_of(self, row: PlannedRow) -> str:
        return row.protocol or self.plan.protocol

    def _cell(self, row: PlannedRow, column: PlannedColumn) -> Cell:
        test_set = column.test_set
        status, reason = self._state(row, test_set)
        if status != t.OK:
            return self._empty(row, test_set, column.paper_column, status, reason)
        results = self._results(row)
        assert results.first is not None
        assert results.first.provenance is not None
        n, n_total = results.first.provenance.images[test_set]
        numbers, warnings = results.numbers(test_set)
        warnings += results.missing(test_set, self.plan.metrics, self.plan.protocol)
        shown = self._shown_numbers(row, column.paper_column, numbers, test_set)
        return Cell(
            column=test_set,
            status=_measured_status(shown),
            reason="",
            n=n,
            n_total=n_total,
            shown=shown,
            numbers=tuple(numbers),
            warnings=tuple(warnings),
        )

    def _shown_numbers(
        self, row: PlannedRow, paper_column: str, numbers: Iterable[Number], test_set: str
    ) -> tuple[Shown, ...]:
        protocol = self._protocol_of(row)
        ours = {n.metric: n for n in numbers if n.protocol == protocol}
        return tuple(
            _shown(
                metric,
                ours.get(metric),
                self._printed(row, paper_column, metric),
                self._degraded_input(row, SeriesKey(test_set, protocol, metric)),
            )
            for metric in self.plan.metrics
        )

    def _degraded_input(self, row: PlannedRow, key: SeriesKey) -> float | None:
        """Mean of the degraded input over the images that the row was evaluated on."""
        control = self.runs[self.plan.degraded_input_run].evaluation
        if row.run is None or row.run == self.plan.degraded_input_run or control is None:
            return None
        if row.own_noise:
            return None  # the control has other noise: nothing to compare with
        images, values = self._results(row).images(key.test_set), control.sound(key)
        if values is None or not images or not images <= values.keys():
            return None
        return METRICS[key.metric].aggregate([values[image] for image in images])

    def _average(self, row: PlannedRow, own: Sequence[Cell]) -> Cell:
        """Mean over the row's own columns, plain (Tables V, VI) or weighted; all or nothing."""
        for status in (t.LEFT_OUT, t.INVALID, t.FAILED, t.NOT_RUN):
            missing = [cell.column for cell in own if cell.status == status]
            if missing:
                reason = row.reason if status == t.LEFT_OUT else f"needs {', '.join(missing)}"
                return self._empty(row, t.AVERAGE, t.AVERAGE, status, reason)
        if not own:
            return self._empty(row, t.AVERAGE, t.AVERAGE, t.BLANK, "")
        weights = list(self._weights(row).values())
        numbers = []
        for first in own[0].numbers:
            parts = [part for cell in own if (part := _find(cell.numbers, first)) is not None]
            if len(parts) == len(own):
                value = _weighted([part.as_float for part in parts], weights)
                numbers.append(number(first.metric, first.protocol, value))
        ours = {n.metric: n for n in numbers if n.protocol == self._protocol_of(row)}
        shown = []
        for index, metric in enumerate(self.plan.metrics):
            inputs = [cell.shown[index].degraded_input for cell in own]
            known = [value for value in inputs if value is not None]
            reference = _weighted(known, weights) if len(known) == len(own) else None
            printed = self._printed(row, t.AVERAGE, metric)
            shown.append(_shown(metric, ours.get(metric), printed, reference))
        status = _measured_status(shown)
        return Cell(t.AVERAGE, status, "", None, None, tuple(shown), tuple(numbers))

    def _weights(self, row: PlannedRow) -> dict[str, float]:
        """Weight of each of the row's own columns, in the table's order."""
        names = [column.test_set for column in self.plan.columns]
        weights = self.plan.average_weights or (1.0,) * len(names)
        return {
            name: weight for name, weight in zip(names, weights, strict=True) if name in row.columns
        }


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted mean, correctly rounded for equal weights.

    >>> _weighted([21.37, 22.68], [0.4, 0.6])
    22.156
    """
    products = (value * weight for value, weight in zip(values, weights, strict=True))
    return math.fsum(products) / math.fsum(weights)


def _measured_status(shown: Sequence[Shown]) -> str:
    return t.OK if any(s.paper is not None for s in shown) else t.NO_PAPER_VALUE


def _find(numbers: Iterable[Number], like: Number) -> Number | None:
    for one in numbers:
        if (one.metric, one.protocol) == (like.metric, like.protocol):
            return one
    return None


def assemble_table(plan: TablePlan, results: Path) -> TableResult:
    """Fill `plan` from the files below `results` (`results/<tier>`).

    Missing result files give cells marked `not run`, contradictory ones cells marked `invalid`.

    Raises:
        UnknownNameError: the plan names a block, method or column that the paper lacks.
        ResultFileError: a provenance file is damaged.
    """
    return TableAssembly(plan, results).table()
