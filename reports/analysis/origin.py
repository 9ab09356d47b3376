"""Where the report's numbers come from: code, versions, machines and time of all its jobs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ndr.records import table_result as t
from ndr.records.provenance import (
    EvaluationProvenance,
    Job,
    TrainingProvenance,
    evaluation_provenance,
    training_provenance,
)
from ndr.records.record import ResultFileError
from ndr.records.table_result import QualityEntry, TableResult
from reports.analysis.quality import report_entry

J = TypeVar("J", bound=Job)


def runs_of(tables: Iterable[TableResult]) -> list[str]:
    """All runs of the tables, controls included, each once, in their order."""
    runs = dict.fromkeys(
        row.run for table in tables for block in table.blocks for row in block.rows if row.run
    )
    return list(runs)


def commit_text(job: Job) -> str:
    """The commit that a job ran, and whether files differed from it."""
    if not job.commit:
        return "not recorded (outside of git)"
    return f"{job.commit[:12]} with uncommitted changes" if job.modified else job.commit[:12]


def versions_text(job: Job) -> str:
    """Versions of the libraries that a job used."""
    return ", ".join(f"{name} {version}" for name, version in job.versions.items())


def machine_text(job: Job) -> str:
    """The machine that a job ran on."""
    machine = job.hardware
    gpus = ", ".join(machine.gpus) or "no GPU"
    return f"{machine.processor}, {machine.cores} cores, {gpus}; {machine.system}"


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


@dataclass(frozen=True, slots=True)
class Origin:
    """All jobs behind a report."""

    trainings: list[TrainingProvenance]
    evaluations: list[EvaluationProvenance]

    @property
    def jobs(self) -> list[Job]:
        """All of them, trainings first."""
        return [*self.trainings, *self.evaluations]

    @property
    def commits(self) -> list[str]:
        """Each commit once."""
        return _distinct(map(commit_text, self.jobs))

    @property
    def versions(self) -> list[str]:
        """Each set of libraries once."""
        return _distinct(map(versions_text, self.jobs))

    @property
    def machines(self) -> list[str]:
        """Each machine once."""
        return _distinct(map(machine_text, self.jobs))

    @property
    def generated(self) -> datetime.datetime | None:
        """End of the newest job, so that equal results give an equal page."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is not None:
            return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        return max((job.ended for job in self.jobs), default=None)

    @property
    def quality(self) -> list[QualityEntry]:
        """What makes a reader suspicious."""
        messages = []
        if any("uncommitted" in commit for commit in self.commits):
            messages.append("Results were made from files that differ from the commit.")
        if any("outside of git" in commit for commit in self.commits):
            messages.append("Results were made outside of git: no commit is known.")
        for name, several in (
            ("commits", self.commits),
            ("sets of package versions", self.versions),
            ("machines", self.machines),
        ):
            if len(several) > 1:
                found = "; ".join(several)
                messages.append(f"The results come from {len(several)} {name}: {found}.")
        return [report_entry(t.WARNING, "provenance", message) for message in messages]


def origin_of(results: Path, runs: Sequence[str]) -> Origin:
    """Collect the provenance of the trainings and evaluations of `runs`.

    Args:
        results: `results/<tier>`.
        runs: ids; files that are missing or damaged are left out (quality names their cells).
    """
    trainings = [_sound(training_provenance, results, run) for run in runs]
    evaluations = [_sound(evaluation_provenance, results, run) for run in runs]
    return Origin([job for job in trainings if job], [job for job in evaluations if job])


def _sound(read: Callable[[Path, str], J | None], results: Path, run: str) -> J | None:
    try:
        return read(results, run)
    except ResultFileError:
        return None
