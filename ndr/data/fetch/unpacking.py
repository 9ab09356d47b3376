"""Archives unpacked without trust: names, links, devices, sizes and counts are checked.

Everything goes into a new folder, which is removed again if anything is wrong. No link is ever
made: a link to an earlier member becomes a copy of it.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import logging
import lzma
import posixpath
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any, Literal, Self

from ndr.data.fetch.fetch_errors import DISK_FULL, BadFileError, FetchError, disk_error, size_text
from ndr.data.pairing import is_clutter

log = logging.getLogger(__name__)

PIECE = 2**16
LONGEST_HEADER = 2**20
_IN_MEMORY = (b"L", b"K", b"x", b"g", b"X")
"""Types of tar headers that hold long names and links."""
DAMAGED = (
    EOFError,
    NotImplementedError,  # an unknown compression method of zip
    RuntimeError,  # a zip member with a password
    UnicodeError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
)
"""What Python's readers raise at damaged or truncated archives."""
UNWRITABLE = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EILSEQ)

Kind = Literal["file", "folder", "symbolic link", "hard link", "device"]


class MissingReaderError(FetchError):
    """No library to read this format is installed; the message says which."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive."""

    path: str
    kind: Kind
    pieces: Callable[[], Iterator[bytes]]
    """The bytes of a file."""
    link: str = ""
    """What a link points to: symbolic ones from their own folder, hard ones from the root."""


def _read_in_pieces(file: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(file.read, PIECE), b"")


def _zip_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as file:
        yield from _read_in_pieces(file)  # checks the CRC at the end


def _zip_kind(entry: zipfile.ZipInfo) -> Kind:
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if entry.is_dir() or mode == stat.S_IFDIR:
        return "folder"
    if mode == stat.S_IFLNK:
        return "symbolic link"
    return "file" if mode in (0, stat.S_IFREG) else "device"


def zip_members(path: Path) -> Iterator[Member]:
    """Members of a zip file, by its central directory."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            kind, link = _zip_kind(entry), ""
            if kind == "symbolic link":
                link = archive.read(entry).decode() if entry.file_size < 4096 else "/"
            yield Member(entry.filename, kind, partial(_zip_pieces, archive, entry), link)


class _CheckedHeaders(tarfile.TarInfo):
    """Headers of a tar file that must end with its end mark: the reader alone stops quietly.

    Long names stand in headers of their own, which the reader takes into memory as a whole.
    """

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _IN_MEMORY and header.size > LONGEST_HEADER:
            raise BadFileError(f"has a header of {size_text(header.size)}")
        return header

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # the mark
        except tarfile.HeaderError as error:
            raise BadFileError(f"ends or breaks within a header ({error})") from error


def _tar_kind(entry: tarfile.TarInfo) -> Kind:
    if entry.isreg():
        return "file"
    if entry.isdir():
        return "folder"
    if entry.issym():
        return "symbolic link"
    return "hard link" if entry.islnk() else "device"


def _tar_pieces(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[bytes]:
    if file := archive.extractfile(entry):
        yield from _read_in_pieces(file)


_DECOMPRESS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def tar_members(path: Path, count: _Count) -> Iterator[Member]:
    """Members of a tar file, compressed or not, in one pass to the end of the stream."""
    with path.open("rb") as raw:
        head = raw.read(8)
    opener = next((o for magic, o in _DECOMPRESS.items() if head.startswith(magic)), Path.open)
    with opener(path, "rb") as stream:
        # Headers and skipped members may be a bomb, too.
        file: Any = SimpleNamespace(read=lambda size: count.streamed(stream.read(size)))
        with tarfile.open(fileobj=file, mode="r|", tarinfo=_CheckedHeaders) as archive:
            while (entry := archive.next()) is not None:
                pieces = partial(_tar_pieces, archive, entry)
                yield Member(entry.name, _tar_kind(entry), pieces, entry.linkname)
                # The reader remembers every member, 72,135 of them in OTS.
                archive.members.clear()  # type: ignore[attr-defined]
            for _ in _read_in_pieces(file):  # so that the stream's checksum is compared
                pass


@contextlib.contextmanager
def _rar_problems() -> Iterator[None]:
    from libarchive import ArchiveError

    try:
        yield
    except ArchiveError as error:
        raise BadFileError(f"damaged or truncated ({error})") from error


def _rar_pieces(entry: Any) -> Iterator[bytes]:
    with _rar_problems():
        yield from entry.get_blocks(PIECE)


def _rar_kind(entry: Any) -> Kind:
    if entry.issym:
        return "symbolic link"
    if entry.islnk or entry.linkpath:
        return "hard link"
    if entry.isdir:
        return "folder"
    return "file" if entry.isfile else "device"


def rar_members(path: Path) -> Iterator[Member]:
    """Members of a rar file, in one pass, by the system's library libarchive."""
    try:
        import libarchive
    except (ImportError, OSError, AttributeError, TypeError) as error:
        raise MissingReaderError(
            f"{path.name}: reading rar files needs the library libarchive, which is not installed "
            "here: apt install libarchive13, dnf install libarchive, brew install libarchive or "
            "conda install -c conda-forge libarchive; then run again, the download is kept"
        ) from error
    with _rar_problems(), libarchive.file_reader(str(path)) as entries:
        for entry in entries:
            pieces = partial(_rar_pieces, entry)
            yield Member(entry.pathname, _rar_kind(entry), pieces, entry.linkpath or "")


