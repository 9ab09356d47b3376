"""The names of systems and columns in the paper's files, as words."""

from __future__ import annotations

import re


def system_text(method: str) -> str:
    """A system as the tables print it.

    >>> system_text("NDR-Restore(lambda=0)"), system_text("NDR-Restore(no_DQ)")
    ('lambda = 0', 'without DQ')
    """
    found = re.fullmatch(r"NDR-Restore\((.+)\)", method)
    if not found:
        return method
    inner = found[1].replace("=", " = ").replace(",", ", ").replace("Le", "L_e")
    return re.sub(r"^(no|with)_", lambda m: "without " if m[1] == "no" else "with ", inner)


def column_text(column: str) -> str:
    """A column of the paper in words.

    >>> column_text("BSD68_sigma25"), column_text("real_rain_JORDER")
    ('BSD68 sigma 25', 'real rain JORDER')
    """
    return re.sub(r"sigma(?=\d)", "sigma ", column).replace("_", " ")
