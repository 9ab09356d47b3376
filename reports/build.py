"""Build the page: `python -m reports.build --report-json ... --tables ... --out all_tables.html`.

One HTML file that makes no request to any host; full crops of pictures lie in `assets/` beside
it, or inside it with `--single-file`. Equal results give an equal page, byte for byte.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from ndr.atomic_file import write_text
from ndr.metrics.metric import MAIN, METRICS
from ndr.metrics.protocol import description as protocol_description
from ndr.records import table_result as t
from ndr.records.table_result import TableResult, read_table_result
from ndr.specs.report_description import ReportDescription
from reports import number_format
from reports.analysis.origin import origin_of, runs_of
from reports.analysis.quality import count_by_severity, merge_entries
from reports.page.picture_store import PictureStore, content_security_policy, joined
from reports.page.sections.cells import CellPanels, as_script, cell_id
from reports.page.sections.claims import claims_section
from reports.page.sections.curves import curve_drawings
from reports.page.sections.errata import errata_section
from reports.page.sections.figures import figures_section
from reports.page.sections.leaks import leak_section
from reports.page.sections.parameters import read_parameter_table
from reports.page.sections.pictures import KeptPictures, picture_rows
from reports.page.sections.representation import representation_section
from reports.page.sections.sensitivity import sensitivity_section
from reports.page.sections.tables import PageTable, anchor
from reports.paper.arithmetic import exact, finding_text, signed
from reports.paper.printed_values import block_title, column_text, table_label, with_symbols


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
        parser.add_argument(
            "--sensitivity", type=Path, help="by python -m reports.analysis.sensitivity"
        )
        parser.add_argument(
            "--representation", nargs="*", type=Path, default=(), help="by python -m ndr.represent"
        )
        parser.add_argument(
            "--figures", nargs="*", type=Path, default=(), help="by python -m reports.figures.draw"
        )
        parser.add_argument("--leaks", type=Path, help="by python -m ndr.data.leaks")

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


TEMPLATES = Path(__file__).resolve().parent / "templates"


class ReportError(ValueError):
    """Tables that cannot stand on one page."""


def environment() -> jinja2.Environment:
    """Templates with escaping on and the filters that they use."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "anchor": anchor,
        "block_title": block_title,
        "column_text": column_text,
        "count": number_format.count_text,
        "counted": number_format.counted,
        "interval_text": number_format.interval_text,
        "duration": number_format.duration_text,
        "exact": exact,
        "finding_text": finding_text,
        "signed": signed,
        "symbols": with_symbols,
        "table_label": table_label,
    }
    env.globals |= {
        "cell_id": cell_id,
        "csv_number": number_format.csv_number,
        "difference_text": number_format.difference_text,
        "metric_text": number_format.metric_text,
        "metric_unit": number_format.unit,
        "main_metric": MAIN,
        "metrics": METRICS,
        "protocol_description": protocol_description,
        "t": t,
    }
    return env


def check_tiers(description: ReportDescription, tables: Sequence[TableResult]) -> None:
    """Numbers of two tiers never share a page.

    Raises:
        ReportError: no table, two tables of one name, or a table of another tier.
    """
    if not tables:
        raise ReportError("expected at least one table")
    names = [table.name for table in tables]
    if len(set(names)) != len(names):
        raise ReportError(f"each table once, found {', '.join(names)}")
    for table in tables:
        if table.tier != description.tier:
            raise ReportError(
                f"{table.name} is of tier {table.tier!r}, the report of tier {description.tier!r}"
            )


def build_page(
    description: ReportDescription,
    tables: Sequence[TableResult],
    results: Path,
    parameter_counts: Path,
    *,
    files: SectionFiles = NO_FILES,
    assets: Path | None = None,
) -> str:
    """The page as HTML.

    Args:
        description: tier, texts and controls.
        tables: in the order of the page.
        results: `results/<tier>`: pictures, curves and provenance.
        parameter_counts: written by `python -m ndr.network.parameter_counts`.
        files: what the optional parts of the page read.
        assets: folder beside the page for full crops; None puts them into the page.

    Raises:
        ReportError, ProvenanceError, ParameterTableError: inputs that do not fit.
        ValueError, OSError: a part's file is damaged or of another tier.
    """
    check_tiers(description, tables)
    runs = runs_of(tables)
    origin = origin_of(results, runs)
    kept = KeptPictures(results, description)
    store = PictureStore(assets)
    pictures, picture_quality = picture_rows(kept, store, tables)
    curves, curve_quality = curve_drawings(results, tables)
    parts = sections(files, description, tables, results)
    groups = merge_entries(
        [
            *origin.quality,
            *(parts["leaks"].quality if parts["leaks"] else ()),
            *(entry for table in tables for entry in table.quality),
            *picture_quality,
            *curve_quality,
        ]
    )
    views = [PageTable(table) for table in tables]
    panels = CellPanels(results, description, kept, store).content(tables)
    store.remove_others()
    script = joined(".js")
    return (
        environment()
        .get_template("all_tables.html.j2")
        .render(
            description=description,
            policy=content_security_policy(script),
            style=joined(".css"),
            script=script,
            panels_json=as_script(panels),
            origin=origin,
            views=views,
            filled=sum(view.filled for view in views),
            planned=sum(len(view.planned) for view in views),
            quality=groups,
            counts=count_by_severity(groups),
            parameters=read_parameter_table(parameter_counts),
            pictures=pictures,
            curves=curves,
            **parts,
        )
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description=__doc__)
    parser.add_argument("--report-json", required=True, help="the ReportDescription as JSON")
    parser.add_argument("--tables", required=True, nargs="+", type=Path, help="table files")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    parser.add_argument("--parameter-counts", required=True, type=Path)
    SectionFiles.add_options(parser)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--single-file",
        action="store_true",
        help="put full crops of pictures into the page instead of assets/ beside it",
    )
    arguments = parser.parse_args(argv)
    try:
        description = ReportDescription.from_json(arguments.report_json)
        tables = [read_table_result(path) for path in arguments.tables]
        page = build_page(
            description,
            tables,
            arguments.results,
            arguments.parameter_counts,
            files=SectionFiles.of(arguments),
            assets=None if arguments.single_file else arguments.out.parent / "assets",
        )
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    write_text(arguments.out, page)


if __name__ == "__main__":
    main()