def _reader(head: bytes, count: _Count) -> Callable[[Path], Iterator[Member]] | None:
    """What reads an archive that begins with these 512 bytes."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zip_members
    if head.startswith(b"Rar!\x1a\x07"):
        return rar_members
    is_tar = head[257:262] == b"ustar" or head.startswith(tuple(_DECOMPRESS))
    return partial(tar_members, count=count) if is_tar else None


@contextlib.contextmanager
def opened_archive(
    path: Path, name: str, limits: Limits | None = None
) -> Iterator[tuple[Iterator[Member], _Count]]:
    """Members of an archive under its published name, and what counts them.

    Its first bytes tell the format, not its name: a mirror may hold another kind of archive.

    Raises:
        BadFileError: no archive, or damaged.
        MissingReaderError: no library for rar.
    """
    with path.open("rb") as file:
        head = file.read(512)
    count = _Count(limits or Limits(), path.stat().st_size)
    members = _reader(head, count)
    if members is None:
        raise BadFileError(f"{name}: expected a zip, tar or rar archive, found {head[:16]!r}...")
    try:
        yield members(path), count
    except BadFileError as error:
        raise BadFileError(f"{name}: {error}") from error
    except DAMAGED as error:
        raise BadFileError(f"{name}: damaged or truncated ({error})") from error
    except OSError as error:
        # bz2 tells damage without a number, zipfile seeks before the beginning of the file.
        if isinstance(error, FetchError) or error.errno not in (None, errno.EINVAL):
            raise
        raise BadFileError(f"{name}: damaged ({error})") from error


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
    unpacked: int = 0
    stream: int = 0
    members: int = 0
    files: int = 0

    def add_member(self) -> None:
        self.members += 1
        if self.members > self.limits.files:
            raise BadFileError(f"holds more than {self.limits.files} members")

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.unpacked += len(piece)
            if self.unpacked > self.limits.bytes:
                raise BadFileError(
                    f"unpacks to more than {size_text(self.limits.bytes)}; if that is right, raise "
                    "unpacked_bytes of this download in the catalogue"
                )
            self._check_ratio(self.unpacked)
            yield piece

    def streamed(self, piece: bytes) -> bytes:
        self.stream += len(piece)
        self._check_ratio(self.stream)
        return piece

    def _check_ratio(self, unpacked: int) -> None:
        if unpacked > max(self.limits.ratio_from, self.limits.ratio * self.archive_bytes):
            raise BadFileError(
                f"unpacks to more than {self.limits.ratio:g} times its {self.archive_bytes} "
                "bytes: a decompression bomb"
            )


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


def _copied(member: Member, folder: Path) -> Iterator[bytes]:
    source = folder / _linked_path(member)
    if not source.is_file():
        raise BadFileError(
            f"member {member.path!r} is a link to {member.link!r}, which is no file before it"
        )
    with source.open("rb") as file:
        yield from _read_in_pieces(file)


def _unpack_member(member: Member, folder: Path, only: tuple[str, ...], count: _Count) -> None:
    path = safe_path(member.path)
    if member.kind == "device":
        raise BadFileError(f"member {member.path!r} is a device or another special file")
    if "link" in member.kind:
        _linked_path(member)
    chosen = not only or any(fnmatchcase(str(path), glob) for glob in only)
    if member.kind == "folder" or not path.parts or not chosen or is_clutter(path):
        return
    if (folder / path).is_file():
        raise BadFileError(f"member {member.path!r} stands there twice")
    pieces = member.pieces() if member.kind == "file" else _copied(member, folder)
    counted = count.counted(pieces)
    first = next(counted, b"")  # a link's source is looked for before its target is there
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    with (folder / path).open("xb") as file:
        file.write(first)
        file.writelines(counted)
    count.files += 1


def unpack(
    archive: Path, name: str, folder: Path, only: tuple[str, ...] = (), limits: Limits | None = None
) -> int:
    """Unpack an archive into a folder of its own; returns the number of files.

    Args:
        archive: the file.
        name: its published name.
        folder: is made anew; what an earlier, broken run left there is removed.
        only: globs of the members to unpack; none: all. Unsafe members are refused in any case.
        limits: what is taken for a bomb.

    Raises:
        BadFileError: unsafe, damaged, truncated, a bomb, or nothing in it; nothing is left.
        DiskError: no room; nothing is left.
        MissingReaderError: no library for rar.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with opened_archive(archive, name, limits) as (members, count):
            for member in members:
                count.add_member()
                _unpack_member(member, folder, only, count)
        if count.files == 0:
            what = f"no member matches {', '.join(only)}" if only else "it holds no files"
            raise BadFileError(f"{name}: {what}")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        number = error.errno if isinstance(error, OSError) else None
        if number in DISK_FULL:
            raise disk_error(folder, error) from error  # type: ignore[arg-type]
        if number in UNWRITABLE:
            raise BadFileError(
                f"{name}: a member is both a file and a folder, or has a name that cannot be "
                f"written: {str(error)[:300]}"
            ) from error
        raise
    log.info("%s: %d files, %s", name, count.files, size_text(count.unpacked))
    return count.files
