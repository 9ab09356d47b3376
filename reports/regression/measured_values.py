"""The results of a tier in the shape of a reference."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ndr.atomic_file import write_json, write_text
from ndr.metrics.metric import COMPARED, mean
from ndr.records.per_image import Series, SeriesKey
from ndr.records.provenance import evaluation_folder
from ndr.records.record import ResultFileError
from reports.analysis.run_results import read_run_results

SCHEMA = 1
DIGITS = 6
"""Digits after the point that are stored."""
ABSENT = "-"
IMAGES_HEADER = ("test_set", "image", "scene")
VALUES_HEADER = ("run", "test_set", "protocol", "metric", "values")


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
class ReferenceValues:
    """Values of some runs, as stored or as measured."""

    runs: Mapping[str, ReferenceRun]
    scenes: Mapping[str, Mapping[str, str]]
    """Scene by test set and image."""
    series: Mapping[str, Mapping[SeriesKey, Series]]
    """Values per image by run and series."""
    versions: Mapping[str, str]
    """Versions of the software that made them."""

    def metrics(self) -> dict[str, Any]:
        """Means by run, test set, protocol and metric; infinite ones are left out."""
        nested: dict[str, Any] = {}
        for run, series in self.series.items():
            for key, values in series.items():
                average = round(mean(values.values()), DIGITS)
                if abs(average) != float("inf"):
                    inner = nested.setdefault(run, {}).setdefault(key.test_set, {})
                    inner.setdefault(key.protocol, {})[key.metric] = average
        return nested


def _rows(path: Path, header: tuple[str, ...]) -> Iterable[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        found, *rows = list(csv.reader(stream, strict=True)) or [[]]
    if tuple(found) != header or any(len(row) != len(header) for row in rows):
        raise ReferenceError(f"{path}: expected lines of {', '.join(header)}")
    return rows


def read_reference(folder: Path) -> ReferenceValues:
    """Read what `write_reference` wrote.

    Raises:
        ReferenceError: a file is missing, damaged or of another version.
    """
    try:
        content = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ReferenceError(f"expected schema {SCHEMA}, found {content['schema']!r}")
        runs = {name: ReferenceRun(**facts) for name, facts in content["runs"].items()}
        scenes: dict[str, dict[str, str]] = {}
        for test_set, image, scene in _rows(folder / "images.csv", IMAGES_HEADER):
            scenes.setdefault(test_set, {})[image] = scene
        series: dict[str, dict[SeriesKey, Series]] = {name: {} for name in runs}
        for run, test_set, protocol, metric, texts in _rows(folder / "values.csv", VALUES_HEADER):
            pairs = zip(scenes[test_set], texts.split(" "), strict=True)
            values = {image: float(text) for image, text in pairs if text != ABSENT}
            series[run][SeriesKey(test_set, protocol, metric)] = values
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise ReferenceError(
            f"{folder} is no reference ({error}); make one with python -m reports.update_reference"
        ) from error
    return ReferenceValues(runs, scenes, series, content["versions"])


def _csv(header: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def stored_text(value: float | None) -> str:
    """A value with the digits that the reference keeps.

    >>> stored_text(31.25), stored_text(float("inf")), stored_text(None)
    ('31.250000', 'inf', '-')
    """
    return ABSENT if value is None else f"{value:.{DIGITS}f}"


def write_reference(folder: Path, values: ReferenceValues) -> None:
    """Write all files of a reference but `runs.yaml`; equal values give equal bytes."""
    write_json(
        folder / "reference.json",
        {
            "schema": SCHEMA,
            "runs": {name: asdict(facts) for name, facts in values.runs.items()},
            "versions": dict(values.versions),
        },
    )
    images = [
        (test_set, image, scene)
        for test_set, scenes in sorted(values.scenes.items())
        for image, scene in sorted(scenes.items())
    ]
    write_text(folder / "images.csv", _csv(IMAGES_HEADER, images))
    lines = [
        (
            run,
            key.test_set,
            key.protocol,
            key.metric,
            " ".join(
                stored_text(series[key].get(image)) for image in sorted(values.scenes[key.test_set])
            ),
        )
        for run, series in sorted(values.series.items())
        for key in sorted(series, key=lambda key: (key.test_set, key.protocol, key.metric))
        if key.metric in COMPARED
    ]
    write_text(folder / "values.csv", _csv(VALUES_HEADER, lines))
    # Read back: the means of what is stored, so that the files agree to the last digit.
    write_json(folder / "metrics.json", read_reference(folder).metrics())


UNTRAINED_SOURCE = "no_training"
VERSIONS = ("python", "numpy", "torch")


@dataclass(frozen=True, slots=True)
class MeasuredValues:
    """What was measured, and what could not be used."""

    values: ReferenceValues
    unusable: dict[str, str]
    """Runs, or series of them, with the reason."""


def evaluated_runs(results: Path) -> list[str]:
    """Ids of all runs with an evaluation below `results` (`results/<tier>`).

    Raises:
        ReferenceError: there is no folder of evaluations.
    """
    folder = results / "evaluations"
    if not folder.is_dir():
        raise ReferenceError(f"{folder} is not there: run the evaluations first")
    return sorted(path.parent.name for path in folder.glob("*/per_image.csv"))


def measured_values(results: Path, runs: Iterable[str]) -> MeasuredValues:
    """Read the evaluations of `runs` that are there; absent ones are left out.

    A series that contradicts itself is named in `unusable` and never averaged.
    """
    known: dict[str, ReferenceRun] = {}
    scenes: dict[str, dict[str, str]] = {}
    series: dict[str, dict[SeriesKey, Series]] = {}
    versions: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for run in runs:
        if not evaluation_folder(results, run).joinpath("per_image.csv").is_file():
            continue
        try:
            found = read_run_results(results, run)
        except ResultFileError as error:
            unusable[run] = str(error)
            continue
        evaluation, job = found.evaluation, found.provenance
        if evaluation is None or job is None:
            unusable[run] = found.invalid or found.missing
            continue
        for key, reasons in evaluation.problems.items():
            if key.metric in COMPARED:
                unusable[f"{run} {key.test_set} {key.protocol} {key.metric}"] = "; ".join(reasons)
        series[run] = {
            key: dict(values)
            for key in evaluation.series
            if key.metric in COMPARED and (values := evaluation.sound(key))
        }
        for test_set in {key.test_set for key in series[run]}:
            scenes.setdefault(test_set, {}).update(evaluation.scenes[test_set])
        known[run] = ReferenceRun(
            trained=job.source != UNTRAINED_SOURCE,
            training_sha256=job.training_sha256,
        )
        versions |= {name: job.versions[name] for name in VERSIONS if name in job.versions}
    return MeasuredValues(ReferenceValues(known, scenes, series, versions), unusable)
