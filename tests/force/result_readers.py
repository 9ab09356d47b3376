"""Readers of what the suite itself writes, and of archives, manifests and configuration."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ndr.data.fetch.fetch_errors import FetchError
from ndr.data.fetch.unpacking import unpack
from ndr.data.manifest import Manifest, ManifestError
from ndr.records.leak_findings import LeakFindings
from ndr.records.parameter_counts import ParameterCounts
from ndr.records.per_image import read_evaluation, scores_text
from ndr.records.provenance import EvaluationProvenance, TrainingProvenance
from ndr.records.record import Record, ResultFileError
from ndr.records.representation import RepresentationFile
from ndr.records.table_result import TableResult
from ndr.specs.report_description import ReportDescription
from ndr.specs.typed_file import SpecError, read_yaml
from reports.build import build_page
from reports.page.sections.curves import CurveError, read_curve
from reports.summarise import summarise
from tests.conftest import REPOSITORY
from tests.data.fetch.made_archives import write_rar, write_tar, write_zip
from tests.force.reader import Reader
from tests.reports import fabricated_results as made
from tests.reports.fabricated_report import write_small_report
from tests.reports.fabricated_representation import content as representation_content
from tests.reports.fabricated_results import TRUTH
from tests.reports.page.sections.test_leak_table import findings

RECORDS: dict[str, type[Record]] = {
    "table.json": TableResult,
    "training.json": TrainingProvenance,
    "evaluation.json": EvaluationProvenance,
    "counts.json": ParameterCounts,
    "representation.json": RepresentationFile,
    "leaks.json": LeakFindings,
}


def _in_a_folder(write: Callable[[Path], Any]) -> Mapping[str, bytes]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder)
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def records() -> Mapping[str, bytes]:
    """A file of most kinds of results."""

    def write(folder: Path) -> None:
        report = write_small_report(folder / "report")
        report.tables[0].write(folder / "table.json")
        shutil.copy(report.parameter_counts, folder / "counts.json")
        run = made.NDR
        for kind, name in (("runs", "training.json"), ("evaluations", "evaluation.json")):
            shutil.copy(report.results / kind / run / "provenance.json", folder / name)
        (folder / "representation.json").write_text(json.dumps(representation_content()))
        findings().write(folder / "leaks.json")

    return _in_a_folder(write)


def read_record(path: Path) -> None:
    """By the record of its name; what is read can be written again."""
    record = RECORDS[path.name].read(path)
    json.dumps(record.content(), allow_nan=False)


def archives() -> Mapping[str, bytes]:
    """Small archives of all formats."""

    def write(folder: Path) -> None:
        write_zip(folder / "a.zip")
        for ending in ("tar", "tar.gz", "tar.xz", "tar.bz2"):
            write_tar(folder / f"a.{ending}")
        write_rar(folder / "a.rar")

    return _in_a_folder(write)


def read_archive(path: Path) -> None:
    """Unpack it beside itself."""
    unpack(path, path.name, path.parent / "unpacked")


def manifests() -> Mapping[str, bytes]:
    """A manifest of this suite's."""
    path = REPOSITORY / "config" / "manifests" / "set5.csv"
    return {"manifest.csv": path.read_bytes()}


def configuration() -> Mapping[str, bytes]:
    """Files that people edit."""
    names = ("config.yaml", "settings.yaml", "tiers/smoke.yaml", "tables/table_12.yaml")
    return {Path(name).name: (REPOSITORY / "config" / name).read_bytes() for name in names}


def scores() -> Mapping[str, bytes]:
    """Values per image."""
    values = {made.NOISE: {"a": 30.0, "b": 31.0}}
    return {"per_image.csv": scores_text(made.scores_of(made.NDR, values)).encode()}


def read_scores(path: Path) -> None:
    """Read them and ask for all."""
    list(read_evaluation(path, made.NDR).scores())


def curves() -> Mapping[str, bytes]:
    """A training's losses."""

    def write(folder: Path) -> None:
        made.write_training(folder / "results", made.NDR, done=12)
        shutil.copy(folder / "results" / "runs" / made.NDR / "curve.csv", folder)

    return _in_a_folder(write)


PLAN = made.plan([made.row(made.NDR, "NDR-Restore"), made.row(made.NAFNET, "NAFNet")])
SIGN = "!"
"""Stands for a slash in the names of sound files."""


class Pages(Reader):
    """A page of results of which one file is damaged: it has to be made, whatever the file is."""

    __slots__ = ()

    def prepare(self, folder: Path) -> None:
        """Write the sound files, and the results among which damaged ones are put."""
        super().prepare(folder)
        write_small_report(folder / "report")

    def place(self, folder: Path, source: Path) -> Path:
        """Among the results, with the sound files in the place of earlier damaged ones."""
        for sound in self.files(folder):
            path = folder.joinpath("report", *sound.name.split(SIGN))
            if path.read_bytes() != sound.read_bytes():
                shutil.copy(sound, path)
        return folder.joinpath("report", *source.name.split(SIGN))


def page_files() -> Mapping[str, bytes]:
    """All files below the results of a small report."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        report = write_small_report(folder)
        paths = [*report.results.rglob("*"), report.parameter_counts]
        files = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
        wanted = (path for path in files if TRUTH not in path or path.endswith("json"))
        return {path.replace("/", SIGN): files[path].read_bytes() for path in wanted}


def read_page(path: Path) -> None:
    """Make the table and the page."""
    folder = next(parent for parent in path.parents if parent.name == "report")
    results = folder / "results" / "quick"
    description = ReportDescription(
        tier="quick",
        tier_note="",
        comparable_with_paper=False,
        attributions=(),
        input_runs=(made.INPUT,),
        truth_runs=(TRUTH,),
        balance="task_uniform",
        weights=("retrained",),
    )
    table = summarise(PLAN, results)
    build_page(description, [table], results, folder / "parameter_counts.json")


RESULT_READERS: Mapping[str, Reader] = {
    "result files": Reader(records, read_record, (ResultFileError,), text=True),
    "values per image": Reader(scores, read_scores, (ResultFileError,)),
    "curves": Reader(curves, read_curve, (CurveError,)),
    "pages": Pages(page_files, read_page, (), text=True),
    "manifests": Reader(manifests, Manifest.read, (ManifestError,)),
    "archives": Reader(archives, read_archive, (FetchError,)),
    "configuration": Reader(configuration, read_yaml, (SpecError,), text=True),
}
