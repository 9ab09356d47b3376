"""What Snakemake wrote down about the outputs that it finished.

Snakemake 9.27 keeps one JSON record per output in `.snakemake/metadata/`. Its file name is the
URL-safe base64 of the output's path, long ones cut into folders whose names begin with '@'. While a
job runs, a file of the same name lies in `.snakemake/incomplete/`.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ndr.specs.json_text import parsed_json
from ndr.specs.typed_file import build

log = logging.getLogger(__name__)

METADATA = Path(".snakemake/metadata")
INCOMPLETE = Path(".snakemake/incomplete")
LOCKS = Path(".snakemake/locks")


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """The record of one finished output."""

    output: str
    """Path of the output, relative to the workflow's folder."""
    file: Path
    """The record, relative to the workflow's folder."""
    inputs: tuple[str, ...]
    """Files that the output was made from."""
    command: str
    """Shell command that made the output."""


def output_of(record: Path) -> str | None:
    """Path of the output that a record's path below `.snakemake/metadata` stands for, if any.

    >>> output_of(Path("ZGF0YS9zZXRzL2EvbWFuaWZlc3QuY3N2"))
    'data/sets/a/manifest.csv'
    """
    *folders, last = record.parts
    if not all(folder.startswith("@") for folder in folders):
        return None
    text = "".join(folder.removeprefix("@") for folder in folders) + last
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def is_inside(path: str) -> bool:
    """Whether a path names something below the workflow's folder, without detours."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and not {"..", "."} & set(path.split("/"))


def finished_outputs(root: Path) -> dict[str, OutputRecord]:
    """Records of all outputs inside the workflow's folder, by path; not those of killed jobs."""
    return {record.output: record for record in sorted(_records(root), key=lambda r: r.output)}


def _records(root: Path) -> Iterator[OutputRecord]:
    for file in (root / METADATA).rglob("*"):
        if not file.is_file():
            continue
        name = file.relative_to(root / METADATA)
        output = output_of(name)
        if output is None or not is_inside(output) or (root / INCOMPLETE / name).exists():
            continue
        try:
            content = build(dict[str, Any], parsed_json(file.read_bytes()))
        except ValueError:
            log.warning("%s: not a complete record of %s: left out", file, output)
            continue
        yield OutputRecord(
            output,
            file.relative_to(root),
            tuple(content.get("input") or ()),
            content.get("shellcmd") or "",
        )


def records_of_tier(records: Mapping[str, OutputRecord], tier: str) -> dict[str, OutputRecord]:
    """The tier's results, a report that was made from them, and all that they were made from."""
    results = f"results/{tier}/"
    waiting = [
        record.output
        for record in records.values()
        if record.output.startswith(results)
        or (
            record.output.startswith("reports/")
            and any(path.startswith(results) for path in record.inputs)
        )
    ]
    found: dict[str, OutputRecord] = {}
    while waiting:
        output = waiting.pop()
        if output in records and output not in found:
            found[output] = records[output]
            waiting += records[output].inputs
    return dict(sorted(found.items()))


def is_running(root: Path) -> bool:
    """Whether a Snakemake process holds, or left behind, a lock."""
    folder = root / LOCKS
    return folder.is_dir() and any(folder.iterdir())
