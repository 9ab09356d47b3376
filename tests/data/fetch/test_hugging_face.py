"""Files of the Hub, with a server on this machine as the Hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests

from ndr.data.fetch.fetch_errors import SourceError, TemporaryError
from ndr.data.fetch.obtaining import obtain
from ndr.data.fetch.source import Download, HuggingFaceFile
from ndr.data.fetch.transfer import Waits
from ndr.data.fetch.ways import hub_address
from ndr.records.downloads import Obtained
from ndr.specs.typed_file import build
from tests.data.fetch.misbehaving_server import MisbehavingServer, Served

CONTENT = bytes(range(256)) * 600
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SOURCE = {"hugging_face": "eugenesiow/Urban100", "path": "data/Urban100_HR.tar.gz"}
PAGE = "/datasets/eugenesiow/Urban100/resolve/main/data/Urban100_HR.tar.gz"
COMMIT = {"X-Repo-Commit": "0" * 40}


@pytest.fixture
def hub(server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> MisbehavingServer:
    """The Hub; large files are sent from another address, as the Hub does it."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    return server


def serve(hub: MisbehavingServer, sha256: str, content: bytes = CONTENT) -> Served:
    large = Served(content, cuts=[])
    hub.files["/storage/1"] = large
    hub.files[PAGE] = Served(
        b"",
        etag=None,
        statuses=[302] * 20,
        headers={
            **COMMIT,
            "Location": f"{hub.url.replace('127.0.0.1', 'localhost')}/storage/1",
            "X-Linked-Etag": f'"{sha256}"',
            "X-Linked-Size": str(len(CONTENT)),
        },
    )
    return large


def get(tmp_path: Path, session: requests.Session) -> Obtained:
    entry = build(Download, {"file": "a.tar.gz", "sources": [SOURCE]})
    return obtain("tiny", entry, tmp_path, lambda path: None, waits=Waits((), 0), session=session)


def test_large_file_is_resumed(
    hub: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    serve(hub, SHA256).cuts = [len(CONTENT) // 2]
    with pytest.raises(SourceError, match="connection was lost"):
        get(tmp_path, session)
    obtained = get(tmp_path, session)
    assert obtained.path.read_bytes() == CONTENT
    assert obtained.source == ("Hugging Face dataset eugenesiow/Urban100, data/Urban100_HR.tar.gz")
    assert [answer.status for answer in hub.of("/storage/1") if answer.sent] == [200, 206]


def test_checksum_of_the_hub_is_compared(
    hub: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    serve(hub, "1" * 64)
    with pytest.raises(SourceError, match=f"expected sha256 {'1' * 64} by Hugging .*{SHA256}"):
        get(tmp_path, session)


def test_size_of_the_hub_is_compared(
    hub: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    serve(hub, SHA256, CONTENT[:-1])
    with pytest.raises(SourceError, match=f"expected a file of {len(CONTENT)} bytes"):
        get(tmp_path, session)


def test_small_file_comes_without_checksum(
    hub: MisbehavingServer, session: requests.Session, tmp_path: Path
) -> None:
    hub.files[PAGE] = Served(b"small", etag='"abc"', headers=COMMIT)
    assert hub_address(build(HuggingFaceFile, SOURCE), session).sha256 is None
    assert get(tmp_path, session).path.read_bytes() == b"small"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "RepoNotFound", SourceError),
        (404, "EntryNotFound", SourceError),
        (404, "RevisionNotFound", SourceError),
        (403, "GatedRepo", SourceError),
        (503, "", TemporaryError),
    ],
)
def test_refusals(
    hub: MisbehavingServer,
    session: requests.Session,
    status: int,
    code: str,
    error: type[Exception],
) -> None:
    hub.files[PAGE] = Served(b"", statuses=[status] * 9, headers={"X-Error-Code": code})
    with pytest.raises(error, match="Urban100"):
        hub_address(build(HuggingFaceFile, SOURCE), session)


def test_out_of_reach(monkeypatch: pytest.MonkeyPatch, session: requests.Session) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TemporaryError, match="cannot reach the Hub"):
        hub_address(build(HuggingFaceFile, SOURCE), session)
