"""What Snakemake wrote down about the outputs that it finished.

Snakemake 9.27 keeps one JSON record per output in `.snakemake/metadata/`. The record's file name is
the URL-safe base64 of the output's path; long names are cut into folders whose names begin with
'@'. While a job runs, a file of the same name lies in `.snakemake/incomplete/`.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ndr.atomic_file import atomic_path

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
    """Path of the output that a record's file name stands for; None where it is no such name.

    Args:
        record: path of the record below `.snakemake/metadata`.

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
    """Records of all finished outputs inside the workflow's folder, by path, sorted.

    Outputs of running or killed jobs are left out: what lies there may be cut off.
    """
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
            content = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
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


_CHUNK = 1 << 20


class ArchiveError(ValueError):
    """An archive that is damaged, or that holds what it must not hold."""


def pack(archive: Path, files: Mapping[str, Path]) -> None:
    """Write an uncompressed tar file atomically.

    Args:
        archive: file to write.
        files: regular files by their name in the archive; names are relative, with '/'.

    Raises:
        OSError: a file is gone, or the archive cannot be written.
    """
    with (
        atomic_path(archive) as temporary,
        tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name in sorted(files):
            with files[name].open("rb") as file:
                # Owner, group and time stay at 0: they say nothing of the content.
                member = tarfile.TarInfo(name)
                member.size = files[name].stat().st_size
                member.mode = 0o644
                tar.addfile(member, file)


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an open archive."""

    name: str
    size: int
    content: IO[bytes]

    def parts(self) -> Iterator[bytes]:
        """The content from its beginning, in pieces of at most a megabyte.

        Raises:
            ArchiveError: the archive is cut off.
        """
        self.content.seek(0)
        try:
            while part := self.content.read(_CHUNK):
                yield part
        except tarfile.TarError as error:
            raise ArchiveError(f"{self.name}: the archive that holds it is cut off") from error

    def equals(self, path: Path) -> bool:
        """Whether a file has this content."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            return all(part == file.read(len(part)) for part in self.parts())

    def write(self, path: Path) -> None:
        """Write the content to `path` atomically."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.writelines(self.parts())


def members(archive: Path) -> Iterator[Member]:
    """Files of an archive, one after the other; each can be read until the next is asked for.

    Raises:
        ArchiveError: no readable tar file, or a member that is no regular file, that leads out of
            the folder it is unpacked to, or that stands there twice.
    """
    seen: set[str] = set()
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                if not member.isreg():
                    raise ArchiveError(
                        f"{archive}: {member.name!r} is a link, a folder or a device; expected "
                        "files only"
                    )
                if not is_inside(member.name):
                    raise ArchiveError(
                        f"{archive}: {member.name!r} leads out of the folder it belongs to"
                    )
                if member.name in seen:
                    raise ArchiveError(f"{archive}: {member.name!r} stands there twice")
                seen.add(member.name)
                content = tar.extractfile(member)
                assert content is not None  # a regular file has one
                yield Member(member.name, member.size, content)
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"{archive}: no complete tar file: {error}") from error
