"""The paper's own arithmetic, redone on its printed numbers (`reports/paper_values/`).

All arithmetic is decimal: the mean of printed digits is exact, so that a mean is called rounded or
truncated for what it is and not for what binary floating point makes of it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from ndr.nearest_name import check_names
from ndr.specs.typed_file import CanonicalSpec, read_yaml_spec
from reports.number_format import MINUS
from reports.paper.printed_values import (
    FOLDER,
    Key,
    PrintedValue,
    file_of_table,
    printed_value,
    read_printed_values,
    table_label,
    table_of_file,
)

FILE = FOLDER / "doubts.yaml"


@dataclass(frozen=True, slots=True)
class DoubtfulCell:
    """One printed cell and what is doubtful about it."""

    table: int
    block: str
    method: str
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    doubt: str


@dataclass(frozen=True, slots=True)
class AverageRule:
    """How the averages of a table are to be computed from the row's cells."""

    table: int
    weights: Mapping[str, str] = field(default_factory=dict)
    """By column, as text, so that they are exact. Empty: the plain mean of the row's cells."""

    def weight(self, column: str) -> Decimal:
        """Weight of a column."""
        return Decimal(self.weights[column]) if self.weights else Decimal(1)


@dataclass(frozen=True, slots=True)
class DesignRow:
    """A row of a group that must agree."""

    table: int
    method: str


