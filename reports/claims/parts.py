"""The parts of a claim: single differences of systems, with what the paper's own cells give.

Works on the committed numbers alone: no result is needed to know what a claim asks for, and a
misspelt block, system or column is found before anything is measured. All metrics that the paper
prints are better when higher.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ndr.metrics.metric import METRICS
from ndr.nearest_name import check_names, unknown_name
from reports.claims.specs import AVERAGE, EVERY, OTHERS, Claim, Comparison
from reports.paper.arithmetic import errata_facts
from reports.paper.printed_values import ROMAN, file_of_table, printed_value, read_printed_values

TABLES = {f"table_{number:02d}": number for number in range(1, len(ROMAN) + 1)}


@dataclass(frozen=True, slots=True)
class Part:
    """One difference: better minus worse, or a difference of two such steps."""

    table: str
    block: str
    column: str
    """Name in the paper's file, or `Average`."""
    metric: str
    systems: tuple[str, ...]
    """Better and worse; or three systems, whose first step is to exceed the second."""
    margin: float = 0.0
    includes_margin: bool = False

    @property
    def coefficients(self) -> tuple[int, ...]:
        """What each of the systems counts in the difference, positive where it is ahead."""
        counts = (1, -1) if len(self.systems) == 2 else (-1, 2, -1)
        return tuple(int(METRICS[self.metric].goodness(count)) for count in counts)

    @property
    def holds_in_paper(self) -> bool | None:
        """Whether the paper's own cells support the part; None where they are not printed."""
        difference = paper_difference(self)
        if difference is None:
            return None
        margin = Decimal(repr(self.margin))
        return difference >= margin if self.includes_margin else difference > margin


def table_number(table: str) -> int:
    """Number of a table of the paper; raises `UnknownNameError` with the nearest names."""
    if table not in TABLES:
        raise unknown_name("table of a claim", table, TABLES)
    return TABLES[table]


def _file(table: str) -> str:
    return file_of_table(table_number(table))


def parts_of(claim: Claim) -> list[Part]:
    """The differences that a claim is about; none for claims of other kinds.

    Raises:
        UnknownNameError: a table, block, system, column or metric that the paper does not have.
    """
    found = [part for comparison in claim.compare for part in _compared(comparison)]
    if claim.diminishing is not None:
        spec = claim.diminishing
        found += [
            Part(spec.table, spec.block, column, spec.metric, spec.systems)
            for column in _columns(spec.table, spec.block, spec.systems[-1], spec.columns)
        ]
    for part in found:
        _check(part)
    return found


def _compared(comparison: Comparison) -> Iterator[Part]:
    table = comparison.table
    for block in comparison.blocks:
        for pair, metric in itertools.product(_pairs(comparison, block), comparison.metrics):
            for column in _columns(table, block, pair[0], comparison.columns):
                margin = comparison.margin, comparison.includes_margin
                yield Part(table, block, column, metric, pair, *margin)


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
    values = read_printed_values(_file(table))
    check_names(f"block of {table}", [block], {key[0] for key in values})
    return list(dict.fromkeys(method for own, method, _, _ in values if own == block))


def _printed_columns(table: str, block: str, method: str) -> list[str]:
    """Columns in which the paper prints a number for a system, the average left out."""
    columns = dict.fromkeys(
        column
        for (own_block, own_method, column, _), printed in read_printed_values(_file(table)).items()
        if (own_block, own_method) == (block, method) and printed.value is not None
    )
    return [column for column in columns if column != AVERAGE]


def _columns(table: str, block: str, method: str, names: tuple[str, ...]) -> Sequence[str]:
    return _printed_columns(table, block, method) if names == (EVERY,) else names


def averaged_columns(part: Part) -> list[str]:
    """Columns of the paper that a part is about: its own, or all of the block's systems.

    A row whose numbers did not survive takes part with the columns of the others.
    """
    if part.column != AVERAGE:
        return [part.column]
    found = [_printed_columns(part.table, part.block, system) for system in part.systems]
    return max(found, key=len)


def _check(part: Part) -> None:
    """Every cell that a part names is one of the paper's.

    Raises:
        UnknownNameError: with the nearest names.
    """
    file = _file(part.table)
    check_names(f"method of {file}", part.systems, _methods(part.table, part.block))
    for system, column in itertools.product(part.systems, averaged_columns(part)):
        printed_value(file, (part.block, system, column, part.metric))


def paper_difference(part: Part) -> Decimal | None:
    """The part's difference in the paper's own cells; None where one of them is not printed.

    Averages are computed from the printed cells, because some printed averages do not fit them.
    """
    rules = {rule.table: rule for rule in errata_facts().average_rules}
    rule = rules.get(table_number(part.table)) if part.column == AVERAGE else None
    total = weights = Decimal()
    for column in averaged_columns(part):
        weight = rule.weight(column) if rule else Decimal(1)
        weights += weight
        for system, coefficient in zip(part.systems, part.coefficients, strict=True):
            key = (part.block, system, column, part.metric)
            printed = printed_value(_file(part.table), key)
            if printed.value is None:
                return None
            total += weight * coefficient * Decimal(printed.text)
    return total / weights
