"""Keep the numbers of a finished report: `python -m reports.archive --mirror /data/mirror`.

Makes every table of a tier, those that are asked for by name too, and collects in
`published/<tier>/` what others need to check or to use them: the tables (csv, md, tex, json), the
values of each image (compressed), claims, plots, and how each number came about. Equal results
give equal files, so that git shows what changed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ndr.atomic_file import write_text
from ndr.metrics.metric import MAIN
from ndr.nearest_name import UnknownNameError, check_names
from ndr.records import table_result as t
from ndr.records.claim_results import ClaimResults
from ndr.records.figure_record import FigureRecord
from ndr.records.provenance import evaluation_provenance
from ndr.records.record import ResultFileError
from ndr.records.table_result import TableResult
from ndr.specs.typed_file import SpecError
from reports.number_format import counted
from reports.tables.markdown_export import block_markdown, finished_blocks
from workflows import ROOT
from workflows.configuration import names_in, read_table
from workflows.snakemake_child import SnakemakeError, run_snakemake

log = logging.getLogger("reports.archive")

HEADLINE = "table_05"
"""The table that the index shows, and the finished blocks of which the suite's README shows."""
BEGIN, END = "<!-- Table V of published/small begins -->\n", "<!-- and ends -->\n"
"""What `--show-in` writes between."""
WITHOUT_PHOTOGRAPHS = ("matrix_change", "network_drawing", "quality_cost", "scatter")
"""Kinds of figures that are kept. The others show images of the test sets, most of which are for
research only and may not be passed on."""
WHOLE = ("claims", "network_costs", "parameter_counts", "sensitivity")
"""Files of the whole report, `<name>.json`."""
PACKED = ("leaks",)
"""The same, too long to be kept as they are: `<name>.json.gz`."""


class ArchiveError(ValueError):
    """There is nothing whole to keep; the message says what is missing."""


def tables_of(tier: str) -> list[str]:
    """Every table that a tier has, those asked for by name too."""
    return [name for name in names_in("tables") if tier in read_table(name).tiers]


def runs_of(tables: Sequence[TableResult]) -> list[str]:
    """Runs behind the numbers of the tables, in order, each once."""
    rows = [
        row
        for table in tables
        for block in table.blocks
        for row in block.rows
        if any(cell.status in t.MEASURED for cell in row.cells)
    ]
    found = [run for row in rows for run in (row.run, *(each.run for each in row.other_seeds))]
    inputs = [table.degraded_input_run for table in tables]
    return sorted({run for run in (*found, *inputs) if run})


def _copied(results: Path, folder: Path, tables: Sequence[TableResult]) -> Iterator[Path]:
    """Copy what needs no other form; yields what was expected and is not there."""
    for table in tables:
        for kind in ("csv", "json", "md", "tex"):
            name = f"tables/{table.name}.{kind}"
            yield from _keep(results / name, folder / name)
    for name in WHOLE:
        yield from _keep(results / f"{name}.json", folder / f"{name}.json")
    for name in PACKED:
        yield from _keep(results / f"{name}.json", folder / f"{name}.json.gz")
    for described in sorted((results / "figures").glob("*.json")):
        record = FigureRecord.read(described)
        if record.kind in WITHOUT_PHOTOGRAPHS:
            drawn = described.with_suffix(".svg" if record.svg else ".png")
            for path in (described, drawn):
                yield from _keep(path, folder / "figures" / path.name)


def _keep(path: Path, kept: Path) -> Iterator[Path]:
    """Copy a file, compressed where its new name ends in `.gz`; yields it if it is not there."""
    if not path.is_file():
        yield path
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    if kept.suffix == ".gz":
        # No time and no name in the head: equal values are equal bytes.
        kept.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    else:
        shutil.copyfile(path, kept)


def _keep_values(results: Path, folder: Path, runs: Sequence[str]) -> Iterator[Path]:
    """Values per image and provenance of each run; yields runs' files that are not there."""
    for kind in ("per_image", "provenance"):
        (folder / kind).mkdir(parents=True)
    for run in runs:
        source = results / "evaluations" / run
        missing = [*_keep(source / "per_image.csv", folder / "per_image" / f"{run}.csv.gz")]
        if missing:
            yield from missing
            continue
        shutil.copyfile(source / "provenance.json", folder / "provenance" / f"{run}.json")
        job = evaluation_provenance(results, run)
        training = results / "runs" / ((job and job.training_run) or "") / "provenance.json"
        if job and job.training_run and training.is_file():
            shutil.copyfile(training, folder / "provenance" / f"training_{job.training_run}.json")


