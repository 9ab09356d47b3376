"""The page's section on what D represents: files of the runs to what the template needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.result_file import ResultFileError
from reports.representation.drawing import data_uri, draw
from reports.representation.file import RepresentationFile, read_representation
from reports.representation.findings import Finding, findings
from reports.representation.rows import RowGroup, row_groups


@dataclass(frozen=True, slots=True)
class RunFindings:
    """The sentences of one run."""

    label: str
    run: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RepresentationSection:
    """What `_representation.html.j2` renders; without files it says why there is nothing."""

    files: tuple[RepresentationFile, ...]
    groups: tuple[RowGroup, ...] = ()
    runs: tuple[RunFindings, ...] = ()
    figure: str = ""
    """`data:` URI of the figure of the first run."""
    figure_alt: str = ""
    problems: tuple[str, ...] = ()
    """Files that could not be read."""


def _alt(file: RepresentationFile, said: Sequence[Finding]) -> str:
    """The figure in words: the verdicts that its panels show."""
    verdicts = ". ".join(f"{each.question} {each.verdict}" for each in said)
    return f"Four panels on D of {file.run}. {verdicts}."


def representation_section(paths: Sequence[Path] | None) -> RepresentationSection:
    """Read the files of `python -m ndr.represent`.

    Args:
        paths: one JSON file per run, the main run first; None or empty where none was asked for.
    """
    files: list[RepresentationFile] = []
    problems: list[str] = []
    for path in paths or ():
        try:
            files.append(read_representation(path))
        except (ResultFileError, OSError) as error:
            problems.append(str(error))
    if not files:
        return RepresentationSection((), problems=tuple(problems))
    runs = tuple(RunFindings(file.label, file.run, tuple(findings(file))) for file in files)
    return RepresentationSection(
        tuple(files),
        row_groups(files),
        runs,
        data_uri(draw(files[0])),
        _alt(files[0], runs[0].findings),
        tuple(problems),
    )
