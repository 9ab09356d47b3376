"""The parts of a claim: single differences of systems, with what the paper's own cells give.

Works on the committed numbers alone: no result is needed to know what a claim asks for, and a
misspelt block, system or column is found before anything is measured. All metrics that the paper
prints are better when higher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ndr.metrics.metric import METRICS
from ndr.nearest_name import check_names, unknown_name
from reports.claims.specs import AVERAGE, EVERY, OTHERS, Claim, Comparison, Diminishing
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


def parts_of(claim: Claim) -> list[Part]:
    """The differences that a claim is about; none for claims of other kinds.

    Raises:
        UnknownNameError: a table, block, system, column or metric that the paper does not have.
    """
    found = [part for comparison in claim.compare for part in _compared(comparison)]
    if claim.diminishing is not None:
        found += _diminishing(claim.diminishing)
    return found


def _compared(comparison: Comparison) -> Iterator[Part]:
    for block in comparison.blocks:
        for better, worse in _pairs(comparison, block):
            for metric in comparison.metrics:
                for column in _columns(comparison.table, block, better, comparison.columns):
                    part = Part(
                        comparison.table,
                        block,
                        column,
                        metric,
                        (better, worse),
                        comparison.margin,
                        comparison.includes_margin,
                    )
                    check_part(part)
                    yield part


def _diminishing(spec: Diminishing) -> Iterator[Part]:
    for column in _columns(spec.table, spec.block, spec.systems[-1], spec.columns):
        part = Part(spec.table, spec.block, column, spec.metric, spec.systems)
        check_part(part)
        yield part


def _pairs(comparison: Comparison, block: str) -> list[tuple[str, str]]:
    """Better and worse system of each difference."""
    if comparison.order:
        steps = zip(comparison.order[1:], comparison.order[:-1], strict=True)
        return list(steps)
    against: Sequence[str] = comparison.against
    if tuple(against) == (OTHERS,):
        known = _methods(comparison.table, block)
        against = [name for name in known if name != comparison.method]
    return [(comparison.method, other) for other in against]


def _methods(table: str, block: str) -> list[str]:
    """Systems of a block in the order of the paper."""
    values = read_printed_values(file_of_table(table_number(table)))
    blocks = {key[0] for key in values}
    if block not in blocks:
        raise unknown_name(f"block of {table}", block, blocks)
    return list(dict.fromkeys(method for own, method, _, _ in values if own == block))


def _printed_columns(table: str, block: str, method: str) -> list[str]:
    """Columns in which the paper prints a number for a system, the average left out."""
    values = read_printed_values(file_of_table(table_number(table)))
    return list(
        dict.fromkeys(
            column
            for (own_block, own_method, column, _), printed in values.items()
            if (own_block, own_method) == (block, method)
            and column != AVERAGE
            and printed.value is not None
        )
    )


def _columns(table: str, block: str, method: str, names: Sequence[str]) -> list[str]:
    if tuple(names) == (EVERY,):
        return _printed_columns(table, block, method)
    return list(names)


def averaged_columns(part: Part) -> list[str]:
    """Columns of the paper that a part is about: its own, or all of the block's systems.

    A row whose numbers did not survive takes part with the columns of the others.
    """
    if part.column != AVERAGE:
        return [part.column]
    found = [_printed_columns(part.table, part.block, system) for system in part.systems]
    return max(found, key=len)


def column_weights(part: Part) -> list[Decimal]:
    """Weight of each of `averaged_columns`, as the paper weighs them."""
    number = table_number(part.table)
    rules = {rule.table: rule for rule in errata_facts().average_rules}
    columns = averaged_columns(part)
    if part.column != AVERAGE or number not in rules:
        return [Decimal(1)] * len(columns)
    return [rules[number].weight(column) for column in columns]


def check_part(part: Part) -> None:
    """Every cell that a part names is one of the paper's.

    Raises:
        UnknownNameError: with the nearest names.
    """
    file = file_of_table(table_number(part.table))
    check_names(f"method of {file}", part.systems, _methods(part.table, part.block))
    for system in part.systems:
        for column in averaged_columns(part):
            printed_value(file, (part.block, system, column, part.metric))


def paper_difference(part: Part) -> Decimal | None:
    """The part's difference in the paper's own cells; None where one of them is not printed.

    Averages are computed from the printed cells, because some printed averages do not fit them.
    """
    file = file_of_table(table_number(part.table))
    total = Decimal()
    weights = column_weights(part)
    for column, weight in zip(averaged_columns(part), weights, strict=True):
        for system, coefficient in zip(part.systems, part.coefficients, strict=True):
            printed = printed_value(file, (part.block, system, column, part.metric))
            if printed.value is None:
                return None
            total += weight * coefficient * Decimal(printed.text)
    return total / sum(weights)
