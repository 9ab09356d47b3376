"""The paper's own arithmetic, redone on its printed numbers (`reports/paper_values/`).

All arithmetic is decimal: the mean of printed digits is exact, so that a mean is called rounded or
truncated for what it is and not for what binary floating point makes of it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ndr.specs.typed_file import CanonicalSpec, read_yaml_spec
from reports.number_format import MINUS
from reports.paper.printed_values import FOLDER, Key, printed_value, read_printed_values

FILE = FOLDER / "doubts.yaml"
TEXT_FACTS = "text_facts.csv"
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV")


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
class ColumnWeight:
    """Weight of a column in an average."""

    column: str
    weight: str
    """As text, so that it is exact."""


@dataclass(frozen=True, slots=True)
class AverageRule:
    """How the averages of a table are to be computed from the row's cells."""

    table: int
    weights: tuple[ColumnWeight, ...] = ()
    """Empty: the plain mean of the cells that the row has."""

    def weight(self, column: str) -> Decimal:
        """Weight of a column."""
        by_column = {each.column: Decimal(each.weight) for each in self.weights}
        return by_column[column] if by_column else Decimal(1)


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
class NamedTerm:
    """A number that is computed from named ones."""

    name: str
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextFinding:
    """A sentence of the paper that does not fit its tables; numbers in braces are looked up."""

    where: str
    finding: str
    values: tuple[NamedCell, ...] = ()
    differences: tuple[NamedTerm, ...] = ()
    """The first less the others."""
    sums: tuple[NamedTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that cannot be read or is not stated."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ErrataFacts(CanonicalSpec):
    """The whole file."""

    cells: tuple[DoubtfulCell, ...]
    average_rules: tuple[AverageRule, ...]
    equal_by_design: tuple[EqualGroup, ...]
    text: tuple[TextFinding, ...]
    not_recoverable: tuple[Gap, ...]


@functools.cache
def errata_facts(path: Path = FILE) -> ErrataFacts:
    """Read the committed facts.

    Raises:
        SpecError: a misspelt key (with the nearest one) or a missing one.
    """
    return read_yaml_spec(ErrataFacts, path)


def file_of_table(table: int | str) -> str:
    """Name of the file with the printed numbers of a table.

    >>> file_of_table(5), file_of_table("text")
    ('table05.csv', 'text_facts.csv')
    """
    return TEXT_FACTS if table == "text" else f"table{table:02d}.csv"


def table_of_file(file: str) -> int:
    """Number of the table that a file holds.

    >>> table_of_file("table05.csv")
    5
    """
    return int(file.removeprefix("table").removesuffix(".csv"))


def table_label(table: int) -> str:
    """Name of a table as the paper prints it.

    >>> table_label(14)
    'Table XIV'
    """
    return f"Table {ROMAN[table - 1]}"


AVERAGE = "Average"
ROUNDED, TRUNCATED, OFF = "rounded", "truncated", "off"
FITS = (ROUNDED, TRUNCATED, OFF)
"""The correctly rounded mean; the mean cut off after the last digit; neither."""


@dataclass(frozen=True, slots=True)
class AverageCheck:
    """A printed average beside the mean of its row's printed cells."""

    table: int
    block: str
    method: str
    metric: str
    printed: Decimal
    mean: Decimal
    """Exact."""
    plain_mean: Decimal
    """Without weights."""
    lowest: Decimal
    highest: Decimal

    @property
    def key(self) -> Key:
        """The cell of the average."""
        return (self.block, self.method, AVERAGE, self.metric)

    @property
    def fit(self) -> str:
        """How the printed number comes from the mean: one of `FITS`."""
        return fit(self.printed, self.mean)

    @property
    def impossible(self) -> bool:
        """Whether the average lies outside of its parts, where no average can be."""
        return not self.lowest <= self.printed <= self.highest


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
    """Every printed average of a table, with the mean that its rule gives."""
    file = file_of_table(rule.table)
    values = read_printed_values(file)
    cells: dict[tuple[str, str, str], dict[str, Decimal]] = {}
    for (block, method, column, metric), printed in values.items():
        if column != AVERAGE and printed.value is not None:
            cells.setdefault((block, method, metric), {})[column] = Decimal(printed.text)
    for (block, method, metric), parts in cells.items():
        weights = {column: rule.weight(column) for column in parts}
        total = sum((value * weights[c] for c, value in parts.items()), Decimal())
        yield AverageCheck(
            table=rule.table,
            block=block,
            method=method,
            metric=metric,
            printed=Decimal(values[block, method, AVERAGE, metric].text),
            mean=total / sum(weights.values()),
            plain_mean=sum(parts.values(), Decimal()) / len(parts),
            lowest=min(parts.values()),
            highest=max(parts.values()),
        )


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


def check_equal_group(group: EqualGroup) -> Iterator[DesignCheck]:
    """Compare the cells of rows that describe one trained network."""
    for column in group.columns:
        for metric in group.metrics:
            texts = {}
            for row in group.rows:
                key = (group.block, row.method, column, metric)
                cell = PrintedCell(row.table, group.block, row.method, column)
                texts[cell] = printed_value(file_of_table(row.table), key).text
            yield DesignCheck(group.why, column, metric, texts)


def equal_by_design() -> list[DesignCheck]:
    """All numbers that several tables print of one network."""
    groups = errata_facts().equal_by_design
    return [check for group in groups for check in check_equal_group(group)]


@dataclass(frozen=True, slots=True)
class Copies:
    """Cells with the same PSNR and the same SSIM, digit by digit, that nothing makes equal."""

    texts: tuple[str, ...]
    cells: tuple[PrintedCell, ...]


def _printed_cells() -> Iterator[tuple[PrintedCell, tuple[str, ...]]]:
    """Every cell with its numbers; dashes and averages left out."""
    for path in sorted(FOLDER.glob("table*.csv")):
        cells: dict[PrintedCell, list[str]] = {}
        for (block, method, column, _), printed in read_printed_values(path.name).items():
            if column != AVERAGE and printed.value is not None:
                cell = PrintedCell(table_of_file(path.name), block, method, column)
                cells.setdefault(cell, []).append(printed.text)
        yield from ((cell, tuple(texts)) for cell, texts in cells.items())


def copies() -> list[Copies]:
    """Cells of different systems or test sets whose numbers are all the same."""
    by_design = {cell for check in equal_by_design() for cell in check.texts}
    equal: dict[tuple[str, ...], list[PrintedCell]] = {}
    for cell, texts in _printed_cells():
        if cell not in by_design:
            equal.setdefault(texts, []).append(cell)
    return [Copies(texts, tuple(cells)) for texts, cells in equal.items() if len(cells) > 1]


def empty_rows() -> list[PrintedCell]:
    """Rows without a single number; `column` is empty."""
    rows: dict[PrintedCell, bool] = {}
    for path in sorted(FOLDER.glob("table*.csv")):
        for (block, method, _, _), printed in read_printed_values(path.name).items():
            row = PrintedCell(table_of_file(path.name), block, method, "")
            rows[row] = rows.get(row, False) or printed.value is not None
    return [row for row, filled in rows.items() if not filled]


def finding_text(finding: TextFinding) -> str:
    """A finding with its numbers filled in from the printed ones.

    Raises:
        UnknownNameError: a cell that the paper does not have.
        KeyError: a number in braces that is not defined.
    """
    numbers = {
        value.name: Decimal(
            printed_value(
                file_of_table(value.table), (value.block, value.method, value.column, value.metric)
            ).text
        )
        for value in finding.values
    }
    for term in finding.differences:
        first, *others = (numbers[name] for name in term.of)
        numbers[term.name] = first - sum(others, Decimal())
    for term in finding.sums:
        numbers[term.name] = sum((numbers[name] for name in term.of), Decimal())
    return " ".join(finding.finding.split()).format_map(numbers)


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
    parts = " and ".join(f"{each.weight} {each.column}" for each in rule.weights)
    return f"the mean of the row's printed cells weighted {parts}"


def _average_doubt(check: AverageCheck, rule: AverageRule) -> str:
    doubt = (
        f"The printed average {check.printed} is not {rule_text(rule)}, "
        f"{check.mean.normalize():f} (difference {signed(check.printed - check.mean)})."
    )
    if check.impossible:
        doubt += (
            f" It lies outside of its parts ({check.lowest} to {check.highest}), where no average "
            "can be."
        )
    return doubt


def _listed(table: int) -> Iterator[tuple[Key, str]]:
    for cell in errata_facts().cells:
        if cell.table == table:
            for column in cell.columns:
                for metric in cell.metrics:
                    yield (
                        (cell.block, cell.method, column, metric),
                        " ".join(cell.doubt.split()),
                    )


def _averages(table: int) -> Iterator[tuple[Key, str]]:
    for rule in errata_facts().average_rules:
        if rule.table == table:
            for check in check_averages(rule):
                if check.fit == OFF:
                    yield check.key, _average_doubt(check, rule)


def _unequal(table: int) -> Iterator[tuple[Key, str]]:
    for check in equal_by_design():
        for cell in check.deviating:
            if cell.table == table:
                others = [
                    table_label(other.table)
                    for other, text in check.texts.items()
                    if text == check.common
                ]
                yield (
                    (cell.block, cell.method, cell.column, check.metric),
                    f"{check.why} has one {check.metric} here: {', '.join(others[:-1])} and "
                    f"{others[-1]} print {check.common}.",
                )


@functools.cache
def doubts(file: str) -> Mapping[Key, str]:
    """What is doubtful about the numbers of one file, by block, method, column and metric.

    Computed: averages that do not fit, cells that must agree and do not. Listed in
    `doubts.yaml`: what needs a reader.
    """
    found: dict[Key, str] = {}
    if file not in {file_of_table(number) for number in range(1, 15)}:
        return found
    table = table_of_file(file)
    for source in (_listed, _averages, _unequal):
        for key, doubt in source(table):
            found[key] = f"{found[key]} {doubt}" if key in found else doubt
    return found
