"""The page's command: `python -m reports.build --report-json ... --tables ... --out PAGE`.

A page that makes no request to any host: what it shows and offers lies in `assets/` beside it; with
`--single-file` what it shows lies inside it. Equal results give an equal page, byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import jinja2
from markupsafe import Markup

from ndr.atomic_file import write_text
from ndr.metrics.metric import MAIN, METRICS
from ndr.metrics.protocol import description as protocol_description
from ndr.records import table_result as t
from ndr.records.table_result import QualityEntry, TableResult
from ndr.specs.report_description import ReportDescription
from reports import number_format
from reports.analysis.origin import origin_of, runs_of
from reports.analysis.quality import merge_entries, report_entry
from reports.page import card
from reports.page.assets import Assets
from reports.page.sections.answer import answer_section
from reports.page.sections.cells import CellPanels, as_script
from reports.page.sections.claims import claims_section
from reports.page.sections.curves import curve_drawings
from reports.page.sections.errata import errata_section
from reports.page.sections.figures import figures_section, shared_readings
from reports.page.sections.leaks import leak_section
from reports.page.sections.overview import overview_section
from reports.page.sections.parameters import parameters_section
from reports.page.sections.pictures import KeptPictures, picture_rows
from reports.page.sections.representation import representation_section
from reports.page.sections.sensitivity import sensitivity_section
from reports.page.sections.tables import anchor, page_tables
from reports.paper.arithmetic import exact, finding_text, signed
from reports.paper.printed_values import block_title, column_text, table_label, with_symbols

TEMPLATES = Path(__file__).resolve().parent / "templates"
STATIC = Path(__file__).resolve().parent / "static"


WITHOUT_SCRIPTS = Markup(
    ".numbers .interval, .numbers .agreement, .numbers .paper, .numbers .difference,"
    " .numbers .subset { display: block; }"
    " @media screen and (prefers-color-scheme: dark)"
    " { :root .on-dark { display: block; } :root .on-light { display: none; } }"
)
"""Style where nothing can be switched: everything is shown, in the colours of the system."""


DIRECTION_MARKS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
"""What turns the words behind it around, on whatever page they stand: shown as a sign."""


S = TypeVar("S")


class ReportError(ValueError):
    """Tables that cannot stand on one page."""


def unbroken(label: str) -> str:
    """A label whose equations stay on one line.

    >>> unbroken("Noise, s = 25").count("\N{NO-BREAK SPACE}")
    2
    """
    return label.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


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
        "unbroken": unbroken,
        "table_label": table_label,
    }
    env.globals |= {
        "csv_number": number_format.csv_number,
        "difference_text": number_format.difference_text,
        "metric_text": number_format.metric_text,
        "metric_unit": number_format.unit,
        "main_metric": MAIN,
        "metrics": METRICS,
        "protocol_description": protocol_description,
        "shared_readings": shared_readings,
        "t": t,
    }
    return env


class StaticFileError(ValueError):
    """A style or script that would break out of its element."""


def joined(suffix: str, folder: Path = STATIC) -> Markup:
    """All files of `static/` with a suffix as one text: `report` first, then by name.

    Args:
        suffix: `.css` or `.js`.
        folder: where the files are.

    Raises:
        StaticFileError: a file has `</`, which ends the element that it is inlined into.
    """
    paths = sorted(folder.glob(f"*{suffix}"), key=lambda path: (path.stem != "report", path.name))
    texts = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if "</" in text:
            raise StaticFileError(f"{path} must not contain '</': it is inlined as it is")
        texts.append(text)
    return Markup("\n".join(texts))


def content_security_policy(script: str) -> str:
    """A policy under which the browser itself refuses every request to a host.

    `'self'` lets a page that was opened as a file show the pictures beside it.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


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


class _Sections:
    """Reads sections; one whose file is damaged costs itself alone, and the page says so."""

    def __init__(self) -> None:
        self.quality: list[QualityEntry] = []

    def read(self, section: Callable[[], S], without: Callable[[str], S]) -> S:
        """A section, or what stands in its place.

        Args:
            section: reads it.
            without: makes the one without its file, from the reason.
        """
        try:
            return section()
        except (ValueError, OSError) as error:
            self.quality.append(report_entry(t.ERROR, "invalid", str(error)))
            return without(str(error))


