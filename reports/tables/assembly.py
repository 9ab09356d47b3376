"""Fills a planned table with the results of its runs and the paper's numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.per_image import SeriesKey
from ndr.records.table_result import Cell, Column, Number, Row, SeedRun, Shown, TableResult
from ndr.specs.table_plan import PlannedColumn, PlannedRow, TablePlan
from reports.analysis.run_results import RunResults, read_run_results
from reports.paper.printed_values import NOT_PRINTED, PrintedValue, printed_value
from reports.tables.marks import marked_blocks
from reports.tables.rivals import FilledRow
from reports.tables.row_results import RowResults, number
from workflows.main_run import CONTROLS, INPUT_CONTROLS


def _shown(
    metric: str, ours: Number | None, printed: PrintedValue, degraded_input: float | None
) -> Shown:
    value = ours.value if ours else None
    paper = printed.value
    goodness = METRICS[metric].goodness
    # The infinite mean of inputs of which one equals its truth says nothing of the others.
    finite = degraded_input is not None and math.isfinite(degraded_input)
    reference = degraded_input if finite else None
    return Shown(
        metric=metric,
        value=value,
        infinite=ours.infinite if ours else False,
        paper=paper,
        paper_text="" if paper is None else printed.text,
        difference=None if value is None or paper is None else value - paper,
        degraded_input=reference,
        below_input=ours is not None
        and reference is not None
        and goodness(ours.as_float) <= goodness(reference),
    )


class _RowAssembly:
    """One row of a table being filled."""

    def __init__(
        self, plan: TablePlan, planned: PlannedRow, runs: Mapping[str, RunResults]
    ) -> None:
        self.plan, self.planned = plan, planned
        self.results = RowResults(tuple(runs[run] for run in planned.runs), plan.withheld)
        self.protocol = planned.protocol or plan.protocol
        weights = plan.average_weights or (1.0,) * len(plan.columns)
        pairs = zip(plan.columns, weights, strict=True)
        # What the paper has no column for is no part of its average.
        self.weights = {
            c.test_set: weight
            for c, weight in pairs
            if c.test_set in planned.columns and c.paper_column
        }
        # With other noise than the control's there is nothing to compare with.
        compared = planned.run != plan.degraded_input_run and not planned.own_noise
        self.control = runs[plan.degraded_input_run].evaluation if compared else None

    def filled(self, kind: str) -> FilledRow:
        """The row with its numbers; intervals and marks follow."""
        cells = [self._cell(column) for column in self.plan.columns]
        if self.plan.average:
            cells.append(self._average([cell for cell in cells if cell.column in self.weights]))
        first, *others = self.results.runs or (None,)
        planned = self.planned
        row = Row(
            kind=kind,
            label=planned.label,
            paper_method=planned.paper_method,
            run=planned.run,
            reason=planned.reason,
            training=first.training if first else None,
            evaluation=first.facts if first else None,
            cells=tuple(cells),
            printed=planned.printed,
            protocol=planned.protocol,
            other_seeds=tuple(SeedRun(one.run, one.training, one.facts) for one in others if one),
        )
        return FilledRow(row, self.results, self.protocol, self.weights)

    def _filled_cell(
        self,
        column: str,
        paper_column: str,
        *,
        status: str = "",
        reason: str = "",
        numbers: Sequence[Number] = (),
        inputs: Sequence[float | None] | None = None,
        n: int | None = None,
        n_total: int | None = None,
        warnings: Sequence[str] = (),
    ) -> Cell:
        """A cell; without a status it is measured. `inputs` are the degraded input's numbers."""
        ours = {n.metric: n for n in numbers if n.protocol == self.protocol}
        metrics = self.plan.metrics
        shown = tuple(
            _shown(metric, ours.get(metric), self._printed(column, paper_column, metric), given)
            for metric, given in zip(metrics, inputs or (None,) * len(metrics), strict=True)
        )
        measured = t.OK if any(one.paper is not None for one in shown) else t.NO_PAPER_VALUE
        return Cell(
            column=column,
            status=status or measured,
            reason=reason,
            n=n,
            n_total=n_total,
            shown=shown,
            numbers=tuple(numbers),
            warnings=tuple(warnings),
        )

    def _printed(self, test_set: str, paper_column: str, metric: str) -> PrintedValue:
        row = self.planned
        for given in row.quoted:
            if (given.test_set, given.metric) == (test_set, metric):
                return PrintedValue(given.text)
        if not row.paper_method or not paper_column or metric in self.plan.own_metrics:
            return NOT_PRINTED
        key = (row.block, row.paper_method, paper_column, metric)
        return printed_value(self.plan.paper_values, key)

    def _state(self, test_set: str) -> tuple[str, str]:
        """Status of a cell and the reason where it cannot be filled."""
        if test_set not in self.planned.columns:
            return t.BLANK, ""
        if self.planned.run is None:
            return t.LEFT_OUT, self.planned.reason
        return self.results.state(test_set, self.plan.metrics, self.protocol)

    def _cell(self, column: PlannedColumn) -> Cell:
        test_set = column.test_set
        status, reason = self._state(test_set)
        if status != t.OK:
            return self._filled_cell(test_set, column.paper_column, status=status, reason=reason)
        provenance = self.results.runs[0].provenance
        assert provenance is not None
        n, n_total = provenance.images[test_set]
        numbers, warnings = self.results.numbers(test_set)
        warnings += self.results.missing(test_set, self.plan.metrics, self.plan.protocol)
        return self._filled_cell(
            test_set,
            column.paper_column,
            numbers=numbers,
            inputs=[self._degraded_input(test_set, metric) for metric in self.plan.metrics],
            n=n,
            n_total=n_total,
            warnings=warnings,
        )

    def _degraded_input(self, test_set: str, metric: str) -> float | None:
        """The degraded input's number over the images that the row was evaluated on."""
        images = self.results.images(test_set)
        key = SeriesKey(test_set, self.protocol, metric)
        values = self.control.sound(key) if self.control else None
        if values is None or not images or not images <= values.keys():
            return None
        return METRICS[metric].aggregate([values[image] for image in images])

    def _average(self, own: Sequence[Cell]) -> Cell:
        """Mean over the row's own columns, plain (Tables V, VI) or weighted; all or nothing."""
        for status in (t.LEFT_OUT, t.INVALID, t.FAILED, t.NOT_RUN):
            missing = ", ".join(cell.column for cell in own if cell.status == status)
            if missing:
                reason = self.planned.reason if status == t.LEFT_OUT else f"needs {missing}"
                return self._filled_cell(t.AVERAGE, t.AVERAGE, status=status, reason=reason)
        if not own:
            return self._filled_cell(t.AVERAGE, t.AVERAGE, status=t.BLANK)
        values = [{(n.metric, n.protocol): n.as_float for n in cell.numbers} for cell in own]
        numbers = [
            number(*key, self._weighted([one[key] for one in values]))
            for key in values[0]
            if all(key in one for one in values)
        ]
        inputs = [
            self._weighted([given for given in of_metric if given is not None])
            if None not in of_metric
            else None
            for of_metric in zip(
                *([shown.degraded_input for shown in cell.shown] for cell in own), strict=True
            )
        ]
        return self._filled_cell(t.AVERAGE, t.AVERAGE, numbers=numbers, inputs=inputs)

    def _weighted(self, values: Sequence[float]) -> float:
        """Weighted mean over the columns, correctly rounded for equal weights."""
        weights = self.weights.values()
        products = (value * weight for value, weight in zip(values, weights, strict=True))
        return math.fsum(products) / math.fsum(weights)


