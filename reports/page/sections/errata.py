"""The section on what does not fit in the paper's own numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from reports.paper.arithmetic import (
    all_averages,
    copies,
    empty_rows,
    equal_by_design,
    errata_facts,
)


def errata_section(tables: Iterable[str] = ()) -> dict[str, Any]:
    """Everything that does not fit, computed from the committed numbers.

    Args:
        tables: names of the tables on the page, e.g. `table_05`: findings link to them.
    """
    averages = all_averages()
    plain = [check for check in averages if not check.rule.weights]
    design = equal_by_design()
    return {
        "on_page": frozenset(tables),
        "averages": plain,
        "weighted": [check for check in averages if check.rule.weights],
        "fits": Counter(check.fit for check in plain),
        "equal": sum(len(check.texts) for check in design),
        "unequal": [(check, cell) for check in design for cell in check.deviating],
        "copies": copies(),
        "facts": errata_facts(),
        "empty_rows": empty_rows(),
    }
