"""What the catalogue says of downloads: files, where to get them, and under which terms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from ndr.nearest_name import unknown_name
from ndr.specs.typed_file import CheckedSection

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".rar")
SIDE_ENDINGS = (".partial", ".rejected", ".sha256", ".lock", ".json")
"""Endings of the files that a download keeps beside its own."""

_DriveId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{10,}$")]


def check_relative(path: str) -> str:
    """Return a path that stays below its folder.

    Raises:
        ValueError: it is absolute, or climbs with `..`, or has backslashes.
    """
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts or "\\" in path:
        raise ValueError(f"{path!r}: expected a path below the set's folder, with '/' and no '..'")
    return path


class Terms(CheckedSection):
    """A licence that the user accepts once, by its name, before anything is downloaded."""

    title: str
    text: str
    """One or two sentences: what it allows."""
    url: str


class UrlSource(CheckedSection):
    """A file on a web server, or on this machine (`file:`)."""

    url: str

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "file") or not parts.path.strip("/"):
            raise ValueError(f"{url!r}: expected http://, https:// or file:// and a path")
        return url


class GoogleDriveFile(CheckedSection):
    """A public file of Google Drive, by its id."""

    google_drive: _DriveId


class GoogleDriveFolder(CheckedSection):
    """A public folder of Google Drive: one file in it, or all of it packed as one tar file."""

    google_drive_folder: _DriveId
    path: str | None = None
    """The file inside the folder; omitted: the whole folder, and the download ends in `.tar`."""

    _path_stays_inside = field_validator("path")(lambda path: path and check_relative(path))


class HuggingFaceFile(CheckedSection):
    """A file of a repository on the Hugging Face Hub."""

    hugging_face: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    repository_type: Literal["dataset", "model", "space"] = "dataset"
    path: str
    revision: str = "main"

    _path_stays_inside = field_validator("path")(check_relative)


class ManualSource(CheckedSection):
    """A file that only the user can get: behind a login, a form, or a captcha."""

    manual: str
    """What to open and to do there; the fetcher adds where to put the file."""


SOURCE_KINDS: dict[str, type[CheckedSection]] = {
    "url": UrlSource,
    "google_drive": GoogleDriveFile,
    "google_drive_folder": GoogleDriveFolder,
    "hugging_face": HuggingFaceFile,
    "manual": ManualSource,
}


def _kind(source: Any) -> str | None:
    keys = source if isinstance(source, Mapping) else type(source).model_fields
    return next((kind for kind in SOURCE_KINDS if kind in keys), None)


Source = Annotated[
    Annotated[UrlSource, Tag("url")]
    | Annotated[GoogleDriveFile, Tag("google_drive")]
    | Annotated[GoogleDriveFolder, Tag("google_drive_folder")]
    | Annotated[HuggingFaceFile, Tag("hugging_face")]
    | Annotated[ManualSource, Tag("manual")],
    Discriminator(_kind),
]


class Download(CheckedSection):
    """One file of a set: its name, size and checksum, where it is had, where it is unpacked."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name below `data/downloads/<set>/`."""
    shared: bool = False
    """Several sets use this file: it lies in `data/downloads/shared/` and is downloaded once."""
    bytes: Annotated[int, Field(ge=1)] | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Where none is published: recorded at the first download, compared ever after."""
    unpack_to: str | None = None
    """Folder below `data/originals/<set>/`; omitted: the file is placed there as it is."""
    only: tuple[str, ...] = ()
    """Globs of the members to unpack (`*` crosses folders); none: all."""
    unpacked_bytes: Annotated[int, Field(ge=1)] = 100 * 2**30
    """An archive that unpacks to more is refused as a bomb."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Tried in this order, after the mirrors."""

    @field_validator("sources", mode="before")
    @classmethod
    def _each_source_has_one_kind(cls, sources: Any) -> Any:
        for source in sources if isinstance(sources, list | tuple) else ():
            if not isinstance(source, Mapping):
                continue
            kinds = [kind for kind in SOURCE_KINDS if kind in source]
            if len(kinds) > 1:
                raise ValueError(f"a source has one of the keys {', '.join(kinds)}, not several")
            if not kinds:
                raise unknown_name("kind of source", str(next(iter(source), "")), SOURCE_KINDS)
        return sources

    @field_validator("unpack_to")
    @classmethod
    def _unpack_to_stays_inside(cls, unpack_to: str | None) -> str | None:
        return unpack_to and check_relative(unpack_to)

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Download:
        if self.file.endswith(SIDE_ENDINGS):
            raise ValueError(f"{self.file!r}: the ending is one of the fetcher's own files")
        if self.unpack_to is not None and not self.file.lower().endswith(ARCHIVE_ENDINGS):
            raise ValueError(f"{self.file!r}: unpack_to needs one of {', '.join(ARCHIVE_ENDINGS)}")
        if self.only and self.unpack_to is None:
            raise ValueError("only chooses members of an archive: say where with unpack_to")
        for source in self.sources:
            whole_folder = isinstance(source, GoogleDriveFolder) and source.path is None
            if whole_folder and not self.file.endswith(".tar"):
                raise ValueError(f"{self.file!r}: a whole folder is packed as a .tar file")
        return self
