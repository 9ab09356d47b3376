"""Letters in labels: apart from `reports.page.table_view`: figures need nothing else of it."""

from __future__ import annotations

import re

SYMBOLS = {"sigma": "\N{GREEK SMALL LETTER SIGMA}", "lambda": "\N{GREEK SMALL LETTER LAMDA}"}


def with_symbols(label: str) -> str:
    """Write Greek letters as letters.

    >>> with_symbols("Noise, sigma = 25")
    'Noise, σ = 25'
    """
    return re.sub(r"\b(sigma|lambda)\b", lambda match: SYMBOLS[match[0]], label)
