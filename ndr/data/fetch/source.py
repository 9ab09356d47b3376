"""What the catalogue says of downloads: files, where to get them, and under which terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from ndr.data.fetch.fetch_errors import check_address
from ndr.specs.typed_file import SpecError, at_least, filled, like

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".rar")
SIDE_ENDINGS = (".partial", ".rejected", ".sha256", ".lock", ".json")
"""Endings of the files that a download keeps beside its own."""

_DriveId = Annotated[str, like(r"[A-Za-z0-9_-]{10,}")]
Sha256 = Annotated[str, like("[0-9a-f]{64}")]


def check_relative(path: str) -> None:
    """Refuse a path that does not stay below its folder.

    Raises:
        SpecError: it is absolute, or climbs with `..`, or has backslashes.
    """
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts or "\\" in path:
        raise SpecError(f"{path!r}: expected a path below the set's folder, with '/' and no '..'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A licence that the user accepts once, by its name, before anything is downloaded or run."""

    title: str
    text: str
    """One or two sentences: what it allows."""
    url: str
    methods: tuple[str, ...] = ()
    """Methods that run a package under it."""
    metrics: tuple[str, ...] = ()
    """Metrics that run a package under it, or the package whose metrics are named as it does."""

    def request(self, name: str) -> str:
        """The question to the user, whose answer is the terms' name in the configuration."""
        return (
            f"{self.title} ({self.url}). {self.text.strip()} Read them; if you accept, add {name} "
            f"to accepted_terms in config/config.yaml (accepted_terms: [{name}])"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSource:
    """A file on a web server, or on this machine (`file:`)."""

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "file") or not parts.path.strip("/"):
            raise SpecError(f"{self.url!r}: expected http://, https:// or file:// and a path")
        try:
            check_address(self.url, query_allowed=True)
        except ValueError as error:
            raise SpecError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleDriveFile:
    """A public file of Google Drive, by its id."""

    google_drive: _DriveId


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleDriveFolder:
    """A public folder of Google Drive: one file in it, or all of it packed as one tar file."""

    google_drive_folder: _DriveId
    path: Annotated[str, check_relative] | None = None
    """The file inside the folder; omitted: the whole folder, and the download ends in `.tar`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceFile:
    """A file of a repository on the Hugging Face Hub."""

    hugging_face: Annotated[str, like(r"[\w.-]+/[\w.-]+")]
    repository_type: Literal["dataset", "model", "space"] = "dataset"
    path: Annotated[str, check_relative]
    revision: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualSource:
    """A file that only the user can get: behind a login, a form, or a captcha."""

    manual: str
    """What to open and to do there; the fetcher adds where to put the file."""


Source = UrlSource | GoogleDriveFile | GoogleDriveFolder | HuggingFaceFile | ManualSource
"""Told apart by their first keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file of a set: its name, size and checksum, where it is had, where it is unpacked."""

    file: Annotated[str, like(r"[A-Za-z0-9][A-Za-z0-9._-]*")]
    """Name below `data/downloads/<set>/`."""
    shared: bool = False
    """Several sets use this file: it lies in `data/downloads/shared/` and is downloaded once."""
    bytes: Annotated[int, at_least(1)] | None = None
    sha256: Sha256 | None = None
    """Where none is published: recorded at the first download, compared ever after."""
    unpack_to: Annotated[str, check_relative] | None = None
    """Folder below `data/originals/<set>/`; omitted: the file is placed there as it is."""
    only: tuple[str, ...] = ()
    """Globs of the members to unpack (`*` crosses folders); none: all."""
    unpacked_bytes: Annotated[int, at_least(1)] = 100 * 2**30
    """An archive that unpacks to more is refused as a bomb."""
    sources: Annotated[tuple[Source, ...], filled]
    """Tried in this order, after the mirrors."""

    def __post_init__(self) -> None:
        if self.file.endswith(SIDE_ENDINGS):
            raise SpecError(f"{self.file!r}: the ending is one of the fetcher's own files")
        if self.unpack_to is not None and not self.file.lower().endswith(ARCHIVE_ENDINGS):
            raise SpecError(f"{self.file!r}: unpack_to needs one of {', '.join(ARCHIVE_ENDINGS)}")
        if self.only and self.unpack_to is None:
            raise SpecError("only chooses members of an archive: say where with unpack_to")
        for source in self.sources:
            whole_folder = isinstance(source, GoogleDriveFolder) and source.path is None
            if whole_folder and not self.file.endswith(".tar"):
                raise SpecError(f"{self.file!r}: a whole folder is packed as a .tar file")
