"""Values of some runs, as a committed reference stores them or as a tier's results hold them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ndr.atomic_file import write_json, write_text
from ndr.metrics.metric import COMPARED, mean
from ndr.records.per_image import Series, SeriesKey
from ndr.records.provenance import evaluation_folder
from ndr.records.record import Record, ResultFileError
from ndr.specs.run_spec import UNTRAINED
from reports.analysis.run_results import read_run_results

DIGITS = 6
"""Digits after the point that are stored."""
ABSENT = "-"
IMAGES_HEADER = ("test_set", "image", "scene")
VALUES_HEADER = ("run", "test_set", "protocol", "metric", "values")
VERSIONS = ("python", "numpy", "torch")


class ReferenceError(ValueError):
    """A reference, or results, that cannot be compared."""


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """What is known of a run beside its values."""

    trained: bool
    """False: nothing was trained, so that its numbers are the same on every machine."""
    training_sha256: str | None
    """Identity of the run spec; None where nothing was trained."""


@dataclass(frozen=True, slots=True)
class ReferenceFile(Record):
    """`reference.json`."""

    FILE: ClassVar[str] = "reference"

    runs: dict[str, ReferenceRun]
    versions: dict[str, str]
    """Versions of the software that made them."""


@dataclass(frozen=True, slots=True)
class RunValues:
    """Values of some runs."""

    runs: Mapping[str, ReferenceRun]
    versions: Mapping[str, str]
    scenes: Mapping[str, Mapping[str, str]]
    """Scene by test set and image."""
    series: Mapping[str, Mapping[SeriesKey, Series]]
    """Values per image by run and series."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """What was measured and cannot be used: runs, or series of them, with the reason."""

    def metrics(self) -> dict[str, Any]:
        """Means by run, test set, protocol and metric; infinite ones are left out."""
        nested: dict[str, Any] = {}
        for run, series in self.series.items():
            for key, values in series.items():
                average = round(mean(values.values()), DIGITS)
                if math.isfinite(average):
                    inner = nested.setdefault(run, {}).setdefault(key.test_set, {})
                    inner.setdefault(key.protocol, {})[key.metric] = average
        return nested


def _rows(path: Path, header: tuple[str, ...]) -> Iterable[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        found, *rows = list(csv.reader(stream, strict=True)) or [[]]
    if tuple(found) != header or any(len(row) != len(header) for row in rows):
        raise ReferenceError(f"{path}: expected lines of {', '.join(header)}")
    return rows


def read_reference(folder: Path) -> RunValues:
    """Read what `write_reference` wrote.

    Raises:
        ReferenceError: a file is missing, damaged or of another version.
    """
    try:
        file = ReferenceFile.read(folder / "reference.json")
        scenes: dict[str, dict[str, str]] = {}
        for test_set, image, scene in _rows(folder / "images.csv", IMAGES_HEADER):
            scenes.setdefault(test_set, {})[image] = scene
        series: dict[str, dict[SeriesKey, Series]] = {name: {} for name in file.runs}
        for run, test_set, protocol, metric, texts in _rows(folder / "values.csv", VALUES_HEADER):
            pairs = zip(scenes[test_set], texts.split(" "), strict=True)
            values = {image: float(text) for image, text in pairs if text != ABSENT}
            series[run][SeriesKey(test_set, protocol, metric)] = values
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise ReferenceError(
            f"{folder} is no reference ({error}); make one with python -m reports.update_reference"
        ) from error
    return RunValues(file.runs, file.versions, scenes, series)


def _write_rows(path: Path, header: tuple[str, ...], rows: Iterable[Iterable[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    write_text(path, stream.getvalue())


def stored_text(value: float | None) -> str:
    """A value with the digits that the reference keeps.

    >>> stored_text(31.25), stored_text(float("inf")), stored_text(None)
    ('31.250000', 'inf', '-')
    """
    return ABSENT if value is None else f"{value:.{DIGITS}f}"


def write_reference(folder: Path, values: RunValues) -> None:
    """Write all files of a reference but `runs.yaml`; equal values give equal bytes."""
    file = ReferenceFile(dict(values.runs), dict(values.versions))
    file.write(folder / "reference.json")
    images = {test_set: sorted(scenes.items()) for test_set, scenes in values.scenes.items()}
    scenes = [(name, *each) for name, of_set in sorted(images.items()) for each in of_set]
    _write_rows(folder / "images.csv", IMAGES_HEADER, scenes)
    lines = [
        (
            *(run, key.test_set, key.protocol, key.metric),
            " ".join(stored_text(series[key].get(image)) for image, _ in images[key.test_set]),
        )
        for run, series in sorted(values.series.items())
        for key in sorted(series, key=lambda key: (key.test_set, key.protocol, key.metric))
    ]
    _write_rows(folder / "values.csv", VALUES_HEADER, lines)
    # Read back: the means of what is stored, so that the files agree to the last digit.
    write_json(folder / "metrics.json", read_reference(folder).metrics())


def evaluated_runs(results: Path) -> list[str]:
    """Ids of all runs with an evaluation below `results` (`results/<tier>`).

    Raises:
        ReferenceError: there is no folder of evaluations.
    """
    folder = results / "evaluations"
    if not folder.is_dir():
        raise ReferenceError(f"{folder} is not there: run the evaluations first")
    return sorted(path.parent.name for path in folder.glob("*/per_image.csv"))


def measured_values(results: Path, wanted: Iterable[str]) -> RunValues:
    """Read the evaluations of the `wanted` runs that are there; absent ones are left out.

    A series that contradicts itself is named in `unusable` and never averaged.
    """
    runs: dict[str, ReferenceRun] = {}
    versions: dict[str, str] = {}
    scenes: dict[str, dict[str, str]] = {}
    series: dict[str, dict[SeriesKey, Series]] = {}
    unusable: dict[str, str] = {}
    for run in wanted:
        if not evaluation_folder(results, run).joinpath("per_image.csv").is_file():
            continue
        try:
            found = read_run_results(results, run)
        except ResultFileError as error:
            unusable[run] = str(error)
            continue
        evaluation, job = found.evaluation, found.provenance
        if evaluation is None or job is None:
            unusable[run] = found.invalid
            continue
        compared = [key for key in evaluation.series if key.metric in COMPARED]
        for key in compared:
            if key in evaluation.problems:
                unusable[cell_name(run, key)] = "; ".join(evaluation.problems[key])
        series[run] = {key: dict(values) for key in compared if (values := evaluation.sound(key))}
        for test_set in {key.test_set for key in series[run]}:
            scenes.setdefault(test_set, {}).update(evaluation.scenes[test_set])
        runs[run] = ReferenceRun(job.source != UNTRAINED, job.training_sha256)
        versions |= {name: job.versions[name] for name in VERSIONS if name in job.versions}
    return RunValues(runs, versions, scenes, series, unusable)


def cell_name(run: str, key: SeriesKey) -> str:
    """How `RunValues.unusable` names a series.

    >>> cell_name("bm3d__no_training__seed_0", SeriesKey("noise", "ndr", "PSNR"))
    'bm3d__no_training__seed_0 noise ndr PSNR'
    """
    return f"{run} {key.test_set} {key.protocol} {key.metric}"