def build_page(
    description: ReportDescription,
    tables: Sequence[TableResult],
    results: Path,
    parameter_counts: Path,
    *,
    claims: Path | None = None,
    sensitivity: Path | None = None,
    representation: Sequence[Path] = (),
    figures: Sequence[Path] = (),
    leaks: Path | None = None,
    assets: Path | None = None,
) -> str:
    """The page as HTML.

    Args:
        description: tier, texts and controls.
        tables: in the order of the page.
        results: `results/<tier>`: pictures, curves and provenance.
        parameter_counts: written by `python -m ndr.network.parameter_counts`.
        claims: by `python -m reports.judge_claims`; None, as for the others: it was not run.
        sensitivity: by `python -m reports.analysis.sensitivity`.
        representation: by `python -m ndr.represent`, the main run first.
        figures: records by `python -m reports.figures.draw`, with the pictures beside them.
        leaks: by `python -m ndr.data.leaks`.
        assets: folder beside the page for what it shows and offers; None puts what it shows into
            the page.

    Raises:
        ReportError: no table, a table twice, or tables of another tier.
    """
    check_tiers(description, tables)
    names = [table.name for table in tables]
    origin = origin_of(results, runs_of(tables))
    kept = KeptPictures(results, description)
    beside = Assets(assets)
    views = page_tables(tables, results, beside)
    answer = answer_section(description, views, results, kept, beside)
    pictures, picture_quality = picture_rows(kept, beside, tables)
    curves, curve_quality = curve_drawings(results, tables)
    sections = _Sections()
    found_leaks = sections.read(
        lambda: leak_section(leaks, description, tables, results, beside), lambda reason: None
    )
    judged = sections.read(
        lambda: claims_section(claims, description.tier, names), lambda reason: None
    )
    compared = sections.read(
        lambda: sensitivity_section(sensitivity), lambda reason: {"reason": reason}
    )
    counted = sections.read(lambda: parameters_section(parameter_counts), lambda reason: None)
    drawn, figure_quality = figures_section(figures, beside)
    quality = merge_entries(
        [
            *origin.quality,
            *(found_leaks.quality if found_leaks else ()),
            *(entry for table in tables for entry in table.quality),
            *sections.quality,
            *figure_quality,
            *picture_quality,
            *curve_quality,
        ]
    )
    panels = CellPanels(results, description, kept, beside).content(views)
    studied = representation_section(representation, beside)
    shown_elsewhere = beside.beside(card.NAME, card.card(answer, description.tier))
    beside.remove_others()
    script = joined(".js")
    html = (
        environment()
        .get_template("all_tables.html.j2")
        .render(
            description=description,
            policy=content_security_policy(script),
            style=joined(".css"),
            without_scripts=WITHOUT_SCRIPTS,
            script=script,
            panels_json=as_script(panels),
            origin=origin,
            answer=answer,
            card=shown_elsewhere,
            overview=overview_section(views),
            views=views,
            protocol=tables[0].protocol,
            quality=quality,
            counts={
                severity: sum(len(each.entries) for each in quality if each.severity == severity)
                for severity in t.SEVERITIES
            },
            claims=judged,
            sensitivity=compared,
            representation=studied,
            figures=drawn,
            pictures=pictures,
            curves=curves,
            errata=errata_section(names),
            leaks=found_leaks,
            parameters=counted,
        )
    )
    return html.translate(DIRECTION_MARKS)


def main(argv: Sequence[str] | None = None) -> None:
    """Command-line entry point."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description=__doc__)
    parser.add_argument("--report-json", required=True, help="the ReportDescription as JSON")
    parser.add_argument("--tables", required=True, nargs="+", type=Path, help="table files")
    parser.add_argument("--results", required=True, type=Path, help="results/<tier>")
    parser.add_argument("--parameter-counts", required=True, type=Path)
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
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--single-file",
        action="store_true",
        help="one file: put what the page shows into it instead of assets/ beside it",
    )
    arguments = parser.parse_args(argv)
    try:
        page = build_page(
            ReportDescription.from_json(arguments.report_json),
            [TableResult.read(path) for path in arguments.tables],
            arguments.results,
            arguments.parameter_counts,
            claims=arguments.claims,
            sensitivity=arguments.sensitivity,
            representation=arguments.representation,
            figures=arguments.figures,
            leaks=arguments.leaks,
            assets=None if arguments.single_file else arguments.out.parent / "assets",
        )
        write_text(arguments.out, page)
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
