"""The file of all measured numbers: one row per image, protocol and metric.

`per_image.csv` has the columns of `ImageScore` in their order. A value is written with all its
digits (`repr`), so that reading gives back the very number. The PSNR of an image that equals its
truth is infinite and stands there as `inf`, which `float()`, NumPy and pandas read as infinity:
the PSNR of the control `oracle` is nothing else. NaN never occurs.

`ndr.results.load` reads the files of all runs into one frame.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

from ndr.metrics.metric import METRICS
from ndr.nearest_name import unknown_name
from ndr.records.provenance import EvaluationProvenance, file_sha256
from ndr.records.record import ResultFileError


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One measured number."""

    run: str
    test_set: str
    image: str
    scene: str
    protocol: str
    metric: str
    """A key of `ndr.metrics.metric.METRICS`."""
    value: float


COLUMNS = tuple(field.name for field in fields(ImageScore))


def scores_text(scores: Iterable[ImageScore]) -> str:
    """Content of the file, with the rows in the order given.

    Raises:
        ValueError: a value is NaN; the message names the row.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for score in scores:
        if math.isnan(score.value):
            raise ValueError(f"expected a number, found NaN: {score}")
        writer.writerow([*astuple(score)[:-1], repr(float(score.value))])
    return file.getvalue()


Series = dict[str, float]
"""Value per image."""


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One metric under one protocol on one test set."""

    test_set: str
    protocol: str
    metric: str


@dataclass(slots=True)
class Evaluation:
    """The per-image values of one run."""

    path: Path
    run: str
    series: dict[SeriesKey, Series] = field(default_factory=dict)
    problems: dict[SeriesKey, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Series that must not be averaged, with the reasons."""
    scenes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Scene of each image, by test set and image."""

    def images(self, test_set: str) -> set[str]:
        """Names of all images of the test set that occur in the file."""
        return {
            image
            for key, values in self.series.items()
            if key.test_set == test_set
            for image in values
        }

    def keys_of(self, test_set: str) -> list[SeriesKey]:
        """The test set's series in the order of the file."""
        return [key for key in self.series if key.test_set == test_set]

    def sound(self, key: SeriesKey) -> Mapping[str, float] | None:
        """The values of a series; None where it is missing or has a problem."""
        return None if key in self.problems else self.series.get(key)

    def scores(self) -> Iterator[ImageScore]:
        """The numbers of all sound series, series by series."""
        for key in self.series:
            for image, value in (self.sound(key) or {}).items():
                scene = self.scenes[key.test_set][image]
                yield ImageScore(
                    self.run, key.test_set, image, scene, key.protocol, key.metric, value
                )

    def refuse_protocol(self, protocol: str, reason: str) -> None:
        """Leave all series of a protocol out of every average."""
        for key in self.series:
            if key.protocol == protocol:
                self.problems[key].append(reason)


def _value_problem(metric: str, text: str) -> tuple[float, str | None]:
    try:
        value = float(text)
    except ValueError:
        return math.nan, f"{text!r} is no number"
    if math.isnan(value):
        return value, "the value is NaN"
    if metric not in METRICS:
        return value, f"{unknown_name('metric', metric, METRICS)}"
    return value, METRICS[metric].problem(value) or None


def _read_line(evaluation: Evaluation, number: int, line: Mapping[str, str]) -> None:
    """Add one line of the file; what is wrong with it is noted for its series."""
    key = SeriesKey(line["test_set"], line["protocol"], line["metric"])
    values = evaluation.series.setdefault(key, {})
    where = f"line {number}, image {line['image']!r}"
    if line["run"] != evaluation.run:
        evaluation.problems[key].append(
            f"{where}: expected run {evaluation.run!r}, found {line['run']!r}"
        )
    value, problem = _value_problem(line["metric"], line["value"])
    if problem:
        evaluation.problems[key].append(f"{where}: {problem}")
    if line["image"] in values:
        evaluation.problems[key].append(f"{where}: the image stands there twice")
    values[line["image"]] = value
    scene = evaluation.scenes.setdefault(key.test_set, {}).setdefault(line["image"], line["scene"])
    if scene != line["scene"]:
        evaluation.problems[key].append(
            f"{where}: expected scene {scene!r}, found {line['scene']!r}"
        )


def read_evaluation(path: str | Path, run: str, may_be_empty: bool = False) -> Evaluation:
    """Read and check the per-image values of a run.

    Double images, NaN, values out of range, lines of another run, images of two scenes and images
    that lack a protocol make their series unusable; `Evaluation.problems` says why.

    Args:
        path: `per_image.csv`.
        run: id that every line must carry.
        may_be_empty: the run's provenance says why it has no values.

    Raises:
        FileNotFoundError: the evaluation was not run.
        ResultFileError: other columns than `COLUMNS`, a line of another length, no line at all, or
            other values than the provenance beside it names.
    """
    path = Path(path)
    evaluation = Evaluation(path, run)
    advice = f"delete {path.parent} and run again"
    beside = path.with_name("provenance.json")
    job = EvaluationProvenance.read_if_there(beside)
    if job is not None and job.run != run:
        raise ResultFileError(f"{beside} is the provenance of run {job.run!r}; {advice}")
    if job is not None and job.scores_sha256 not in ("", file_sha256(path)):
        raise ResultFileError(f"{path}: these are not the values that {beside} names; {advice}")
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        try:
            if tuple(reader.fieldnames or ()) != COLUMNS:
                found = ", ".join(reader.fieldnames or ()) or "none"
                shown = found if found.isprintable() else ascii(found)
                raise ResultFileError(
                    f"{path}: expected the columns {', '.join(COLUMNS)}; found {shown[:200]}; "
                    f"{advice}"
                )
            for line in reader:
                if None in line or None in line.values():
                    raise ResultFileError(
                        f"{path}: line {reader.line_num} has not {len(COLUMNS)} fields; {advice}"
                    )
                _read_line(evaluation, reader.line_num, line)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ResultFileError(f"{path}: {error}; {advice}") from error
    if not evaluation.series and not may_be_empty:
        raise ResultFileError(f"{path}: no values; {advice}")
    _check_completeness(evaluation)
    return evaluation


def _check_completeness(evaluation: Evaluation) -> None:
    """A series must have every image that the other series of its test set have."""
    images = {key.test_set: evaluation.images(key.test_set) for key in evaluation.series}
    for key, values in evaluation.series.items():
        missing = sorted(images[key.test_set] - values.keys())
        if missing:
            evaluation.problems[key].append(
                f"{len(missing)} of {len(images[key.test_set])} images have no {key.metric} under "
                f"protocol {key.protocol!r}, e.g. {missing[0]!r}"
            )
