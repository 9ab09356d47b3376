"""Public files and folders of Google Drive.

The library gdown knows how Google's pages look: the question whether to go on without a virus
scan, the refusals, the listing of a folder. The bytes come by `ndr.data.fetch.transfer`, with
resuming and checks as from any server. The tests run all of this against a server on this machine
that answers for Google's host names with pages of the same form; that Google still sends such
pages can only be seen online.
"""

from __future__ import annotations

import contextlib

import requests
from gdown import download_folder
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import DownloadError, FileURLRetrievalError

from ndr.data.fetch.failures import SourceError
from ndr.data.fetch.source import check_relative
from ndr.data.fetch.transfer import Address
from ndr.data.fetch.web import TIMEOUT, connection_problem, open_url, read_page

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
        return {check_relative(file.path): file.id for file in sorted(found, key=lambda f: f.path)}
    except ValueError as error:
        raise SourceError(f"Google Drive folder {folder_id}: {error}") from error


def file_in_folder(folder_id: str, path: str) -> str:
    """Id of one file of a folder.

    Raises:
        SourceError: it is not there; the message says what is.
        TemporaryError: Google cannot be reached.
    """
    files = folder_files(folder_id)
    if path not in files:
        raise SourceError(
            f"Google Drive folder {folder_id}: expected {path}, found {', '.join(list(files)[:10])}"
        )
    return files[path]