def _block(plan: TablePlan, name: str, runs: Mapping[str, RunResults]) -> list[FilledRow]:
    """The rows of a block, the degraded input first."""
    planned = [row for row in plan.rows if row.block == name]
    tested = {test_set for row in planned for test_set in row.columns}
    bicubic = not plan.degraded_input_run.startswith(f"{INPUT_CONTROLS[1]}__")
    degraded_input = PlannedRow(
        block=name,
        label="Degraded input, bicubic" if bicubic else "Degraded input",
        paper_method="",
        run=plan.degraded_input_run,
        columns=tuple(c.test_set for c in plan.columns if c.test_set in tested),
    )
    rows = [_RowAssembly(plan, degraded_input, runs).filled(t.DEGRADED_INPUT)]
    for row in planned:
        control = row.run is not None and row.run.split("__")[0] in CONTROLS
        rows.append(_RowAssembly(plan, row, runs).filled(t.CONTROL if control else t.METHOD))
    return rows


def assemble_table(plan: TablePlan, results: Path) -> TableResult:
    """Fill `plan` from the files below `results` (`results/<tier>`); quality entries follow.

    Missing result files give cells marked `not run`, contradictory ones cells marked `invalid`.

    Raises:
        UnknownNameError: the plan names a block, method or column that the paper lacks.
        ResultFileError: a provenance file is damaged.
    """
    names = {run for row in plan.rows for run in row.runs} | {plan.degraded_input_run}
    runs = {run: read_run_results(results, run) for run in sorted(names)}
    columns = [
        Column(c.test_set, c.label, c.paper_column, c.test_set, c.stand_in) for c in plan.columns
    ]
    if plan.average:
        columns.append(Column(t.AVERAGE, "Average", t.AVERAGE, None))
    blocks = {name: _block(plan, name, runs) for name in dict.fromkeys(r.block for r in plan.rows)}
    return TableResult(
        name=plan.name,
        label=plan.label,
        title=plan.title,
        tier=plan.tier,
        protocol=plan.protocol,
        metrics=plan.metrics,
        average=plan.average,
        average_weights=plan.average_weights,
        paper_values=plan.paper_values,
        comparable_with_paper=plan.comparable_with_paper,
        degraded_input_run=plan.degraded_input_run,
        plan_sha256=plan.sha256(),
        columns=tuple(columns),
        blocks=marked_blocks(blocks, comparable_with_paper=plan.comparable_with_paper),
        quality=(),
        notes=plan.notes,
    )
