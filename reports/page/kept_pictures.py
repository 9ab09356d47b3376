"""Which pictures the evaluations left, and which of them a cell shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.evaluation_rows import Evaluation, ResultFileError, read_evaluation
from reports.provenance_files import evaluation_folder
from reports.report_description import ReportDescription

WORST, MEDIAN, BEST = "worst", "median", "best"


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """One image that stands for a run on a test set."""

    word: str
    """`worst`, `median`, `best`; empty where there is nothing to choose from."""
    image: str
    value: float | None


def chosen_images(
    values: Mapping[str, float] | None, kept: Collection[str], lower_is_better: bool = False
) -> tuple[ChosenImage, ...]:
    """Worst, median and best of the images whose pictures were kept.

    Of an even number, the median is the worse of the two in the middle. Without values the first
    three images stand there without a word.

    >>> [c.image for c in chosen_images({"a": 3.0, "b": 1.0, "c": 2.0, "d": 0.0}, "abc")]
    ['b', 'c', 'a']
    >>> chosen_images({"a": 3.0}, ["a"])
    (ChosenImage(word='', image='a', value=3.0),)
    """
    known = {image: values[image] for image in sorted(kept) if values and image in values}
    if len(known) < len(kept):
        return tuple(ChosenImage("", image, known.get(image)) for image in sorted(kept)[:3])
    order = sorted(known, key=lambda image: known[image], reverse=lower_is_better)
    if len(order) < 2:
        return tuple(ChosenImage("", image, known[image]) for image in order)
    places = [(WORST, 0), (MEDIAN, (len(order) - 1) // 2), (BEST, len(order) - 1)]
    if len(order) == 2:
        del places[1]
    return tuple(ChosenImage(word, order[at], known[order[at]]) for word, at in places)


class KeptPictures:
    """The pictures and per-image values below `results/<tier>/evaluations`."""

    def __init__(self, results: Path, description: ReportDescription) -> None:
        self._results = results
        self._description = description
        self._evaluations: dict[str, Evaluation | None] = {}

    def path(self, run: str, test_set: str, image: str) -> Path:
        """Where an evaluation leaves the picture of an image."""
        return evaluation_folder(self._results, run) / "pictures" / test_set / f"{image}.png"

    def images(self, run: str, test_set: str) -> list[str]:
        """Names of the images whose pictures a run left, sorted."""
        folder = evaluation_folder(self._results, run) / "pictures" / test_set
        return sorted(path.stem for path in folder.glob("*.png"))

    def input_run(self, test_set: str) -> str | None:
        """The control that left the degraded inputs of a test set."""
        return self._first(self._description.input_runs, test_set)

    def truth_run(self, test_set: str) -> str | None:
        """The control that left the ground truths of a test set."""
        return self._first(self._description.truth_runs, test_set)

    def _first(self, runs: Sequence[str], test_set: str) -> str | None:
        folders = (evaluation_folder(self._results, run) / "pictures" / test_set for run in runs)
        found = (run for run, folder in zip(runs, folders, strict=True) if folder.is_dir())
        return next(found, None)

    def evaluation(self, run: str) -> Evaluation | None:
        """A run's per-image values; None where they are missing or cannot be used."""
        if run not in self._evaluations:
            path = evaluation_folder(self._results, run) / "per_image.csv"
            try:
                self._evaluations[run] = read_evaluation(path, run)
            except (FileNotFoundError, ResultFileError):
                self._evaluations[run] = None  # the tables list this under quality
        return self._evaluations[run]
