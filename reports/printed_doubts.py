"""Doubts about single printed numbers of the paper (`reports/paper_values/doubts.yaml`)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from reports.number_format import MINUS
from reports.printed_values import FOLDER, Key, read_printed_values

FILE = FOLDER / "doubts.yaml"


@dataclass(frozen=True, slots=True)
class AverageMismatch:
    """A printed average that is not the rounded mean of the row's printed cells."""

    file: str
    block: str
    method: str
    metric: str
    printed: Decimal
    mean: Decimal


@functools.cache
def _content(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    expected = {"cells", "averages", "truncated_averages"}
    if not isinstance(content, dict) or set(content) != expected:
        raise ValueError(f"{path}: expected the keys {sorted(expected)}, found {content!r:.80}")
    return content


def file_of_table(number: int) -> str:
    """Name of the file with the printed numbers of a table.

    >>> file_of_table(5)
    'table05.csv'
    """
    return f"table{number:02d}.csv"


def listed_mismatches(section: str, path: Path = FILE) -> list[AverageMismatch]:
    """The committed list; `section` is `averages` or `truncated_averages`."""
    return [
        AverageMismatch(
            file_of_table(entry["table"]),
            entry["block"],
            entry["method"],
            entry["metric"],
            Decimal(entry["printed"]),
            Decimal(entry["mean"]),
        )
        for entry in _content(path)[section]
    ]


def recomputed_averages(file: str) -> Iterator[AverageMismatch]:
    """Every printed average of a file with the exact mean of the row's printed cells."""
    cells: dict[tuple[str, str, str], list[Decimal]] = {}
    values = read_printed_values(file)
    for (block, method, column, metric), printed in values.items():
        if column != "Average" and printed.value is not None:
            cells.setdefault((block, method, metric), []).append(Decimal(printed.text))
    for (block, method, metric), parts in cells.items():
        average = values[block, method, "Average", metric]
        mean = sum(parts, Decimal()) / len(parts)
        yield AverageMismatch(file, block, method, metric, Decimal(average.text), mean)


@functools.cache
def doubts(file: str, path: Path = FILE) -> Mapping[Key, str]:
    """What is doubtful about the numbers of one file, by block, method, column and metric."""
    found: dict[Key, str] = {}
    content = _content(path)
    for entry in content["cells"]:
        if file_of_table(entry["table"]) != file:
            continue
        for column in entry["columns"]:
            for metric in entry["metrics"]:
                key = (entry["block"], entry["method"], column, metric)
                found[key] = " ".join(entry["doubt"].split())
    for mismatch in listed_mismatches("averages", path):
        if mismatch.file == file:
            key = (mismatch.block, mismatch.method, "Average", mismatch.metric)
            signed = f"{mismatch.printed - mismatch.mean:+f}".replace("-", MINUS)
            found[key] = (
                f"The printed average {mismatch.printed} is not the mean of the row's printed "
                f"cells, {mismatch.mean:f} (difference {signed})."
            )
    return found
