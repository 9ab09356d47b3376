"""DVC as the store of big files, and the archives that it carries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ndr.atomic_file import atomic_path
from ndr.data.fetch.fetch_errors import check_address, shown
from ndr.nearest_name import unknown_name
from workflows.storage.snakemake_records import is_inside

OWN_REMOTE = "snapshots"
"""Remote that an address given on the command line is kept under, in `.dvc/config.local`."""
_ADDRESS_KEY = re.compile(r"remote\.(.+)\.url")


class StoreError(RuntimeError):
    """DVC could not do what was asked; the message holds its own last words."""


@dataclass(frozen=True, slots=True)
class ArtefactStore:
    """The DVC repository of a checkout."""

    root: Path

    def run(self, *arguments: str, long: bool = False) -> str:
        """Run a DVC command in the checkout; returns what it prints.

        Args:
            arguments: of the command.
            long: gigabytes may be moved: on a terminal DVC shows its progress.

        Raises:
            StoreError: it failed, with its messages.
        """
        progress = long and sys.stderr.isatty()
        result = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.root,
            env={**os.environ, "DVC_NO_ANALYTICS": "1"},
            stdout=subprocess.PIPE,
            stderr=None if progress else subprocess.PIPE,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            said = (result.stderr or result.stdout).strip()
            raise StoreError(f"dvc {arguments[0]} failed:\n{shown(said)}")
        return result.stdout

    def remotes(self) -> tuple[dict[str, str], str | None]:
        """Addresses of the configured remotes by name, and the name of the default one."""
        addresses: dict[str, str] = {}
        default = None
        # `dvc remote list` breaks long lines.
        for line in self.run("config", "--list").splitlines():
            key, _, value = line.partition("=")
            if match := _ADDRESS_KEY.fullmatch(key):
                addresses[match[1]] = value
            elif key == "core.remote":
                default = value
        return addresses, default

    def remote(self, named: str | None) -> str:
        """Name of the remote to use.

        Args:
            named: a configured remote; or an address (a folder with a '/' in it, s3://bucket/path
                ...), which is kept for this checkout alone; or None: the repository's default
                remote, else the address given last.

        Raises:
            StoreError: nothing is named and there is no default; DVC refuses the address.
            UnknownNameError: no address, and no configured remote.
        """
        known, default = self.remotes()
        if named is None:
            default = default or (OWN_REMOTE if OWN_REMOTE in known else None)
            if default is None:
                raise StoreError(
                    "no remote is known here: name one, a folder or an address: "
                    "REMOTE=/mnt/lab/ndr or REMOTE=s3://bucket/path (with make), --remote ..."
                )
            return default
        if named in known:
            return named
        if named.startswith("-") or "/" not in named:
            raise unknown_name("remote (an address has a '/')", named, known)
        if not named.isascii():
            raise StoreError(
                f"DVC cannot keep {named!r}: an address with letters outside ASCII; make a link "
                "with a plain name to the folder (ln -s), and name that"
            )
        try:
            check_address(named)
        except ValueError as error:
            raise StoreError(f"remote {error}") from None
        if known.get(OWN_REMOTE) != named:
            self.run("remote", "add", "--local", "--force", OWN_REMOTE, named)
        return OWN_REMOTE

    def add(self, paths: Sequence[Path]) -> None:
        """Track files or folders: they go to DVC's cache, and a pointer beside each to git."""
        self.run("add", *self._relative(paths), long=True)

    def push(self, pointers: Sequence[Path], remote: str) -> None:
        """Copy what pointers stand for to a remote; what is there already is not sent again."""
        self.run("push", "--remote", remote, *self._relative(pointers), long=True)

    def pull(self, pointers: Sequence[Path], remote: str) -> None:
        """Copy what pointers stand for from a remote to beside them."""
        self.run("pull", "--force", "--remote", remote, *self._relative(pointers), long=True)

    def _relative(self, paths: Sequence[Path]) -> list[str]:
        return [path.relative_to(self.root).as_posix() for path in paths]


_CHUNK = 1 << 20


class ArchiveError(ValueError):
    """An archive that is damaged, or that holds what it must not hold."""


def pack(archive: Path, files: Mapping[str, Path]) -> None:
    """Write an uncompressed tar file of regular files, by their name in it, atomically."""
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
