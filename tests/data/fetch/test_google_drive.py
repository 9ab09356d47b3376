"""Google Drive's pages, as the server answers for Google's host names."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import requests

from ndr.data.fetch.fetch_errors import SourceError, TemporaryError
from ndr.data.fetch.obtaining import obtain
from ndr.data.fetch.source import Download
from ndr.data.fetch.transfer import Waits
from ndr.data.fetch.ways import FILE_PAGE, FOLDER_PAGE, file_address, folder_files
from ndr.records.downloads import Obtained
from ndr.specs.typed_file import build
from tests.data.fetch.misbehaving_server import MisbehavingServer, Served

FILE_ID = "1idKFDkAHJGAFDn1OyXZxsTbOSBx9GS8N"
OTHER_ID = "19_mCE_GXfmE5yYsm-HEzuZQqmwMjPpJr"
FOLDER_ID = "1-_Tw-LHJF4vh8fpogKgZx1EQ9MhsJI_f"
SUBFOLDER_ID = "1B3DJGQKB6eNdwuQIhdskA64qUuVKLZ9u"
CONTENT = bytes(range(256)) * 600
ATTACHED = {"Content-Disposition": 'attachment; filename="a.zip"'}
FIELDS = {"id": FILE_ID, "export": "download", "confirm": "t", "uuid": "7"}
INPUTS = "".join(f'<input type="hidden" name="{key}" value="{FIELDS[key]}">' for key in FIELDS)
ACTION = "https://drive.usercontent.google.com/download"
CONFIRMED = f"{ACTION}?id={FILE_ID}&export=download&confirm=t&uuid=7"
ASK_PAGE = f"""<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body><form id="download-form" action="{ACTION}" method="get">{INPUTS}</form></body></html>"""
QUOTA_PAGE = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>
</body></html>"""


def folder_page(name: str, files: dict[str, str], folders: dict[str, str]) -> bytes:
    links = [
        f'<a href="https://drive.google.com/file/d/{file_id}/view?usp=drive_web">{title}</a>'
        for title, file_id in files.items()
    ] + [
        f'<a href="https://drive.google.com/drive/folders/{folder_id}">{title}</a>'
        for title, folder_id in folders.items()
    ]
    return f"<html><head><title>{name}</title></head>{''.join(links)}</html>".encode()


def page(text: str | bytes) -> Served:
    content = text.encode() if isinstance(text, str) else text
    return Served(content, headers={"Content-Type": "text/html; charset=utf-8"})


def get(
    tmp_path: Path, session: requests.Session, source: dict[str, str], file: str = "a.zip"
) -> Obtained:
    entry = build(Download, {"file": file, "sources": [source]})
    return obtain("tiny", entry, tmp_path, lambda path: None, waits=Waits((), 0), session=session)


