"""The results of a tier in the shape of a reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reports.evaluation_rows import Series, SeriesKey
from reports.provenance_files import ProvenanceError, evaluation_folder, read_provenance
from reports.regression.floors import FLOORS
from reports.regression.reference_values import ReferenceError, ReferenceRun, ReferenceValues
from reports.run_results import read_run_results

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
            if found.evaluation is None or found.facts is None:
                raise ProvenanceError(found.invalid or found.missing)
            provenance = read_provenance(evaluation_folder(results, run) / "provenance.json")
        except ProvenanceError as error:
            unusable[run] = str(error)
            continue
        evaluation = found.evaluation
        for key, reasons in evaluation.problems.items():
            if key.metric in FLOORS:
                unusable[f"{run} {key.test_set} {key.protocol} {key.metric}"] = "; ".join(reasons)
        series[run] = {
            key: dict(values)
            for key in evaluation.series
            if key.metric in FLOORS and (values := evaluation.sound(key))
        }
        for test_set in {key.test_set for key in series[run]}:
            scenes.setdefault(test_set, {}).update(evaluation.scenes[test_set])
        known[run] = ReferenceRun(
            trained=found.facts.source != UNTRAINED_SOURCE,
            training_sha256=found.facts.training_sha256,
        )
        recorded = provenance.get("versions", {})
        versions |= {name: recorded[name] for name in VERSIONS if name in recorded}
    return MeasuredValues(ReferenceValues(known, scenes, series, versions), unusable)
