"""Build the page: `python -m reports.build --report-json ... --tables ... --out all_tables.html`.

One HTML file with everything inlined: it makes no request to any host. Equal results give an
equal page, byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from ndr.atomic_file import write_text
from ndr.evaluation.protocol import description as protocol_description
from reports import number_format, table_result
from reports.leak_table import leak_section
from reports.origin import origin_of, runs_of
from reports.parameter_table import read_parameter_table
from reports.pictures import PictureReader
from reports.quality import count_by_severity, merge_entries
from reports.report_description import ReportDescription
from reports.table_result import TableResult, read_table_result
from reports.table_view import TableView, anchor, block_title, with_symbols
from reports.training_curves import curve_drawings

FOLDER = Path(__file__).resolve().parent


class ReportError(ValueError):
    """Tables that cannot stand on one page."""


def _static(name: str) -> Markup:
    """A file of `static/` to stand inside `<style>` or `<script>`."""
    text = (FOLDER / "static" / name).read_text(encoding="utf-8")
    if "</" in text:
        raise ReportError(f"static/{name} must not contain '</': it is inlined as it is")
    return Markup(text)


def content_security_policy(script: str) -> str:
    """A policy under which the browser itself refuses every request to a host."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def environment() -> jinja2.Environment:
    """Templates with escaping on and the filters that they use."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "anchor": anchor,
        "block_title": block_title,
        "count": number_format.count_text,
        "counted": number_format.counted,
        "duration": number_format.duration_text,
        "symbols": with_symbols,
    }
    env.globals |= {
        "csv_number": number_format.csv_number,
        "difference_text": number_format.difference_text,
        "metric_text": number_format.metric_text,
        "lower_is_better": number_format.LOWER_IS_BETTER,
        "protocol_description": protocol_description,
        "t": table_result,
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
    leaks: Path | None = None,
) -> str:
    """The page as HTML.

    Args:
        description: tier, texts and controls.
        tables: in the order of the page.
        results: `results/<tier>`: pictures, curves and provenance.
        parameter_counts: written by `python -m ndr.parameter_counts`.
        leaks: written by `python -m ndr.data.leak_scan`; None where no scan was made.

    Raises:
        ReportError, ProvenanceError, ParameterTableError, LeakFileError: inputs that do not fit.
    """
    check_tiers(description, tables)
    runs = runs_of(tables)
    origin = origin_of(results, runs)
    reader = PictureReader(results, description, tables)
    pictures = reader.rows()
    curves, curve_quality = curve_drawings(results, tables)
    leak_findings = leak_section(leaks, description, tables, results)
    groups = merge_entries(
        [
            *origin.quality,
            *leak_findings.quality,
            *(entry for table in tables for entry in table.quality),
            *reader.quality,
            *curve_quality,
        ]
    )
    views = [TableView(table) for table in tables]
    script = _static("report.js")
    return (
        environment()
        .get_template("all_tables.html.j2")
        .render(
            description=description,
            policy=content_security_policy(script),
            style=_static("report.css"),
            script=script,
            origin=origin,
            views=views,
            filled=sum(view.filled for view in views),
            planned=sum(view.planned for view in views),
            quality=groups,
            counts=count_by_severity(groups),
            parameters=read_parameter_table(parameter_counts),
            pictures=pictures,
            curves=curves,
            leaks=leak_findings,
        )
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description=__doc__)
    parser.add_argument("--report-json", required=True, help="the ReportDescription as JSON")
    parser.add_argument("--tables", required=True, nargs="+", type=Path, help="table files")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    parser.add_argument("--parameter-counts", required=True, type=Path)
    parser.add_argument("--leaks", type=Path, help="what the leak scan wrote, if there was one")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    try:
        description = ReportDescription.from_json(arguments.report_json)
        tables = [read_table_result(path) for path in arguments.tables]
        page = build_page(
            description, tables, arguments.results, arguments.parameter_counts, arguments.leaks
        )
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    write_text(arguments.out, page)


if __name__ == "__main__":
    main()
