"""The parts of the page that read a file of their own; one that is absent says so in a sentence."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.claims.section import claims_section
from reports.errata.section import errata_section
from reports.figures_section import figures_section
from reports.leaks.table import leak_section
from reports.report_description import ReportDescription
from reports.representation.section import representation_section
from reports.sensitivity_section import sensitivity_section
from reports.tables.result import TableResult


@dataclass(frozen=True, slots=True)
class SectionFiles:
    """What optional commands wrote; None: the command was not run for this report."""

    claims: Path | None = None
    sensitivity: Path | None = None
    representation: tuple[Path, ...] = ()
    figures: tuple[Path, ...] = ()
    leaks: Path | None = None
    page: Path = Path("all_tables.html")
    """Where the page will lie: links to files are relative to it."""

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """One option per file."""
        parser.add_argument("--claims", type=Path, help="by python -m reports.judge_claims")
        parser.add_argument("--sensitivity", type=Path, help="by python -m reports.sensitivity")
        parser.add_argument(
            "--representation", nargs="*", type=Path, default=(), help="by python -m ndr.represent"
        )
        parser.add_argument(
            "--figures", nargs="*", type=Path, default=(), help="by python -m reports.figures.draw"
        )
        parser.add_argument("--leaks", type=Path, help="by python -m ndr.data.leak_scan")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> SectionFiles:
        """The files that the options name."""
        return cls(
            claims=arguments.claims,
            sensitivity=arguments.sensitivity,
            representation=tuple(arguments.representation),
            figures=tuple(arguments.figures),
            leaks=arguments.leaks,
            page=arguments.out,
        )


NO_FILES = SectionFiles()


def sections(
    files: SectionFiles,
    description: ReportDescription,
    tables: Sequence[TableResult],
    results: Path,
) -> dict[str, Any]:
    """Each part under the name that its template reads.

    Raises:
        ValueError, OSError: a file is damaged, of another tier, or cannot be read.
    """
    names = [table.name for table in tables]
    return {
        "claims": claims_section(files.claims, description.tier, names),
        "sensitivity": sensitivity_section(files.sensitivity),
        "representation": representation_section(files.representation),
        "figures": figures_section(files.figures, files.page),
        "errata": errata_section(names),
        "leaks": leak_section(files.leaks, description, tables, results),
    }