def index(tables: Sequence[TableResult], claims: ClaimResults, headline: str) -> str:
    """The folder's README, Markdown.

    Args:
        tables: all of them.
        claims: their verdicts.
        headline: Markdown of the table that is shown.
    """
    verdicts = Counter(claim.verdict for claim in claims.claims)
    lines = [
        f"# The report of the tier `{tables[0].tier}`",
        "",
        *(f"- {line}" for line in _facts(tables, verdicts)),
        "",
        headline.strip(),
        "",
        "| table | what | cells filled | files |",
        "|---|---|---:|---|",
    ]
    for table in tables:
        cells = [
            c for b in table.blocks for row in b.rows for c in row.cells if c.status != t.BLANK
        ]
        filled = sum(cell.status in t.MEASURED for cell in cells)
        kinds = ("md", "csv", "tex", "json")
        files = ", ".join(f"[{kind}](tables/{table.name}.{kind})" for kind in kinds)
        lines.append(f"| {table.label} | {table.title} | {filled} of {len(cells)} | {files} |")
    lines += [
        "",
        "`per_image/<run>.csv.gz` holds the value of every image under every protocol, "
        "`provenance/` how it came about, `claims.json` the verdicts with their numbers. "
        "docs/results.md reads the values as a data frame. Of the figures those are not kept that "
        "show images of the test sets, because most sets may not be passed on: "
        f"`snakemake --cores all figure_07 --config tier={tables[0].tier}` draws one.",
        "",
    ]
    return "\n".join(lines)


def _facts(tables: Sequence[TableResult], verdicts: Counter[str]) -> list[str]:
    comparable = tables[0].comparable_with_paper
    scale = "of the paper's size" if comparable else "narrow: they show the idea, not its full size"
    decided = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return [
        f"networks {scale}",
        f"numbers under the protocol `{tables[0].protocol}` (docs/protocols.md)",
        f"{counted(sum(verdicts.values()), 'claim')} of the paper: {decided}",
    ]


def collect(results: Path, folder: Path, names: Sequence[str]) -> Path:
    """Collect a finished report; what the folder held before is replaced as a whole.

    Args:
        results: of one tier.
        folder: where to; `README.md` in it is its index.
        names: the tables.

    Raises:
        ArchiveError: a table, a value or a figure is missing.
        ResultFileError: a file of the results is damaged.
        OSError: a file cannot be read or written.
    """
    tables = [TableResult.read(results / "tables" / f"{name}.json") for name in names]
    if not tables:
        raise ArchiveError("expected at least one table, found none")
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        missing = [*_copied(results, new, tables), *_keep_values(results, new, runs_of(tables))]
        if missing:
            raise ArchiveError(
                f"{missing[0]} is missing ({counted(len(missing), 'such file')}): the report is "
                f"not finished, {folder} stays as it was"
            )
        shown = next((table.name for table in tables if table.name == HEADLINE), tables[0].name)
        headline = (results / "tables" / f"{shown}.md").read_text(encoding="utf-8")
        claims = ClaimResults.read(results / "claims.json")
        write_text(new / "README.md", index(tables, claims, headline))
        new.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder / "README.md"


def show_in(readme: Path, folder: Path, metric: str = MAIN) -> None:
    """Write the finished blocks of the headline table into a README, between its two marks.

    Args:
        readme: a Markdown file with `BEGIN` and `END`.
        folder: what `collect` has made.
        metric: the one that is shown.

    Raises:
        ArchiveError: the file has not both marks, once each and in order.
        ResultFileError: the table is damaged.
        OSError: a file cannot be read or written.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end or BEGIN in after or END in before + after:
        raise ArchiveError(
            f"{readme}: expected the lines {BEGIN.strip()!r} and {END.strip()!r} once each, in "
            "this order; the table goes between them"
        )
    table = TableResult.read(folder / "tables" / f"{HEADLINE}.json")
    blocks = [block_markdown(table, block, metric) for block in finished_blocks(table)]
    shown = "\n\n".join(blocks or ["No block is finished yet."])
    write_text(readme, f"{before}{begin}\n{shown}\n\n{end}{after}")


def _make(tier: str, tables: Sequence[str], cores: str, mirrors: Sequence[str]) -> None:
    """Make the report; what is done is not done again."""
    config = [f"tier={tier}", f"tables={json.dumps(list(tables))}"]
    if mirrors:
        config.append(f"data_mirrors={json.dumps([str(Path(each).resolve()) for each in mirrors])}")
    run_snakemake(["--cores", cores, "reports/all_tables.html", "--config", *config])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit code 1: the report failed, 2: wrong input or nothing whole."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.archive", description=__doc__.split("\n", maxsplit=1)[0]
    )
    option = parser.add_argument
    option("--tier", default="small", help="default: %(default)s")
    option("--cores", default="all", metavar="N|all", help="default: %(default)s")
    option("--mirror", action="append", default=[], metavar="DIR", help="where published sets lie")
    option("--out", type=Path, metavar="DIR", help="default: published/<tier>")
    option("--show-in", type=Path, metavar="FILE", help="README that shows Table V of it")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        check_names("tier", [arguments.tier], names_in("tiers"))
        tables = tables_of(arguments.tier)
        _make(arguments.tier, tables, arguments.cores, arguments.mirror)
        folder = arguments.out or ROOT / "published" / arguments.tier
        found = collect(ROOT / "results" / arguments.tier, folder, tables)
        if arguments.show_in:
            show_in(arguments.show_in, folder)
    except SnakemakeError as error:
        log.error("the report was not made: %s", error)
        return 1
    except (ArchiveError, ResultFileError, SpecError, UnknownNameError, OSError) as error:
        log.error("%s", error)
        return 2
    size = sum(path.stat().st_size for path in found.parent.rglob("*") if path.is_file())
    log.info("%s (%.1f MB in all)", found, size / 1e6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
