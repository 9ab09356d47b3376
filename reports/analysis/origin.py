"""Where the report's numbers come from: code, versions, machines and time of all its jobs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndr.records import table_result as t
from ndr.records.provenance import (
    evaluation_folder,
    finished_at,
    read_provenance,
    run_folder,
)
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


def commit_text(provenance: Mapping[str, Any]) -> str:
    """The commit that a job ran, and whether files differed from it."""
    commit = provenance.get("commit")
    if not commit:
        return "not recorded (outside of git)"
    return f"{commit[:12]} with uncommitted changes" if provenance.get("modified") else commit[:12]


def versions_text(provenance: Mapping[str, Any]) -> str:
    """Versions of the libraries that a job used."""
    return ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())


def machine_text(provenance: Mapping[str, Any]) -> str:
    """The machine that a job ran on."""
    hardware = provenance["hardware"]
    gpus = ", ".join(hardware["gpus"]) or "no GPU"
    return f"{hardware['processor']}, {hardware['cores']} cores, {gpus}; {hardware['system']}"


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _read_all(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        if path.is_file():
            yield read_provenance(path)


def _generated(records: Iterable[Mapping[str, Any]]) -> datetime.datetime | None:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return max((end for end in map(finished_at, records) if end is not None), default=None)


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
        ProvenanceError: a file is damaged.
    """
    trainings = list(_read_all(run_folder(results, run) / "provenance.json" for run in runs))
    evaluations = list(
        _read_all(evaluation_folder(results, run) / "provenance.json" for run in runs)
    )
    records = trainings + evaluations
    commits = _distinct(map(commit_text, records))
    versions = _distinct(map(versions_text, records))
    machines = _distinct(map(machine_text, records))
    return Origin(
        commits=commits,
        versions=versions,
        machines=machines,
        trainings=len(trainings),
        training_seconds=sum(record["wall_seconds"] for record in trainings),
        evaluations=len(evaluations),
        evaluation_seconds=sum(record["wall_seconds"] for record in evaluations),
        generated=_generated(records),
        quality=tuple(_entries(commits, versions, machines)),
    )
