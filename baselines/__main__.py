"""Lists every registered method: `python -m baselines`."""

from __future__ import annotations

import argparse

import torch

from ndr.method import MethodInfo
from ndr.registry import create, method_classes

HEADERS = ("name", "in the paper", "tasks", "parameters", "published", "authors' weights")


def paper_parameters(name: str) -> int:
    """Parameters at the preset `paper`, counted as published, without reserving memory for them."""
    with torch.device("meta"):
        return create(name, "paper").counted_parameters()


def row(info: MethodInfo) -> tuple[str, ...]:
    """One line of the list, a text for each of `HEADERS`."""
    weights = "; ".join(f"{w.name}, {w.licence}" for w in info.official_weights)
    return (
        info.name,
        info.paper_label,
        " ".join(sorted(info.tasks)),
        f"{paper_parameters(info.name):,}" if info.trainable else "not trained",
        f"{info.published_parameters:,}" if info.published_parameters is not None else "-",
        weights or "-",
    )


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as text with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in rows
    )


def main() -> None:
    """Print the list."""
    argparse.ArgumentParser(prog="python -m baselines", description=__doc__).parse_args()
    print(aligned([HEADERS, *(row(cls.info) for cls in method_classes())]))


if __name__ == "__main__":
    main()
