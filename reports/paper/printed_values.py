"""The paper's printed numbers (`reports/paper_values/`), and its names in words."""

from __future__ import annotations

import csv
import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.nearest_name import check_names, unknown_name

FOLDER = Path(__file__).resolve().parent.parent / "paper_values"
HEADER = ["table", "block", "method", "column", "metric", "value"]
TEXT_FACTS = "text_facts.csv"
"""The file of the numbers that stand only in the running text."""
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV")


@dataclass(frozen=True, slots=True)
class PrintedValue:
    """One number of the paper, with its digits as printed."""

    text: str

    @property
    def value(self) -> float | None:
        """The number; None where the paper prints a dash."""
        number = float(self.text)
        return None if math.isnan(number) else number


NOT_PRINTED = PrintedValue("NaN")
Key = tuple[str, str, str, str]
"""Block, method, column, metric."""


@functools.cache
def read_printed_values(file: str) -> Mapping[Key, PrintedValue]:
    """All numbers of one file of `reports/paper_values/` by block, method, column and metric.

    Raises:
        UnknownNameError: no such file.
        ValueError: another header, or a key that is a duplicate.
    """
    check_names("file of the paper's values", [file], {path.name for path in FOLDER.glob("*.csv")})
    values: dict[Key, PrintedValue] = {}
    with (FOLDER / file).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != HEADER:
            raise ValueError(f"{file}: expected the columns {HEADER}, found {reader.fieldnames}")
        for line in reader:
            key = (line["block"], line["method"], line["column"], line["metric"])
            if key in values:
                raise ValueError(f"{file}: duplicate {key}")
            values[key] = PrintedValue(line["value"])
    return values


def printed_value(file: str | None, key: Key) -> PrintedValue:
    """One printed number; a block, method or column that the file lacks is an error.

    Args:
        file: file in `reports/paper_values/`; None: the table is not in the paper.
        key: block, method, column, metric.

    Raises:
        UnknownNameError: the plan names what the paper's table does not have.
    """
    if file is None:
        return NOT_PRINTED
    values = read_printed_values(file)
    if key in values:
        return values[key]
    for position, kind in enumerate(("block", "method", "column", "metric")):
        known = {other[position] for other in values if other[:position] == key[:position]}
        if key[position] not in known:
            raise unknown_name(f"{kind} of {file}", key[position], known)
    raise AssertionError("a key whose every part is known is in the file")


def text_fact(setting: str, method: str, column: str, metric: str) -> PrintedValue:
    """A number that stands only in the paper's running text."""
    return printed_value(TEXT_FACTS, (setting, method, column, metric))


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


SYMBOLS = {"sigma": "\N{GREEK SMALL LETTER SIGMA}", "lambda": "\N{GREEK SMALL LETTER LAMDA}"}


def with_symbols(label: str) -> str:
    """Write Greek letters as letters.

    >>> with_symbols("Noise, sigma = 25")
    'Noise, σ = 25'
    """
    return re.sub(r"\b(sigma|lambda)\b", lambda match: SYMBOLS[match[0]], label)


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


BLOCK_TITLES = {
    "denoise": "Denoising",
    "derain": "Deraining",
    "dehaze": "Dehazing",
    "sr_x2": "Super-resolution x2",
    "mixed_haze_rain_noise": "Haze, rain and noise in one image",
    "promptir_noise+rain+haze": "Noise + Rain + Haze, PromptIR's ratio",
}
"""Names of the paper's blocks that are not put together of tasks."""


def block_title(name: str) -> str:
    """A training mix in words.

    >>> block_title("noise+rain+haze"), block_title("derain")
    ('Noise + Rain + Haze', 'Deraining')
    """
    if name in BLOCK_TITLES:
        return BLOCK_TITLES[name]
    return " + ".join(part[:1].upper() + part[1:] for part in name.split("+"))
