"""The PSNR of a system as figures plot it: means over images, then over test sets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from reports.evaluation_rows import (
    Evaluation,
    ResultFileError,
    SeriesKey,
    mean,
    read_evaluation,
)
from reports.provenance_files import evaluation_folder


def evaluation_of(results: Path, run: str) -> Evaluation | None:
    """Values of a run; None where the file is missing or unusable, which the tables report."""
    path = evaluation_folder(results, run) / "per_image.csv"
    try:
        return read_evaluation(path, run, may_be_empty=True)
    except (FileNotFoundError, ResultFileError):
        return None


def finite_psnr(
    evaluation: Evaluation | None, test_set: str, protocol: str
) -> Mapping[str, float] | None:
    """PSNR per image; None where it is missing, has a problem or is infinite."""
    if evaluation is None:
        return None
    values = evaluation.sound(SeriesKey(test_set, protocol, "PSNR"))
    if not values or not all(map(math.isfinite, values.values())):
        return None
    return values


def mean_psnr(
    evaluation: Evaluation | None, test_sets: Sequence[str], protocol: str
) -> float | None:
    """Mean over images per test set, then over the sets; None unless all of them are there."""
    sets = [finite_psnr(evaluation, name, protocol) for name in test_sets]
    if not sets or any(values is None for values in sets):
        return None
    return statistics.fmean(mean(values) for values in sets if values is not None)
