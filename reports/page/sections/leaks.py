"""What the page says of leaks: test images in training sets, repeated scenes, a split column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.leak_findings import (
    IDENTICAL,
    NEAR_DUPLICATE,
    Comparison,
    LeakFindings,
    Match,
    TestSetFacts,
    read_findings,
)
from ndr.records.table_result import QualityEntry, TableResult
from ndr.specs.report_description import ReportDescription
from reports.analysis.leak_split import LeakSplit, leak_split
from reports.analysis.quality import report_entry

LISTED_MATCHES = 100
"""Images that the page lists per comparison; all of them stand in the file of the scan."""
LISTED_PARTNERS = 3


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A test image with its partners, as far as they are listed."""

    match: Match
    partners: tuple[str, ...]
    more_partners: int


@dataclass(frozen=True, slots=True)
class LeakRow:
    """A pair of sets with images in common, or with equal names."""

    comparison: Comparison
    training: bool
    """Whether the other set is trained on; else it is a test set too."""
    identical: int
    near_duplicates: int
    listed: tuple[MatchRow, ...]
    clashes: int
    """Test images whose name or scene number also stands in the other set."""
    clashes_with_same_picture: int


@dataclass(frozen=True, slots=True)
class LeakSection:
    """The section of the page."""

    scanned: bool
    rows: tuple[LeakRow, ...] = ()
    comparisons: int = 0
    clean_comparisons: int = 0
    """Comparisons without a match."""
    test_sets: tuple[TestSetFacts, ...] = ()
    minimum_correlation: float = 0.0
    split: LeakSplit | None = None
    quality: tuple[QualityEntry, ...] = ()


def _match_row(match: Match) -> MatchRow:
    listed = match.partners[:LISTED_PARTNERS]
    return MatchRow(match, listed, len(match.partners) - len(listed))


def _leak_row(comparison: Comparison, training: bool) -> LeakRow:
    return LeakRow(
        comparison=comparison,
        training=training,
        identical=comparison.count(IDENTICAL),
        near_duplicates=comparison.count(NEAR_DUPLICATE),
        listed=tuple(map(_match_row, comparison.matches[:LISTED_MATCHES])),
        clashes=len(comparison.name_clashes),
        clashes_with_same_picture=sum(clash.same_picture for clash in comparison.name_clashes),
    )


def _entries(rows: Sequence[LeakRow]) -> Iterator[QualityEntry]:
    for row in rows:
        if row.training and row.comparison.matches:
            found = row.comparison
            yield report_entry(
                t.WARNING,
                "leaks",
                f"{found.test}: {len(found.matches)} of {found.test_images} images are in the "
                f"training set {found.other} ({row.identical} identical, {row.near_duplicates} "
                "near duplicates)",
            )


def leak_section(
    path: Path | None,
    description: ReportDescription,
    tables: Sequence[TableResult],
    results: Path,
) -> LeakSection:
    """Read what `python -m ndr.data.leaks` wrote and set the results beside it.

    Args:
        path: `leaks.json`; None where no scan was made.
        description: names the prepared set behind each test set.
        tables: of the page.
        results: `results/<tier>`.

    Raises:
        FileNotFoundError: `path` does not exist.
        ResultFileError, ProvenanceError: a file is damaged.
    """
    if path is None:
        return LeakSection(scanned=False)
    findings: LeakFindings = read_findings(path)
    everything = [(comparison, True) for comparison in findings.trainings]
    everything += [(comparison, False) for comparison in findings.tests]
    rows = tuple(
        _leak_row(comparison, training)
        for comparison, training in everything
        if comparison.matches or comparison.name_clashes
    )
    return LeakSection(
        scanned=True,
        rows=rows,
        comparisons=len(everything),
        clean_comparisons=sum(not comparison.matches for comparison, _ in everything),
        test_sets=findings.test_sets,
        minimum_correlation=findings.minimum_correlation,
        split=leak_split(findings, description, tables, results),
        quality=tuple(_entries(rows)),
    )
