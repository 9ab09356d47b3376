"""The pictures and numbers that the runs of a figure left, image by image."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.image_decoding import DecodingError, check_png, opened
from ndr.metrics.metric import METRICS
from ndr.records.per_image import Evaluation, SeriesKey, read_evaluation
from ndr.records.provenance import evaluation_folder, evaluation_provenance
from ndr.records.record import ResultFileError
from ndr.specs.figure_plan import FigurePlan, FigureRow
from reports.figures.image_choice import in_turn
from reports.figures.kind import MissingFigureInput
from reports.number_format import metric_text

OTHER_TASK = "not trained for this"
PAIRED, ALONE = ("PSNR", "SSIM"), "PIQE"
"""Metrics below a picture: with a ground truth, and without one."""


def evaluation_of(results: Path, run: str) -> Evaluation | None:
    """Values of a run; None where the file is missing or unusable, which the tables report."""
    path = evaluation_folder(results, run) / "per_image.csv"
    try:
        return read_evaluation(path, run, may_be_empty=True)
    except (FileNotFoundError, ResultFileError):
        return None


@dataclass(frozen=True)
class EvaluatedPictures:
    """Reads what is below `results` (`results/<tier>`) for one figure; each file once."""

    plan: FigurePlan
    results: Path

    @functools.cached_property
    def _evaluations(self) -> dict[str, Evaluation | None]:
        """Values of each run; None where the file is missing or cannot be used."""
        runs = [self.plan.input_run, self.plan.truth_run, *(row.run for row in self.plan.rows)]
        return {run: evaluation_of(self.results, run) for run in runs if run}

    def value(self, run: str, key: SeriesKey, image: str) -> float | None:
        """One number; None where there is none that can be trusted."""
        evaluation = self._evaluations[run]
        values = evaluation and evaluation.sound(key)
        return values.get(image) if values else None

    def _names(self, run: str, test_set: str) -> set[str]:
        folder = evaluation_folder(self.results, run) / "pictures" / test_set
        return {path.stem for path in folder.glob("*.png")}

    @functools.cached_property
    def shown_rows(self) -> tuple[FigureRow, ...]:
        """The systems that left a picture of some test set."""
        return tuple(
            row
            for row in self.plan.rows
            if row.run and any(self._names(row.run, test_set) for test_set in row.test_sets)
        )

    @property
    def reasons(self) -> list[str]:
        """Why each of the other systems has none."""
        others = [row for row in self.plan.rows if row not in self.shown_rows]
        return [self.why_none(row, (*row.test_sets, *self.plan.test_sets)[0]) for row in others]

    def left_out_text(self) -> str:
        """The systems that have no picture at all, as a sentence; empty where all have one."""
        others = [row.label for row in self.plan.rows if row not in self.shown_rows]
        pairs = zip(others, self.reasons, strict=True)
        systems = ", ".join(f"{label} ({reason})" for label, reason in pairs)
        return f"Not shown, for lack of any picture: {systems}." if systems else ""

    def shown_image(self, test_set: str) -> str:
        """The image of a test set that a figure shows: no choice in favour of a system.

        Of the images that the degraded input, the truth and as many systems as possible left, the
        one whose turn it is (`in_turn`).

        Raises:
            MissingFigureInput: the controls left no picture.
        """
        common = self._names(self.plan.input_run, test_set)
        if self.plan.truth_run:
            common &= self._names(self.plan.truth_run, test_set)
        if not common:
            folder = evaluation_folder(self.results, self.plan.input_run) / "pictures" / test_set
            raise MissingFigureInput(
                folder, f"no picture of the degraded input and of the truth of {test_set}."
            )
        runs = [row.run for row in self.plan.rows if row.run and test_set in row.test_sets]
        kept = {run: self._names(run, test_set) for run in runs}
        count = {image: sum(image in names for names in kept.values()) for image in common}
        most = [image for image in common if count[image] == max(count.values())]
        return in_turn(most, self.plan.name, self.plan.test_sets.index(test_set))[0]

    def picture(self, run: str, test_set: str, image: str) -> NDArray[np.uint8] | None:
        """Pixels (height, width, 3); None where the run left no picture of the image.

        Raises:
            MissingFigureInput: the file is damaged.
        """
        folder = evaluation_folder(self.results, run)
        path = folder / "pictures" / test_set / f"{image}.png"
        try:
            check_png(path)
            with opened(path, ("PNG",)) as picture:
                return np.asarray(picture.convert("RGB"))
        except FileNotFoundError:
            return None
        except (DecodingError, OSError) as error:
            raise MissingFigureInput(
                path, f"the picture cannot be read ({error}); delete {folder.name} and run again."
            ) from error

    def pictures(self, test_set: str, image: str) -> dict[str, NDArray[np.uint8]]:
        """The pictures of one image by run, of the controls and of the systems that left one.

        Raises:
            MissingFigureInput: a file is damaged, or pictures differ in size.
        """
        runs = [self.plan.input_run, self.plan.truth_run, *(row.run for row in self.plan.rows)]
        read = {run: self.picture(run, test_set, image) for run in runs if run}
        found = {run: picture for run, picture in read.items() if picture is not None}
        if len({picture.shape for picture in found.values()}) > 1:
            sizes = ", ".join(f"{run} {p.shape[1]}x{p.shape[0]}" for run, p in found.items())
            raise MissingFigureInput(
                self.results / "evaluations",
                f"expected pictures of one size, found {sizes}; delete and run again.",
            )
        return found

    def why_none(self, row: FigureRow, test_set: str) -> str:
        """Why a system has no picture of a test set, in a few words."""
        if row.run is None:
            return row.reason
        if test_set not in row.test_sets:
            return OTHER_TASK
        try:
            provenance = evaluation_provenance(self.results, row.run)
        except ResultFileError:
            return "its provenance is damaged"
        if provenance is None:
            return "not run"
        failure = provenance.failures.get(test_set)
        # The first words say what is wrong; the report's quality entries have the rest.
        return f"failed: {failure.split(': ')[0]}" if failure else "no picture of this image"

    def numbers(self, run: str, test_set: str, image: str) -> tuple[str, float | None]:
        """What stands under a picture, and the number that systems are compared by.

        PSNR and SSIM; without a truth PIQE, where lower is better.
        """
        psnr, ssim, piqe = (
            self.value(run, SeriesKey(test_set, self.plan.protocol, metric), image)
            for metric in (*PAIRED, ALONE)
        )
        if psnr is not None:
            both = zip(PAIRED, (psnr, ssim), strict=True)
            return " / ".join(metric_text(*each) for each in both), psnr
        if piqe is not None:
            return f"{ALONE} {metric_text(ALONE, piqe)}", METRICS[ALONE].goodness(piqe)
        return "", None

    def images_text(self) -> str:
        """The images shown, for captions."""
        shown = [
            f"{self.shown_image(name)} ({label})"
            for name, label in zip(self.plan.test_sets, self.plan.test_set_labels, strict=True)
        ]
        return f"Images: {'; '.join(shown)}."
