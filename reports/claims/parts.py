"""The parts of a claim: single differences of systems, with what the paper's own cells give.

Works on the committed numbers alone: no result is needed to know what a claim asks for, and a
misspelt block, system or column is found before anything is measured.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ndr.metrics.metric import METRICS
from ndr.nearest_name import check_names, unknown_name
from reports.claims.specs import (
    AVERAGE,
    EVERY,
    OTHERS,
    Change,
    Claim,
    Comparison,
    Diminishing,
    TrainedSystem,
)
from reports.claims.verdicts import paper_word
from reports.paper.arithmetic import errata_facts
from reports.paper.printed_values import (
    ROMAN,
    block_title,
    column_text,
    file_of_table,
    printed_value,
    read_printed_values,
    system_text,
)

TABLES = {f"table_{number:02d}": number for number in range(1, len(ROMAN) + 1)}


@dataclass(frozen=True, slots=True)
class Term:
    """A system and how often it counts in a difference."""

    coefficient: int
    system: TrainedSystem


@dataclass(frozen=True, slots=True)
class Part:
    """One difference: a sum of systems' means with coefficients, positive where the claim is."""

    terms: tuple[Term, ...]
    """Coefficients are of what is better; where less is better their signs turn."""
    column: str
    """Name in the paper's files, or `Average`."""
    metric: str
    margin: float = 0.0
    says: str = ""
    """What is compared; empty: the systems' names say it."""

    @property
    def signed(self) -> list[tuple[int, TrainedSystem]]:
        """What each system's number counts, and the system."""
        goodness = METRICS[self.metric].goodness
        return [(int(goodness(term.coefficient)), term.system) for term in self.terms]

    @property
    def in_paper(self) -> str:
        """Whether the paper's own cells support the part; empty where they are not printed."""
        smallest = METRICS[self.metric].smallest_effect
        return paper_word(paper_difference(self), self.margin, smallest)


OWN_TABLE = re.compile("table_[a-z]+")
"""Names of tables that the paper does not have; their systems are named by the rows' labels."""


def is_own(table: str) -> bool:
    """Whether a table is the suite's, not the paper's.

    >>> is_own("table_checkpoints"), is_own("table_05")
    (True, False)
    """
    return OWN_TABLE.fullmatch(table) is not None


def table_number(table: str) -> int:
    """Number of a table of the paper; raises `UnknownNameError` with the nearest names."""
    if table not in TABLES:
        raise unknown_name("table of a claim", table, TABLES)
    return TABLES[table]


def _file(table: str) -> str | None:
    """File of a table's printed numbers; None: the paper does not have the table."""
    return None if is_own(table) else file_of_table(table_number(table))


def _printed_file(table: str) -> str:
    """The same, where only a table of the paper can answer.

    Raises:
        UnknownNameError: the table is not the paper's.
    """
    return file_of_table(table_number(table))


def parts_of(claim: Claim) -> list[Part]:
    """The differences that a claim is about, each once; none for claims of other kinds.

    Raises:
        UnknownNameError: a table, block, system, column or metric that the paper does not have.
    """
    found = [part for comparison in claim.compare for part in _compared(comparison)]
    found += [part for spec in claim.diminishing for part in _diminishing(spec)]
    found += [part for change in claim.changes for part in _changed(change)]
    found = list(dict.fromkeys(found))
    for part in found:
        _check(part)
    return found


def _compared(comparison: Comparison) -> Iterator[Part]:
    table = comparison.table
    for block in comparison.blocks:
        for pair, metric in itertools.product(_pairs(comparison, block), comparison.metrics):
            better, worse = (TrainedSystem(table, block, name) for name in pair)
            terms = (Term(1, better), Term(-1, worse))
            for column in _columns(better, comparison.columns):
                yield Part(terms, column, metric, comparison.margin)


def _diminishing(spec: Diminishing) -> Iterator[Part]:
    systems = [TrainedSystem(spec.table, spec.block, name) for name in spec.systems]
    terms = tuple(Term(count, each) for count, each in zip((-1, 2, -1), systems, strict=True))
    first, second, third = map(system_text, spec.systems)
    says = f"{first} to {second} against {second} to {third}"
    for column, metric in itertools.product(_columns(systems[-1], spec.columns), spec.metrics):
        yield Part(terms, column, metric, says=says)


