"""The ways by which a file may come: mirrors first, then its sources, in order."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import requests
from gdown import download_folder
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import DownloadError, FileURLRetrievalError
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

from ndr.data.fetch.fetch_errors import (
    FetchError,
    SourceError,
    TemporaryError,
    UnreachableError,
    check_address,
    check_room,
    disk_error,
)
from ndr.data.fetch.source import (
    Download,
    GoogleDriveFile,
    GoogleDriveFolder,
    HuggingFaceFile,
    ManualSource,
    Source,
    UrlSource,
    check_relative,
)
from ndr.data.fetch.transfer import (
    TEMPORARY_STATUS,
    TIMEOUT,
    Address,
    Partial,
    Waits,
    connection_problem,
    download,
    open_url,
    read_page,
)
from ndr.data.mirrors import local_folder

FILE_PAGE = "https://drive.google.com/uc?export=download&id="
FOLDER_PAGE = "https://drive.google.com/embeddedfolderview?id="


def file_address(file_id: str, session: requests.Session) -> Address:
    """Where the bytes of a file are: its own page, or behind the page that asks to confirm.

    Raises:
        SourceError: no such file, not public, or its quota is used up.
        TemporaryError: Google cannot be reached.
    """
    url = FILE_PAGE + file_id
    with contextlib.closing(open_url(session, url)) as response:
        if "Content-Disposition" in response.headers:
            return Address(url, session)
        page = read_page(response)
    try:
        return Address(get_url_from_gdrive_confirmation(page), session)
    except (FileURLRetrievalError, AssertionError, KeyError) as error:
        raise SourceError(f"Google Drive file {file_id}: {error}") from error


def folder_files(folder_id: str) -> dict[str, str]:
    """Path below the folder to file id, of all files, in the order of the paths.

    Raises:
        SourceError: no such folder, not public, empty, or a page of another form.
        TemporaryError: Google cannot be reached.
    """
    try:
        found = download_folder(
            id=folder_id,
            output=".",
            quiet=True,
            use_cookies=False,
            skip_download=True,
            timeout=TIMEOUT,
        )
    except requests.RequestException as error:
        raise connection_problem(FOLDER_PAGE + folder_id, error) from error
    except DownloadError as error:
        raise SourceError(f"Google Drive folder {folder_id}: {error}") from error
    if not found:
        raise SourceError(f"Google Drive folder {folder_id}: it shows no files")
    try:
        # Names alone come where the files are downloaded.
        files = {file.path: file.id for file in found if not isinstance(file, str)}
        for path in files:
            check_relative(path)
        return dict(sorted(files.items()))
    except ValueError as error:
        raise SourceError(f"Google Drive folder {folder_id}: {error}") from error


def file_in_folder(folder_id: str, path: str, session: requests.Session) -> Address:
    """Where the bytes of one file of a folder are; `SourceError` where it is not there."""
    files = folder_files(folder_id)
    if path not in files:
        raise SourceError(
            f"Google Drive folder {folder_id}: expected {path}, found {', '.join(list(files)[:10])}"
        )
    return file_address(files[path], session)


def hub_address(source: HuggingFaceFile, session: requests.Session) -> Address:
    """Where a file of the Hub is, with its size and (large files) sha256 as the Hub tells them.

    Raises:
        SourceError: no such file, repository or revision, or it is not public.
        TemporaryError: the Hub cannot be reached, or is too busy.
    """
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = hf_hub_url(
        source.hugging_face,
        source.path,
        repo_type=source.repository_type,
        revision=source.revision,
        endpoint=endpoint,
    )
    try:
        facts = get_hf_file_metadata(url, token=False, timeout=TIMEOUT[0], endpoint=endpoint)
    except OfflineModeIsEnabled as error:
        raise SourceError(f"{url}: {error}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        kind = TemporaryError if status in TEMPORARY_STATUS else SourceError
        raise kind(f"{url}: {' '.join(str(error).split())}") from error
    except HTTPError as error:
        raise UnreachableError(
            f"{url}: cannot reach the Hub; check the network and the proxy settings ({error})"
        ) from error
    sha256 = facts.etag if re.fullmatch("[0-9a-f]{64}", facts.etag or "") else None
    return Address(url, session, bytes=facts.size, sha256=sha256)


@dataclass(frozen=True, slots=True)
class Way:
    """One way: what it is called in messages and records, and what brings the bytes."""

    label: str
    bring: Callable[[Partial], Address | None]
    """Fills the partial file; returns what the host says of it, None where it says nothing."""


def _copy(source: Path, target: Partial) -> None:
    if not source.is_file():
        raise SourceError(f"{source}: no such file")
    target.path.parent.mkdir(parents=True, exist_ok=True)
    check_room(target.path, source.stat().st_size)
    try:
        shutil.copyfile(source, target.path)
    except OSError as error:
        raise disk_error(target.path, error) from error


def _web_way(label: str, file: Download, waits: Waits, locate: Callable[[], Address]) -> Way:
    bring = partial(download, locate, name=file.file, wanted_bytes=file.bytes, waits=waits)
    return Way(label, bring)


def _packed_folder(folder: Path, files: dict[str, Path], target: Path) -> None:
    """Pack files as a tar file that depends on nothing but their names and bytes."""
    check_room(target, sum(path.stat().st_size for path in files.values()))
    try:
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(files):
                entry = tarfile.TarInfo(name)
                entry.size = files[name].stat().st_size
                with files[name].open("rb") as file:
                    archive.addfile(entry, file)
    except OSError as error:
        raise disk_error(target, error) from error
    shutil.rmtree(folder)


def _whole_folder_way(label: str, folder_id: str, waits: Waits, session: requests.Session) -> Way:
    """All files of a Drive folder; those that an earlier run brought are not asked for again."""

    def bring(packed: Partial) -> None:
        folder = packed.path.with_name(f"{packed.path.name}.files")
        files = {}
        for path, file_id in folder_files(folder_id).items():
            files[path] = folder / file_id
            download(
                partial(file_address, file_id, session),
                Partial(folder / file_id),
                name=path,
                waits=waits,
            )
        _packed_folder(folder, files, packed.path)

    return Way(label, bring)


def _source_way(
    source: Source, file: Download, waits: Waits, session: requests.Session
) -> Way | None:
    locate: Callable[[], Address]
    if isinstance(source, UrlSource):
        here = local_folder(source.url)
        if here is not None:
            return Way(str(here), partial(_copy, here))
        label, locate = source.url, partial(Address, source.url, session)
    elif isinstance(source, GoogleDriveFile):
        label = f"Google Drive file {source.google_drive}"
        locate = partial(file_address, source.google_drive, session)
    elif isinstance(source, GoogleDriveFolder):
        folder, path = source.google_drive_folder, source.path
        label = f"Google Drive folder {folder}"
        if path is None:
            return _whole_folder_way(label, folder, waits, session)
        label = f"{label}, {path}"
        locate = partial(file_in_folder, folder, path, session)
    elif isinstance(source, HuggingFaceFile):
        label = f"Hugging Face {source.repository_type} {source.hugging_face}, {source.path}"
        locate = partial(hub_address, source, session)
    else:
        return None
    return _web_way(label, file, waits, locate)


def ways_of(
    file: Download, place: str, mirrors: tuple[str, ...], waits: Waits, session: requests.Session
) -> Iterator[Way]:
    """All ways of a file that need no hand, in the order in which they are tried.

    `place` is its folder below a mirror, as below `data/downloads`: the set's name or `shared`.
    Mirrors that are folders without the file are left out.
    """
    for mirror in mirrors:
        try:
            check_address(mirror)
        except ValueError as error:
            raise FetchError(f"mirror {error}") from None
        folder = local_folder(mirror)
        if folder is None:
            url = f"{mirror.rstrip('/')}/{quote(place)}/{quote(file.file)}"
            yield _web_way(url, file, waits, partial(Address, url, session))
        elif (folder / place / file.file).is_file():
            here = folder / place / file.file
            yield Way(str(here), partial(_copy, here))
    for source in file.sources:
        way = _source_way(source, file, waits, session)
        if way is not None:
            yield way


def manual_steps(file: Download) -> list[str]:
    """What the user can do by hand."""
    return [source.manual for source in file.sources if isinstance(source, ManualSource)]
