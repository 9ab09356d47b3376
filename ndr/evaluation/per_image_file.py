"""The file of all measured numbers: one row per image, protocol and metric.

`per_image.csv` has the columns of `ImageScore` in their order. A value is written with all its
digits (`repr`), so that reading gives back the very number. The PSNR of an image that equals its
truth is infinite and stands there as `inf`, which `float()`, NumPy and pandas read as infinity:
the PSNR of the control `oracle` is nothing else. NaN never occurs.

With pandas pass `dtype={"image": str, "scene": str}`, because names like 0042 are no numbers, and
`float_precision="round_trip"` where the last digit matters.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ndr.atomic_file import atomic_path


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One measured number."""

    run: str
    test_set: str
    image: str
    scene: str
    protocol: str
    metric: str
    """`PSNR` (dB, may be infinite) or `SSIM`."""
    value: float


COLUMNS = tuple(field.name for field in fields(ImageScore))


def write_scores(path: str | Path, scores: Iterable[ImageScore]) -> None:
    """Write the rows in the order given; the file appears when it is complete.

    Raises:
        ValueError: a value is NaN; the message names the row.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for score in scores:
            if math.isnan(score.value):
                raise ValueError(f"expected a number, found NaN: {score}")
            writer.writerow([*astuple(score)[:-1], repr(float(score.value))])


def read_scores(path: str | Path) -> list[ImageScore]:
    """Read the file back.

    Raises:
        ValueError: other columns than those of `ImageScore`.
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"{path}: expected the columns {', '.join(COLUMNS)}, found "
                f"{', '.join(reader.fieldnames or ())}; evaluate the run again"
            )
        return [ImageScore(**{**row, "value": float(row["value"])}) for row in reader]
