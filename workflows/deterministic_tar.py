"""Tar files that depend on names and contents alone, and unpacking that trusts no name.

Equal files give equal bytes, so that a store which addresses files by their hash keeps them once.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ndr.atomic_file import atomic_path
from workflows.snakemake_records import is_inside

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
