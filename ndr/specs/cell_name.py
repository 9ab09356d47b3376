"""Names of the tables' cells: targets of the workflow, and addresses on the page.

table_05__noise_rain_haze__ndr_restore__rain100l      one cell
table_05__ndr_restore__rain100l                       the cells of all training mixes
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ndr.specs.run_spec import OFFICIAL

SEPARATOR = "__"


def slug(text: str) -> str:
    """Text as part of a name: lower case, words joined by single underscores.

    >>> slug("noise+rain+haze"), slug("lambda = 0.5"), slug("BSD68_sigma25")
    ('noise_rain_haze', 'lambda_0.5', 'bsd68_sigma25')
    """
    return re.sub(r"[^a-z0-9.]+", "_", text.lower()).strip("_")


def parts_of_run(run: str) -> tuple[str, str, tuple[str, ...]]:
    """Method, setting and changes of a run's id.

    >>> parts_of_run("ndr_restore__noise_rain__use_dq_false__seed_0")
    ('ndr_restore', 'noise_rain', ('use_dq_false',))
    """
    method, setting, *changes, _seed = run.split(SEPARATOR)
    return method, setting, tuple(changes)


def system_names(runs: Sequence[str | None]) -> list[str | None]:
    """Name of each row of one block: its method, with what tells it from others of the method.

    Args:
        runs: of the rows; None where a row has none, and then no name.

    >>> system_names(["mprnet__noise__seed_0", None])
    ['mprnet', None]
    >>> system_names(["ndr__noise__seed_0", "ndr__noise__use_dq_false__seed_0"])
    ['ndr', 'ndr__use_dq_false']
    """
    methods = Counter(parts_of_run(run)[0] for run in runs if run)
    return [None if run is None else _system_name(run, methods) for run in runs]


def _system_name(run: str, methods: Counter[str]) -> str:
    method, setting, changes = parts_of_run(run)
    full = (method, *([setting] if setting == OFFICIAL else []), *changes)
    return method if methods[method] == 1 else SEPARATOR.join(full)


def cell_name(table: str, block: str, system: str, paper_column: str) -> str:
    """Name of a cell.

    Args:
        table: name of the table.
        block: the training mix, as the table names it.
        system: see `system_names`.
        paper_column: the test set by the paper's name, which is the same at all tiers.

    >>> cell_name("table_05", "noise+rain+haze", "ndr_restore", "Rain100L")
    'table_05__noise_rain_haze__ndr_restore__rain100l'
    """
    return SEPARATOR.join((table, slug(block), system, slug(paper_column)))
