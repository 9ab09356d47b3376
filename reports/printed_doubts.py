"""Doubts about single printed numbers of the paper: a footnote for each, where it stands."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from decimal import Decimal

from reports.errata.arithmetic import OFF, AverageCheck, check_averages, equal_by_design
from reports.errata.facts import (
    AverageRule,
    errata_facts,
    file_of_table,
    table_label,
    table_of_file,
)
from reports.number_format import MINUS
from reports.printed_values import Key


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
