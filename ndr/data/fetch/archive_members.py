"""What archives hold, member by member, whatever their format: zip, tar and rar.

Nothing is written here. Readers hand out members in the order of the archive; the bytes of a
member must be read before the next one is asked for.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ndr.data.fetch.failures import BadFileError, FetchError

PIECE = 2**16
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


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive."""

    path: str
    kind: Literal["file", "folder", "symbolic link", "hard link", "device", "end"]
    """`end`: what follows the last member; it is read so that a stream's checksum is compared."""
    pieces: Callable[[], Iterator[bytes]]
    """The bytes of a file."""
    link: str = ""
    """What a link points to: symbolic ones from their own folder, hard ones from the root."""


class MissingReaderError(FetchError):
    """No library to read this format is installed; the message says which."""


def _read_in_pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _nothing() -> Iterator[bytes]:
    return iter(())


def _zip_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as file:
        yield from _read_in_pieces(file)  # checks the CRC at the end


def zip_members(path: Path) -> Iterator[Member]:
    """Members of a zip file, by its central directory."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            mode = stat.S_IFMT(entry.external_attr >> 16)
            if entry.is_dir() or mode == stat.S_IFDIR:
                yield Member(entry.filename, "folder", _nothing)
            elif mode == stat.S_IFLNK:
                target = archive.read(entry) if entry.file_size < 4096 else b"/"
                yield Member(entry.filename, "symbolic link", _nothing, target.decode())
            elif mode in (0, stat.S_IFREG):
                yield Member(
                    entry.filename, "file", lambda entry=entry: _zip_pieces(archive, entry)
                )
            else:
                yield Member(entry.filename, "device", _nothing)


class _CompleteHeaders(tarfile.TarInfo):
    """Headers of a tar file that must end with its end mark: the reader alone stops quietly."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _CompleteHeaders:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:
            raise  # the mark
        except tarfile.HeaderError as error:
            raise BadFileError(f"ends or breaks within a header ({error})") from error


def _tar_kind(entry: tarfile.TarInfo) -> Any:
    if entry.isreg():
        return "file"
    if entry.isdir():
        return "folder"
    if entry.issym():
        return "symbolic link"
    return "hard link" if entry.islnk() else "device"


def _tar_pieces(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(entry)
    if file is not None:
        yield from _read_in_pieces(file)


_DECOMPRESS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def tar_members(path: Path) -> Iterator[Member]:
    """Members of a tar file, compressed or not, in one pass."""
    with path.open("rb") as raw:
        head = raw.read(8)
    opened = next(
        (open_file(path) for magic, open_file in _DECOMPRESS.items() if head.startswith(magic)),
        None,
    )
    with (
        opened or path.open("rb") as file,
        tarfile.open(fileobj=file, mode="r|", tarinfo=_CompleteHeaders) as archive,
    ):
        while (entry := archive.next()) is not None:
            yield Member(
                entry.name,
                _tar_kind(entry),
                lambda entry=entry: _tar_pieces(archive, entry),
                entry.linkname,
            )
            archive.members.clear()  # the reader remembers every member, 72,135 of them in OTS
        yield Member("", "end", lambda: _read_in_pieces(file))


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


def _rar_kind(entry: Any) -> Any:
    if entry.issym:
        return "symbolic link"
    if entry.islnk or entry.linkpath:
        return "hard link"
    if entry.isdir:
        return "folder"
    return "file" if entry.isfile else "device"


def rar_members(path: Path) -> Iterator[Member]:
    """Members of a rar file, in one pass, by the system's library libarchive.

    Raises:
        MissingReaderError: the library is not installed.
    """
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
            yield Member(
                entry.pathname,
                _rar_kind(entry),
                lambda entry=entry: _rar_pieces(entry),
                entry.linkpath or "",
            )


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[Path], Iterator[Member]]], ...] = (
    (lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06")), zip_members),
    (lambda head: head.startswith(b"Rar!\x1a\x07"), rar_members),
    (
        lambda head: head[257:262] == b"ustar" or head.startswith(tuple(_DECOMPRESS)),
        tar_members,
    ),
)


@contextlib.contextmanager
def opened_archive(path: Path, name: str) -> Iterator[Iterator[Member]]:
    """Members of an archive; its first bytes tell the format.

    The name does not: a mirror may hold a set as another kind of archive.

    Args:
        path: the file, under whatever name it has at the moment.
        name: its published name, for messages.

    Raises:
        BadFileError: no archive, or damaged; the message names `name`.
        MissingReaderError: no library for rar.
    """
    with path.open("rb") as file:
        head = file.read(512)
    members = next((reader for is_so, reader in _READERS if is_so(head)), None)
    if members is None:
        raise BadFileError(f"{name}: expected a zip, tar or rar archive, found {head[:16]!r}...")
    try:
        yield members(path)
    except BadFileError as error:
        raise BadFileError(f"{name}: {error}") from error
    except DAMAGED as error:
        raise BadFileError(f"{name}: damaged or truncated ({error})") from error
    except OSError as error:
        if isinstance(error, FetchError) or error.errno is not None:
            raise
        raise BadFileError(f"{name}: damaged ({error})") from error  # bz2 says it so
