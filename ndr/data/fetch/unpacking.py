"""Archives unpacked without trust: names, links, devices, sizes and counts are checked.

Everything goes into a new folder, which is removed again if anything is wrong. No link is ever
made: a link to an earlier member becomes a copy of it.
"""

from __future__ import annotations

import logging
import posixpath
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ndr.data.fetch.archive_members import PIECE, Member, opened_archive
from ndr.data.fetch.failures import DISK_FULL, BadFileError, disk_error, size_text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unpack to; beyond it is taken for a bomb."""

    bytes: int = 100 * 2**30
    files: int = 1_000_000
    ratio: float = 100.0
    """Unpacked bytes per byte of the archive; photographs reach 3 as BMP, and 1 otherwise."""
    ratio_from: int = 16 * 2**20
    """Below this unpacked size the ratio does not matter."""


@dataclass(slots=True)
class _Count:
    """What was unpacked so far, against the limits: headers may lie, bytes do not."""

    limits: Limits
    archive_bytes: int
    bytes: int = 0
    members: int = 0
    files: int = 0

    def add_member(self) -> None:
        self.members += 1
        if self.members > self.limits.files:
            raise BadFileError(f"holds more than {self.limits.files} members")

    def add(self, count: int) -> None:
        self.bytes += count
        if self.bytes > self.limits.bytes:
            raise BadFileError(
                f"unpacks to more than {size_text(self.limits.bytes)}; if that is right, raise "
                "unpacked_bytes of this download in the catalogue"
            )
        if (
            self.bytes > self.limits.ratio_from
            and self.bytes > self.limits.ratio * self.archive_bytes
        ):
            raise BadFileError(
                f"unpacks to more than {self.limits.ratio:g} times its {self.archive_bytes} bytes: "
                "a decompression bomb"
            )

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.add(len(piece))
            yield piece


def safe_path(path: str) -> PurePosixPath:
    """Path of a member, with `/` and without `.` parts.

    Raises:
        BadFileError: it is absolute, names a drive, or leaves the folder by `..`.
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if parts and (parts[0].startswith("/") or parts[0][1:2] == ":"):
        raise BadFileError(f"member {path!r} has an absolute path")
    if ".." in parts:
        raise BadFileError(f"member {path!r} leaves the folder by '..'")
    if "\0" in path:
        raise BadFileError(f"member {path!r} has a zero byte in its name")
    return PurePosixPath(*parts)


def _linked_path(member: Member) -> PurePosixPath:
    """What a link of the archive points to, as a path below the folder."""
    start = posixpath.dirname(member.path) if member.kind == "symbolic link" else ""
    target = member.link.replace("\\", "/")
    joined = posixpath.normpath(posixpath.join(start, target))
    if not target or posixpath.isabs(target) or joined.split("/")[0] == ".." or target[1:2] == ":":
        raise BadFileError(f"member {member.path!r} is a link out of the folder, to {target!r}")
    return PurePosixPath(joined)


def _is_clutter(path: PurePosixPath) -> bool:
    """Files that a Mac adds; `._0001.png` would match the globs of a layout."""
    return path.parts[0] == "__MACOSX" or path.name.startswith("._") or path.name == ".DS_Store"


def _write(pieces: Iterable[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _copied(member: Member, folder: Path) -> Iterator[bytes]:
    source = folder / _linked_path(member)
    if not source.is_file():
        raise BadFileError(
            f"member {member.path!r} is a link to {member.link!r}, which is no file before it"
        )
    with source.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _unpack_member(member: Member, folder: Path, only: tuple[str, ...], count: _Count) -> None:
    if member.kind == "end":
        for _ in count.counted(member.pieces()):
            pass
        return
    path = safe_path(member.path)
    if member.kind == "device":
        raise BadFileError(f"member {member.path!r} is a device or another special file")
    if "link" in member.kind:
        _linked_path(member)
    chosen = not only or any(fnmatchcase(str(path), glob) for glob in only)
    if member.kind == "folder" or not path.parts or not chosen or _is_clutter(path):
        return
    pieces = member.pieces() if member.kind == "file" else _copied(member, folder)
    _write(count.counted(pieces), folder / path)
    count.files += 1


def unpack(
    archive: Path,
    name: str,
    folder: Path,
    only: tuple[str, ...] = (),
    limits: Limits | None = None,
) -> int:
    """Unpack an archive into a folder of its own.

    Args:
        archive: the file.
        name: its published name, for messages.
        folder: is made anew; what an earlier, broken run left there is removed.
        only: globs of the members to unpack; none: all. Unsafe members are refused in any case.
        limits: what is taken for a bomb.

    Returns:
        Number of files.

    Raises:
        BadFileError: unsafe, damaged, truncated, a bomb, or nothing in it; nothing is left.
        DiskError: no room; nothing is left.
        MissingReaderError: no library for rar.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = _Count(limits or Limits(), archive.stat().st_size)
    try:
        with opened_archive(archive, name) as members:
            for member in members:
                count.add_member()
                _unpack_member(member, folder, only, count)
        if count.files == 0:
            what = f"no member matches {', '.join(only)}" if only else "it holds no files"
            raise BadFileError(f"{name}: {what}")
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadFileError(f"{name}: a member is both a file and a folder: {error}") from error
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if error.errno in DISK_FULL:
            raise disk_error(folder, error) from error
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    log.info("%s: %d files, %s", name, count.files, size_text(count.bytes))
    return count.files


def move_into(folder: Path, target: Path) -> None:
    """Move everything in `folder` into `target`, merging folders and replacing files.

    Each file, and each folder that is not there yet, appears by one rename.
    """
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(folder.iterdir()):
        destination = target / source.name
        if source.is_dir() and destination.is_dir():
            move_into(source, destination)
        else:
            source.replace(destination)
    folder.rmdir()
