"""What is doubtful in the paper and cannot be computed (`reports/paper_values/doubts.yaml`)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ndr.run_spec import CanonicalSpec
from reports.printed_values import FOLDER
from reports.yaml_spec import read_yaml_spec

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
