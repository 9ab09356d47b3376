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
from reports.number_format import counted
from reports.page.assets import TABLES, Assets

NAMED = 5
"""Test sets that the verdict names."""


@dataclass(frozen=True, slots=True)
class LeakSection:
    """What a scan found, and the results split by it."""

    findings: LeakFindings
    split: LeakSplit | None
    file: str
    """Address of the scan's file; empty where the page offers none."""

    @property
    def verdict(self) -> str:
        """Whether some network has seen what it is tested on, in a sentence."""
        found = [each for each in self.findings.trainings if each.matches]
        if not self.findings.trainings:
            return "No training set was compared: this report trains nothing."
        if not found:
            return "No test image is in a training set."
        sets = list(dict.fromkeys(each.test for each in found))
        shown = ", ".join(sets[:NAMED]) + (f" and {len(sets) - NAMED} more" * (len(sets) > NAMED))
        return (
            f"{counted(len(sets), 'test set')} of {len(self.findings.test_sets)} "
            f"{'has' if len(sets) == 1 else 'have'} images that are in a training set: {shown}."
        )

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
    assets: Assets,
) -> LeakSection | None:
    """Read what `python -m ndr.data.leaks` wrote and set the results beside it.

    Args:
        path: `leaks.json`; None where no scan was made.
        description: names the prepared set behind each test set.
        tables: of the page.
        results: `results/<tier>`.
        assets: what lies beside the page.

    Raises:
        FileNotFoundError: `path` does not exist.
        ResultFileError: a file is damaged.
    """
    if path is None:
        return None
    findings = LeakFindings.read(path)
    split = leak_split(findings, description, tables, results)
    return LeakSection(findings, split, assets.offered(TABLES, path))