def _changed(change: Change) -> Iterator[Part]:
    systems = (change.of, change.over, *change.more_than)
    terms = tuple(Term(count, each) for count, each in zip((1, -1, -1, 1), systems, strict=False))
    for column, metric in itertools.product(_columns(change.of, change.columns), change.metrics):
        yield Part(terms, column, metric, change.margin, " ".join(change.says.split()))


def _pairs(comparison: Comparison, block: str) -> list[tuple[str, str]]:
    """Better and worse system of each difference."""
    if comparison.order:
        return [(better, worse) for worse, better in itertools.pairwise(comparison.order)]
    against = comparison.against
    if against == (OTHERS,):
        known = _methods(comparison.table, block)
        against = tuple(name for name in known if name != comparison.method)
    return [(comparison.method, other) for other in against]


def _methods(table: str, block: str) -> list[str]:
    """Systems of a block in the order of the paper."""
    values = read_printed_values(_printed_file(table))
    check_names(f"block of {table}", [block], {key[0] for key in values})
    return list(dict.fromkeys(method for own, method, _, _ in values if own == block))


def _printed_columns(system: TrainedSystem) -> list[str]:
    """Columns in which the paper prints a number for a system, the average left out."""
    values = read_printed_values(_printed_file(system.table)).items()
    columns = dict.fromkeys(
        column
        for (block, method, column, _), printed in values
        if (block, method) == (system.block, system.method) and printed.value is not None
    )
    return [column for column in columns if column != AVERAGE]


def _columns(system: TrainedSystem, names: tuple[str, ...]) -> Sequence[str]:
    return _printed_columns(system) if names == (EVERY,) else names


def averaged_columns(part: Part) -> list[str]:
    """Columns of the paper that a part is about: its own, or all of the block's systems.

    A row whose numbers did not survive takes part with the columns of the others.
    """
    if part.column != AVERAGE:
        return [part.column]
    found = [_printed_columns(term.system) for term in part.terms]
    return max(found, key=len)


def _check(part: Part) -> None:
    """Every cell that a part names is one of the paper's.

    Raises:
        UnknownNameError: with the nearest names.
    """
    for term in part.terms:
        system = term.system
        file = _file(system.table)
        if file is None:
            continue  # only the results know its rows
        known = _methods(system.table, system.block)
        check_names(f"method of {file}", [system.method], known)
        for column in averaged_columns(part):
            printed_value(file, (system.block, system.method, column, part.metric))


def paper_difference(part: Part) -> Decimal | None:
    """The part's difference in the paper's own cells; None where one of them is not printed.

    Averages are computed from the printed cells, because some printed averages do not fit them.
    """
    rules = {rule.table: rule for rule in errata_facts().average_rules}
    average = part.column == AVERAGE
    rule = rules.get(table_number(part.terms[0].system.table)) if average else None
    total = weights = Decimal()
    for column in averaged_columns(part):
        weight = rule.weight(column) if rule else Decimal(1)
        weights += weight
        for coefficient, system in part.signed:
            key = (system.block, system.method, column, part.metric)
            printed = printed_value(_file(system.table), key)
            if printed.value is None:
                return None
            total += weight * coefficient * Decimal(printed.text)
    return total / weights


def part_label(part: Part, among: Sequence[Part]) -> str:
    """What a part compares; what all parts of the claim share is left out."""
    first, *others = [term.system for term in part.terms]
    words = [part.says or f"{system_text(first.method)} over {system_text(others[0].method)}"]
    blocks = {(p.terms[0].system.table, p.terms[0].system.block) for p in among}
    if len(blocks) > 1 and not part.says:
        words.append(block_title(first.block))
    words.append("average" if part.column == AVERAGE else column_text(part.column))
    if len({other.metric for other in among}) > 1:
        words.append(part.metric)
    return ", ".join(words)