def test_small_file_comes_at_once(
    google: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    google.files[FILE_PAGE + FILE_ID] = Served(CONTENT, headers=ATTACHED)
    obtained = get(tmp_path, session, {"google_drive": FILE_ID})
    assert obtained.path.read_bytes() == CONTENT
    assert obtained.source == f"Google Drive file {FILE_ID}"


def test_large_file_is_confirmed_and_resumed(
    google: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    google.files[FILE_PAGE + FILE_ID] = page(ASK_PAGE)
    google.files[CONFIRMED] = Served(CONTENT, headers=ATTACHED, cuts=[len(CONTENT) // 2])
    with pytest.raises(SourceError, match="connection was lost"):
        get(tmp_path, session, {"google_drive": FILE_ID})
    assert get(tmp_path, session, {"google_drive": FILE_ID}).path.read_bytes() == CONTENT
    assert [answer.status for answer in google.of(CONFIRMED)] == [200, 206]
    assert google.sent(CONFIRMED) <= len(CONTENT) + 2**16


def test_quota_page(google: MisbehavingServer, session: requests.Session, tmp_path: Path) -> None:
    google.files[FILE_PAGE + FILE_ID] = page(QUOTA_PAGE)
    with pytest.raises(SourceError, match="Too many users have viewed"):
        get(tmp_path, session, {"google_drive": FILE_ID})


def test_quota_page_after_the_confirmation(
    google: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    google.files[FILE_PAGE + FILE_ID] = page(ASK_PAGE)
    google.files[CONFIRMED] = page(QUOTA_PAGE)
    with pytest.raises(SourceError, match=r"web page .*Quota exceeded"):
        get(tmp_path, session, {"google_drive": FILE_ID})


@pytest.mark.parametrize("text", ["<html>Something new</html>", '<form id="download-form"></form>'])
def test_page_of_an_unknown_form(
    google: MisbehavingServer, session: requests.Session, text: str
) -> None:
    google.files[FILE_PAGE + FILE_ID] = page(text)
    with pytest.raises(SourceError, match=FILE_ID):
        file_address(FILE_ID, session)


def test_file_that_is_not_public(google: MisbehavingServer, session: requests.Session) -> None:
    with pytest.raises(SourceError, match="404"):
        file_address(FILE_ID, session)


@pytest.fixture
def folder(google: MisbehavingServer) -> MisbehavingServer:
    google.files |= {
        FOLDER_PAGE + FOLDER_ID: page(
            folder_page("Rain100L", {"note.txt": OTHER_ID}, {"rainy": SUBFOLDER_ID})
        ),
        FOLDER_PAGE + SUBFOLDER_ID: page(folder_page("rainy", {"1.png": FILE_ID}, {})),
        FILE_PAGE + FILE_ID: Served(CONTENT, headers=ATTACHED),
        FILE_PAGE + OTHER_ID: Served(b"a note", headers=ATTACHED),
    }
    return google


def test_listing_of_a_folder(folder: MisbehavingServer) -> None:
    assert folder_files(FOLDER_ID) == {"note.txt": OTHER_ID, "rainy/1.png": FILE_ID}


def test_one_file_of_a_folder(
    folder: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    source = {"google_drive_folder": FOLDER_ID, "path": "rainy/1.png"}
    assert get(tmp_path, session, source).path.read_bytes() == CONTENT
    with pytest.raises(SourceError, match=r"expected rainy/2.png, found note.txt, rainy/1.png"):
        get(tmp_path, session, {**source, "path": "rainy/2.png"}, "b.zip")


def test_whole_folder_becomes_one_archive_with_stable_bytes(
    folder: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    source = {"google_drive_folder": FOLDER_ID}
    first = get(tmp_path, session, source, "rain.tar")
    with tarfile.open(fileobj=io.BytesIO(first.path.read_bytes())) as archive:
        found = {entry.name: archive.extractfile(entry).read() for entry in archive}
    assert found == {"note.txt": b"a note", "rainy/1.png": CONTENT}
    assert get(tmp_path / "again", session, source, "rain.tar").sha256 == first.sha256
    assert {path.name for path in first.path.parent.iterdir()} == {
        "rain.tar",
        "rain.tar.json",
        "rain.tar.lock",
        "rain.tar.sha256",
    }


def test_whole_folder_goes_on_with_the_missing_files(
    folder: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    folder.files[FILE_PAGE + FILE_ID].cuts = [0, len(CONTENT) // 2]
    source = {"google_drive_folder": FOLDER_ID}
    with pytest.raises(SourceError, match="lost"):
        get(tmp_path, session, source, "rain.tar")
    get(tmp_path, session, source, "rain.tar")
    notes = [answer for answer in folder.of(FILE_PAGE + OTHER_ID) if answer.sent]
    assert len(notes) <= 3, "the small file was downloaded again"


def test_folder_that_is_empty_or_gone(google: MisbehavingServer) -> None:
    with pytest.raises(SourceError, match="404"):
        folder_files(FOLDER_ID)
    google.files[FOLDER_PAGE + FOLDER_ID] = page(folder_page("empty", {}, {}))
    with pytest.raises(SourceError, match="shows no files"):
        folder_files(FOLDER_ID)
    google.files[FOLDER_PAGE + FOLDER_ID] = page(folder_page("evil", {"..": FILE_ID}, {}))
    assert folder_files(FOLDER_ID) == {"_": FILE_ID}


def test_google_out_of_reach(monkeypatch: pytest.MonkeyPatch, session: requests.Session) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(TemporaryError, match="check the network"):
        file_address(FILE_ID, session)
    with pytest.raises(TemporaryError, match="check the network"):
        folder_files(FOLDER_ID)