@dataclass(frozen=True, slots=True)
class EqualGroup:
    """Rows that describe one trained network."""

    why: str
    block: str
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[DesignRow, ...]


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A printed number under a name."""

    name: str
    table: int | str
    """Number of the table, or `text` for the numbers of the running text."""
    block: str
    method: str
    column: str
    metric: str


@dataclass(frozen=True, slots=True)
class TextFinding:
    """What does not fit the tables, cannot be read or is not stated."""

    where: str
    finding: str
    """In braces: names of `values`, added and subtracted, e.g. `{ours - airnet}`."""
    values: tuple[NamedCell, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrataFacts(CanonicalSpec):
    """The whole file."""

    cells: tuple[DoubtfulCell, ...]
    average_rules: tuple[AverageRule, ...]
    equal_by_design: tuple[EqualGroup, ...]
    text: tuple[TextFinding, ...]
    not_recoverable: tuple[TextFinding, ...]


@functools.cache
def errata_facts(path: Path = FILE) -> ErrataFacts:
    """Read the committed facts.

    Raises:
        SpecError: a misspelt key (with the nearest one) or a missing one.
    """
    return read_yaml_spec(ErrataFacts, path)


AVERAGE = "Average"
ROUNDED, TRUNCATED, OFF = "rounded", "truncated", "off"
FITS = (ROUNDED, TRUNCATED, OFF)
"""The correctly rounded mean; the mean cut off after the last digit; neither."""


@dataclass(frozen=True, slots=True)
class AverageCheck:
    """A printed average beside the printed cells of its row."""

    rule: AverageRule
    block: str
    method: str
    metric: str
    printed: Decimal
    cells: Mapping[str, Decimal]
    """By column."""

    @property
    def table(self) -> int:
        """Number of the table."""
        return self.rule.table

    @property
    def mean(self) -> Decimal:
        """What the rule gives, exactly."""
        weights = {column: self.rule.weight(column) for column in self.cells}
        total = sum((value * weights[c] for c, value in self.cells.items()), Decimal())
        return total / sum(weights.values())

    @property
    def plain_mean(self) -> Decimal:
        """The mean without weights."""
        return sum(self.cells.values(), Decimal()) / len(self.cells)

    @property
    def fit(self) -> str:
        """How the printed number comes from the mean: one of `FITS`."""
        return fit(self.printed, self.mean)

    @property
    def impossible(self) -> bool:
        """Whether the average lies outside of its parts, where no average can be."""
        return not min(self.cells.values()) <= self.printed <= max(self.cells.values())


def fit(printed: Decimal, mean: Decimal) -> str:
    """Whether a printed number is the rounded mean, the truncated one, or neither.

    >>> [fit(Decimal("33.01"), Decimal(m)) for m in ("33.0125", "33.0175", "33.02", "33.005")]
    ['rounded', 'truncated', 'off', 'rounded']
    """
    unit = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    if abs(printed - mean) <= unit / 2:
        return ROUNDED
    return TRUNCATED if 0 < mean - printed < unit else OFF


def check_averages(rule: AverageRule) -> Iterator[AverageCheck]:
    """Every printed average of a table."""
    values = read_printed_values(file_of_table(rule.table))
    rows: dict[tuple[str, str, str], dict[str, Decimal]] = {}
    for (block, method, column, metric), printed in values.items():
        if column != AVERAGE and printed.value is not None:
            rows.setdefault((block, method, metric), {})[column] = Decimal(printed.text)
    for (block, method, metric), cells in rows.items():
        average = Decimal(values[block, method, AVERAGE, metric].text)
        yield AverageCheck(rule, block, method, metric, average, cells)


def all_averages() -> list[AverageCheck]:
    """Every printed average of the paper."""
    return [check for rule in errata_facts().average_rules for check in check_averages(rule)]


@dataclass(frozen=True, slots=True)
class PrintedCell:
    """Where a number is printed."""

    table: int
    block: str
    method: str
    column: str


@dataclass(frozen=True, slots=True)
class DesignCheck:
    """One number of a network that several tables print."""

    why: str
    column: str
    metric: str
    texts: Mapping[PrintedCell, str]

    @property
    def common(self) -> str:
        """What most tables print."""
        return Counter(self.texts.values()).most_common(1)[0][0]

    @property
    def deviating(self) -> tuple[PrintedCell, ...]:
        """Cells that print something else."""
        return tuple(cell for cell, text in self.texts.items() if text != self.common)


def equal_by_design() -> list[DesignCheck]:
    """All numbers that several tables print of one network."""
    checks = []
    for group in errata_facts().equal_by_design:
        for column, metric in itertools.product(group.columns, group.metrics):
            texts = {}
            for row in group.rows:
                key = (group.block, row.method, column, metric)
                cell = PrintedCell(row.table, group.block, row.method, column)
                texts[cell] = printed_value(file_of_table(row.table), key).text
            checks.append(DesignCheck(group.why, column, metric, texts))
    return checks


def _numbers_of_cells() -> dict[PrintedCell, list[PrintedValue]]:
    """The printed numbers of every cell of every table, dashes included."""
    cells: dict[PrintedCell, list[PrintedValue]] = {}
    for path in sorted(FOLDER.glob("table*.csv")):
        for (block, method, column, _), printed in read_printed_values(path.name).items():
            cell = PrintedCell(table_of_file(path.name), block, method, column)
            cells.setdefault(cell, []).append(printed)
    return cells


@dataclass(frozen=True, slots=True)
class Copies:
    """Cells with the same PSNR and the same SSIM, digit by digit, that nothing makes equal."""

    texts: tuple[str, ...]
    cells: tuple[PrintedCell, ...]


def copies() -> list[Copies]:
    """Cells of different systems or test sets whose numbers are all the same."""
    by_design = {cell for check in equal_by_design() for cell in check.texts}
    equal: dict[tuple[str, ...], list[PrintedCell]] = {}
    for cell, numbers in _numbers_of_cells().items():
        texts = tuple(number.text for number in numbers if number.value is not None)
        if texts and cell.column != AVERAGE and cell not in by_design:
            equal.setdefault(texts, []).append(cell)
    return [Copies(texts, tuple(cells)) for texts, cells in equal.items() if len(cells) > 1]


def empty_rows() -> list[PrintedCell]:
    """Rows without a single number; `column` is empty."""
    rows: dict[PrintedCell, bool] = {}
    for cell, numbers in _numbers_of_cells().items():
        row = dataclasses.replace(cell, column="")
        rows[row] = rows.get(row, False) or any(number.value is not None for number in numbers)
    return [row for row, filled in rows.items() if not filled]


def finding_text(finding: TextFinding) -> str:
    """A finding with its numbers filled in from the printed ones.

    Raises:
        UnknownNameError: a cell that the paper does not have, or a name that is no value's.
    """
    numbers = {
        value.name: Decimal(
            printed_value(
                file_of_table(value.table), (value.block, value.method, value.column, value.metric)
            ).text
        )
        for value in finding.values
    }

    def computed(braces: re.Match[str]) -> str:
        signs, names = (f"+ {braces[1]}".split()[start::2] for start in (0, 1))
        check_names("number of a finding", names, numbers)
        terms = (
            numbers[name] if sign == "+" else -numbers[name]
            for sign, name in zip(signs, names, strict=True)
        )
        return str(sum(terms, Decimal()))

    return re.sub(r"\{(.*?)\}", computed, " ".join(finding.finding.split()))


def exact(number: Decimal) -> str:
    """A number with all its digits.

    >>> exact(Decimal("30.520")), exact(Decimal("1E+1"))
    ('30.52', '10')
    """
    return f"{number.normalize():f}"


def signed(difference: Decimal) -> str:
    """A difference with its sign.

    >>> signed(Decimal("0.0340")), signed(Decimal("-0.02"))
    ('+0.034', '−0.02')
    """
    return f"{difference.normalize():+f}".replace("-", MINUS)


def rule_text(rule: AverageRule) -> str:
    """What a printed average should be.

    >>> rule_text(AverageRule(5))
    "the mean of the row's printed cells"
    """
    if not rule.weights:
        return "the mean of the row's printed cells"
    parts = " and ".join(f"{weight} {column}" for column, weight in rule.weights.items())
    return f"the mean of the row's printed cells weighted {parts}"


def _average_doubt(check: AverageCheck) -> str:
    doubt = (
        f"The printed average {check.printed} is not {rule_text(check.rule)}, "
        f"{exact(check.mean)} (difference {signed(check.printed - check.mean)})."
    )
    if check.impossible:
        low, high = min(check.cells.values()), max(check.cells.values())
        doubt += f" It lies outside of its parts ({low} to {high}), where no average can be."
    return doubt


def _design_doubt(check: DesignCheck) -> str:
    *others, last = [
        table_label(cell.table) for cell, text in check.texts.items() if text == check.common
    ]
    return (
        f"{check.why} has one {check.metric} here: {', '.join(others)} and {last} print "
        f"{check.common}."
    )


@functools.cache
def doubts(file: str) -> Mapping[Key, str]:
    """What is doubtful about the numbers of one file, by block, method, column and metric.

    Computed: averages that do not fit, cells that must agree and do not. Listed in
    `doubts.yaml`: what needs a reader.
    """
    found: dict[Key, list[str]] = {}
    for listed in errata_facts().cells:
        if file_of_table(listed.table) == file:
            for column, metric in itertools.product(listed.columns, listed.metrics):
                key = (listed.block, listed.method, column, metric)
                found.setdefault(key, []).append(" ".join(listed.doubt.split()))
    for average in all_averages():
        if file_of_table(average.table) == file and average.fit == OFF:
            key = (average.block, average.method, AVERAGE, average.metric)
            found.setdefault(key, []).append(_average_doubt(average))
    for check in equal_by_design():
        for cell in check.deviating:
            if file_of_table(cell.table) == file:
                key = (cell.block, cell.method, cell.column, check.metric)
                found.setdefault(key, []).append(_design_doubt(check))
    return {key: " ".join(texts) for key, texts in found.items()}
