"""The panel of the page with what does not fit in the paper's own numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.number_format import counted
from reports.page.table_view import anchor
from reports.paper.arithmetic import (
    OFF,
    ROUNDED,
    TRUNCATED,
    AverageCheck,
    PrintedCell,
    all_averages,
    copies,
    empty_rows,
    equal_by_design,
    errata_facts,
    finding_text,
    signed,
    table_label,
)
from reports.paper.printed_values import block_title, column_text, with_symbols


@dataclass(frozen=True, slots=True)
class ErrataRow:
    """One finding: where it stands, with a link where the page has the table, and the rest."""

    where: str
    link: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErrataGroup:
    """Findings of one kind; `heads` has one more entry than the cells of a row."""

    key: str
    title: str
    text: str
    heads: tuple[str, ...]
    rows: tuple[ErrataRow, ...]
    folded: bool = False
    """Whether the rows are shown on request only: they change nothing."""


@dataclass(frozen=True, slots=True)
class ErrataSection:
    """The section of the page."""

    summary: tuple[str, ...]
    groups: tuple[ErrataGroup, ...]


def errata_section(tables: Iterable[str] = ()) -> ErrataSection:
    """Everything that does not fit, computed from the committed numbers.

    Args:
        tables: names of the tables on the page, e.g. `table_05`: findings link to them.
    """
    on_page = frozenset(tables)
    averages = all_averages()
    groups = (
        _averages_that_do_not_fit(averages, on_page),
        _weighted_average(averages, on_page),
        _truncated(averages, on_page),
        _cells_that_must_agree(on_page),
        _copied_cells(on_page),
        _doubtful_cells(on_page),
        _text_against_tables(),
        _not_recoverable(),
    )
    return ErrataSection(_summary(averages), groups)


def _link(table: int, on_page: frozenset[str]) -> str:
    name = f"table_{table:02d}"
    return f"#{anchor(name)}" if name in on_page else ""


def _row(table: int, on_page: frozenset[str], *cells: str) -> ErrataRow:
    return ErrataRow(table_label(table), _link(table, on_page), tuple(map(with_symbols, cells)))


def _fits(averages: Sequence[AverageCheck]) -> Counter[str]:
    return Counter(check.fit for check in averages)


def _is_plain(check: AverageCheck) -> bool:
    rules = {rule.table: rule for rule in errata_facts().average_rules}
    return not rules[check.table].weights


def _summary(averages: Sequence[AverageCheck]) -> tuple[str, ...]:
    plain = [check for check in averages if _is_plain(check)]
    fits = _fits(plain)
    tables = " and ".join(dict.fromkeys(table_label(check.table) for check in plain))
    design = equal_by_design()
    unequal = sum(len(check.deviating) for check in design)
    cells = sum(len(check.texts) for check in design)
    return (
        f"Of the {len(plain)} averages of {tables}, {fits[ROUNDED]} are the correctly rounded mean "
        f"of their row, {fits[TRUNCATED]} were cut off instead of rounded, {fits[OFF]} do not fit.",
        f"Of the {cells} numbers that describe one and the same network in several tables, "
        f"{cells - unequal} agree and {unequal} do not.",
        f"{counted(len(copies()), 'pair')} of cells with equal numbers in every digit, for no "
        "reason.",
    )


def _averages_that_do_not_fit(
    averages: Sequence[AverageCheck], on_page: frozenset[str]
) -> ErrataGroup:
    return ErrataGroup(
        "averages",
        "Averages that do not fit",
        "The mean of the row's own printed cells, computed exactly, beside the printed average.",
        ("Table", "Block", "Method", "Metric", "Printed", "Mean of the cells", "Difference"),
        tuple(_average_row(c, on_page) for c in averages if _is_plain(c) and c.fit == OFF),
    )


def _average_row(check: AverageCheck, on_page: frozenset[str]) -> ErrataRow:
    return _row(
        check.table,
        on_page,
        block_title(check.block),
        check.method,
        check.metric,
        str(check.printed),
        f"{check.mean.normalize():f}",
        signed(check.printed - check.mean),
    )


_FIT_WORDS = {ROUNDED: "fits", TRUNCATED: "fits, cut off", OFF: "does not fit"}


def _weighted_average(averages: Sequence[AverageCheck], on_page: frozenset[str]) -> ErrataGroup:
    rule = next(rule for rule in errata_facts().average_rules if rule.weights)
    weights = ", ".join(f"{each.weight} for {each.column}" for each in rule.weights)
    return ErrataGroup(
        "weighted-average",
        f"The average of {table_label(rule.table)}",
        f"It is not the mean of the columns but weighs them by their images: {weights}.",
        ("Table", "Method", "Metric", "Printed", "Plain mean", "Weighted mean", ""),
        tuple(
            _row(
                check.table,
                on_page,
                check.method,
                check.metric,
                str(check.printed),
                f"{check.plain_mean.normalize():f}",
                f"{check.mean.normalize():f}",
                _FIT_WORDS[check.fit]
                + ("; outside of its parts, where no average can be" if check.impossible else ""),
            )
            for check in averages
            if not _is_plain(check)
        ),
    )


def _truncated(averages: Sequence[AverageCheck], on_page: frozenset[str]) -> ErrataGroup:
    return ErrataGroup(
        "truncated",
        "Averages that were cut off",
        "Less than one unit of the last digit too low. They change no conclusion and have no mark.",
        ("Table", "Block", "Method", "Metric", "Printed", "Mean of the cells", "Difference"),
        tuple(_average_row(c, on_page) for c in averages if _is_plain(c) and c.fit == TRUNCATED),
        folded=True,
    )


def _cells_that_must_agree(on_page: frozenset[str]) -> ErrataGroup:
    rows = [
        _row(
            cell.table,
            on_page,
            cell.method,
            f"{column_text(cell.column)}, {check.metric}",
            check.texts[cell],
            check.common,
            check.why,
        )
        for check in equal_by_design()
        for cell in check.deviating
    ]
    return ErrataGroup(
        "equal-by-design",
        "Cells that must agree and do not",
        "Several tables print the same trained network. These cells differ from the others.",
        ("Table", "Row", "Column", "Printed here", "Printed elsewhere", "What it is"),
        tuple(rows),
    )


def _cell_text(cell: PrintedCell) -> str:
    return f"{cell.method}, {column_text(cell.column)}"


def _copied_cells(on_page: frozenset[str]) -> ErrataGroup:
    rows = [
        _row(copy.cells[0].table, on_page, " / ".join(copy.texts), *map(_cell_text, copy.cells[:2]))
        for copy in copies()
    ]
    return ErrataGroup(
        "copies",
        "Cells that are a copy of another",
        "Two systems or test sets with the same PSNR and the same SSIM in every digit.",
        ("Table", "Printed", "Cell", "The same as"),
        tuple(rows),
    )


def _doubtful_cells(on_page: frozenset[str]) -> ErrataGroup:
    rows = [
        _row(
            cell.table,
            on_page,
            cell.method,
            f"{', '.join(map(column_text, cell.columns))}, {', '.join(cell.metrics)}",
            " ".join(cell.doubt.split()),
        )
        for cell in errata_facts().cells
    ]
    rows += [
        _row(row.table, on_page, row.method, "all columns", "No number of this row survived.")
        for row in empty_rows()
    ]
    return ErrataGroup(
        "cells",
        "Single cells in doubt",
        "Nothing was corrected: the tables show what is printed, with a mark.",
        ("Table", "Row", "Column", "Doubt"),
        tuple(rows),
    )


def _text_against_tables() -> ErrataGroup:
    rows = [
        ErrataRow(finding.where, "", (finding_text(finding),)) for finding in errata_facts().text
    ]
    return ErrataGroup(
        "text",
        "Text against tables",
        "What the running text says and the tables, equations or the released code do not.",
        ("Where", "What"),
        tuple(rows),
    )


def _not_recoverable() -> ErrataGroup:
    rows = [ErrataRow(gap.where, "", (gap.what,)) for gap in errata_facts().not_recoverable]
    return ErrataGroup(
        "gaps",
        "Not stated or not readable",
        "What neither the paper nor its released files say.",
        ("Where", "What"),
        tuple(rows),
        folded=True,
    )
