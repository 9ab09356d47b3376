"""A table as Markdown, for pull requests and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Row, Shown, TableResult
from reports.number_format import MISSING, difference_text, metric_text


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is, inside and outside of tables.

    >>> escaped("a|b <c> *d*")
    'a\\|b &lt;c&gt; \\*d\\*'
    """
    text = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _number(shown: Shown) -> str:
    text = metric_text(shown.metric, shown.value, shown.infinite)
    marks = {t.BEST: f"**{text}**", t.NOT_DISTINGUISHABLE: f"<u>{text}</u>"}
    return marks.get(shown.from_best, text)


def _interval(shown: Shown) -> str:
    if shown.interval is None:
        return ""
    low, high = (metric_text(shown.metric, end) for end in shown.interval)
    return rf"<br>\[{low}, {high}\]"


def _cell(cell: Cell) -> list[str]:
    """One entry per metric: ours, its interval, the paper's number with difference and word."""
    entries = []
    for shown in cell.shown:
        text = MISSING if cell.status == t.BLANK else _number(shown) + _interval(shown)
        if cell.status not in (*t.MEASURED, t.BLANK):
            text = cell.status
        if shown.paper_text:
            text += f"<br>({shown.paper_text}"
            if shown.difference is not None:
                text += f"; {difference_text(shown.metric, shown.difference)}"
            text += f", {shown.agreement})" if shown.agreement else ")"
        entries.append(text)
    return entries


def _paper_words(table: TableResult) -> str:
    """What stands in round brackets, and how far `close` reaches."""
    if table.paper_values is None:
        return ""
    numbers = "In round ones: the paper's number; ours minus the paper's"
    if not table.comparable_with_paper:
        return f" {numbers}; this tier is not comparable with the paper, so no word on it."
    parts = [f"{metric} {METRICS[metric].tolerance:g}" for metric in table.metrics]
    return (
        f" {numbers}; whether it is close (within {', '.join(parts)}, wider where three or more "
        "trainings differ) or off."
    )


def _line(row: Row, entries: Iterable[str]) -> str:
    """A system and its numbers; what is no method of the paper is in italics."""
    label = escaped(row.exported_label)
    return _joined([label if row.kind == t.METHOD else f"*{label}*", *entries])


def _head(first: str, heads: Sequence[str]) -> list[str]:
    return [_joined([first, *heads]), "|---|" + "---:|" * len(heads)]


def _joined(entries: Iterable[str]) -> str:
    return f"| {' | '.join(entries)} |"


def _block(table: TableResult, block: Block) -> list[str]:
    heads = [
        f"{escaped(column.label)}<br>{metric}"
        for column in table.columns
        for metric in table.metrics
    ]
    mixed = [f"Tasks mixed by {escaped(block.balance)}.", ""] if block.balance else []
    return [
        f"### {escaped(block.name)}",
        "",
        *mixed,
        *_head("Method", heads),
        *(_line(row, (e for cell in row.cells for e in _cell(cell))) for row in block.rows),
        "",
    ]


def table_markdown(table: TableResult) -> str:
    """The table as Markdown text, one section per block, quality entries last."""
    lines = [
        f"## {escaped(table.label)}: {escaped(table.title)}",
        "",
        f"Tier {escaped(table.tier)}, protocol {escaped(table.protocol)}. Bold: best of the block; "
        "underlined: not distinguishable from it. A system that was trained fewer than three times "
        "stands for these trainings. In square brackets: 95 % interval of the mean."
        f"{_paper_words(table)}",
        "",
    ]
    for block in table.blocks:
        lines += _block(table, block)
    if table.notes:
        lines += ["Notes:", "", *(f"- {escaped(note)}" for note in table.notes), ""]
    if table.quality:
        lines += ["Quality:", ""]
        for entry in table.quality:
            where = ", ".join(
                part for part in (entry.block, entry.row, entry.column, entry.metric) if part
            )
            lines.append(f"- {entry.severity}: {escaped(where)}: {escaped(entry.message)}")
        lines.append("")
    return "\n".join(lines)


def finished_blocks(table: TableResult) -> list[Block]:
    """Blocks in which every system that the paper prints a row for has been measured."""
    return [
        block
        for block in table.blocks
        if all(
            cell.status in (*t.MEASURED, t.BLANK)
            for row in block.rows
            if row.printed
            for cell in row.cells
        )
    ]


def block_markdown(table: TableResult, block: Block, metric: str) -> str:
    """One block as a small table of one metric, for a page that shows a result in passing."""
    where = table.metrics.index(metric)
    lines = _head(
        f"{escaped(block.name)}, {metric}", [escaped(column.label) for column in table.columns]
    )
    for row in block.rows:
        entries = (
            _number(cell.shown[where]) if cell.status in t.MEASURED else MISSING
            for cell in row.cells
        )
        lines.append(_line(row, entries))
    return "\n".join(lines)
