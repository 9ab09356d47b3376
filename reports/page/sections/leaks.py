"""The section on leaks: test images in training sets, repeated scenes, a split column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.leak_findings import (
    IDENTICAL,
    NEAR_DUPLICATE,
    LeakFindings,
)
from ndr.records.table_result import QualityEntry, TableResult
from ndr.specs.report_description import ReportDescription
from reports.analysis.leak_split import LeakSplit, leak_split
from reports.analysis.quality import report_entry


@dataclass(frozen=True, slots=True)
class LeakSection:
    """What a scan found, and the results split by it."""

    findings: LeakFindings
    split: LeakSplit | None

    @property
    def quality(self) -> list[QualityEntry]:
        """Warnings of test images that were trained on."""
        return [
            report_entry(
                t.WARNING,
                "leaks",
                f"{found.test}: {len(found.matches)} of {found.test_images} images are in the "
                f"training set {found.other} ({found.count(IDENTICAL)} identical, "
                f"{found.count(NEAR_DUPLICATE)} near duplicates)",
            )
            for found in self.findings.trainings
            if found.matches
        ]


def leak_section(
    path: Path | None,
    description: ReportDescription,
    tables: Sequence[TableResult],
    results: Path,
) -> LeakSection | None:
    """Read what `python -m ndr.data.leaks` wrote and set the results beside it.

    Args:
        path: `leaks.json`; None where no scan was made.
        description: names the prepared set behind each test set.
        tables: of the page.
        results: `results/<tier>`.

    Raises:
        FileNotFoundError: `path` does not exist.
        ResultFileError: a file is damaged.
    """
    if path is None:
        return None
    findings = LeakFindings.read(path)
    return LeakSection(findings, leak_split(findings, description, tables, results))
