"""Where the report's numbers come from: code, versions, machines and time of all its jobs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.provenance import Job, evaluation_provenance, training_provenance
from ndr.records.table_result import QualityEntry, TableResult
from reports.analysis.quality import report_entry


@dataclass(frozen=True, slots=True)
class Origin:
    """The banner's facts; every tuple holds each different answer once."""

    commits: tuple[str, ...]
    versions: tuple[str, ...]
    machines: tuple[str, ...]
    trainings: int
    training_seconds: float
    evaluations: int
    evaluation_seconds: float
    generated: datetime.datetime | None
    """End of the newest job, so that equal results give an equal page."""
    quality: tuple[QualityEntry, ...]


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


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _generated(jobs: Iterable[Job]) -> datetime.datetime | None:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return max((job.ended for job in jobs), default=None)


def _entries(
    commits: Sequence[str], versions: Sequence[str], machines: Sequence[str]
) -> Iterator[QualityEntry]:
    if any("uncommitted" in commit for commit in commits):
        yield report_entry(
            t.WARNING, "provenance", "Results were made from files that differ from the commit."
        )
    if any("outside of git" in commit for commit in commits):
        yield report_entry(
            t.WARNING, "provenance", "Results were made outside of git: no commit is known."
        )
    for name, several in (
        ("commits", commits),
        ("sets of package versions", versions),
        ("machines", machines),
    ):
        if len(several) > 1:
            message = f"The results come from {len(several)} {name}: {'; '.join(several)}."
            yield report_entry(t.WARNING, "provenance", message)


def origin_of(results: Path, runs: Sequence[str]) -> Origin:
    """Collect the provenance of the trainings and evaluations of `runs`.

    Args:
        results: `results/<tier>`.
        runs: ids; files that are not there are left out (quality names their cells).

    Raises:
        ResultFileError: a file is damaged.
    """
    trainings = [job for run in runs if (job := training_provenance(results, run))]
    evaluations = [each for run in runs if (each := evaluation_provenance(results, run))]
    jobs: list[Job] = [*trainings, *evaluations]
    commits = _distinct(map(commit_text, jobs))
    versions = _distinct(map(versions_text, jobs))
    machines = _distinct(map(machine_text, jobs))
    return Origin(
        commits=commits,
        versions=versions,
        machines=machines,
        trainings=len(trainings),
        training_seconds=sum(job.wall_seconds for job in trainings),
        evaluations=len(evaluations),
        evaluation_seconds=sum(job.wall_seconds for job in evaluations),
        generated=_generated(jobs),
        quality=tuple(_entries(commits, versions, machines)),
    )
