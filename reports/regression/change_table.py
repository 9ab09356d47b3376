"""A comparison as text for a terminal and as Markdown for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ndr.metrics.metric import COMPARED, METRICS
from reports.regression.comparison import UNIT, Change, Comparison, Verdict
from reports.tables.markdown_export import escaped

UNLISTED = (Verdict.MISSING, Verdict.EQUAL, Verdict.NEW)
LISTED = [verdict for verdict in Verdict if verdict not in UNLISTED]
"""Verdicts whose cells are listed one by one, gravest first; of the others runs are named."""
HEADERS = ("verdict", "run", "test set", "protocol", "metric", "reference", "new", "change", "95 %")
MOST_ROWS = 200
"""Lines of a verdict that are printed; of more, their number."""


def _number(change: Change, value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.{METRICS[change.key.metric].digits + 2}f}"


def _cells(change: Change) -> tuple[str, ...]:
    interval = change.interval
    between = ""
    if interval is not None:
        low, high = (_number(change, end, "+") for end in (interval.low, interval.high))
        between = f"{low} to {high}"
    return (
        change.verdict.value,
        change.run,
        change.key.test_set,
        change.key.protocol,
        change.key.metric,
        _number(change, change.old),
        _number(change, change.new),
        _number(change, change.difference, "+"),
        between or change.reason,
    )


def _listed(comparison: Comparison) -> tuple[list[tuple[str, ...]], list[str]]:
    """Rows of the table, and a remark for every verdict that was cut off."""
    rows: list[tuple[str, ...]] = []
    remarks = []
    for verdict in LISTED:
        changes = sorted(
            comparison.of(verdict),
            key=lambda change: METRICS[change.key.metric].goodness(change.difference or 0.0),
        )
        rows += map(_cells, changes[:MOST_ROWS])
        if len(changes) > MOST_ROWS:
            remarks.append(f"{verdict.value}: {len(changes) - MOST_ROWS} more cells")
    return rows, remarks


def _runs(changes: Iterable[Change]) -> str:
    counts = Counter(change.run for change in changes)
    return ", ".join(f"{run} ({count} cells)" for run, count in counts.items())


def _remarks(comparison: Comparison) -> list[str]:
    remarks = []
    if missing := comparison.of(Verdict.MISSING):
        remarks.append(f"In the reference only: {_runs(missing)}.")
    if new := comparison.of(Verdict.NEW):
        remarks.append(f"In the results only: {_runs(new)}.")
    if comparison.new_runs:
        count = len(comparison.new_runs)
        remarks.append(f"{count} runs of the results are not in the reference.")
    if comparison.other_specs:
        remarks.append(
            "Trained from another spec than the reference, so that other numbers are no surprise: "
            f"{', '.join(comparison.other_specs)}."
        )
    return remarks


def summary(comparison: Comparison) -> str:
    """One line: how many cells of each verdict."""
    counts = Counter(change.verdict for change in comparison.changes)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
    return f"{len(comparison.changes)} cells: {', '.join(parts) or 'none'}."


def _rule() -> str:
    floors = ", ".join(f"{METRICS[name].regression_floor:g} {name}" for name in COMPARED)
    return (
        f"A trained network's mean must get worse by more than the floor ({floors}) and the 95 % "
        "interval of the paired difference must not hold zero. Numbers of untrained methods must "
        f"not change by more than {UNIT:g}."
    )


def as_text(comparison: Comparison) -> str:
    """The changed cells as an aligned table, then what cannot be compared, then the counts."""
    rows, remarks = _listed(comparison)
    lines: list[str] = []
    if rows:
        widths = [max(map(len, column)) for column in zip(HEADERS, *rows, strict=True)]
        for row in (HEADERS, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    return "\n".join([*lines, *remarks, *_remarks(comparison), summary(comparison)])


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def as_markdown(comparison: Comparison, verdict: str) -> str:
    """The same for a pull request.

    Args:
        comparison: all cells.
        verdict: the outcome in a few words; becomes the heading.
    """
    rows, remarks = _listed(comparison)
    lines = [f"### Metrics: {escaped(verdict)}", "", escaped(summary(comparison)), ""]
    if rows:
        lines += [_markdown_row(HEADERS), "|" + " --- |" * 5 + " ---: |" * 3 + " --- |"]
        lines += [*map(_markdown_row, rows), ""]
    for remark in [*remarks, *_remarks(comparison)]:
        lines += [escaped(remark), ""]
    return "\n".join([*lines, escaped(_rule())]) + "\n"
