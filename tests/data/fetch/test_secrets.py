"""Passwords in addresses: refused where they are configured, shown nowhere."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import requests

from ndr.data.fetch.__main__ import main
from ndr.data.fetch.fetch_errors import FetchError, SourceError, TemporaryError, shown
from ndr.data.fetch.obtaining import obtain, pinned_by
from ndr.data.fetch.source import Download, UrlSource
from ndr.data.fetch.transfer import Waits, connection_problem
from ndr.specs.typed_file import SpecError, build
from tests.data.fetch.misbehaving_server import MisbehavingServer, Served

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"x https://user:{SECRET}@host/a: lost", "x https://host/a: lost"),
        (f"ftp://{SECRET}@host/a", "ftp://host/a"),
        (f"'https://u:{SECRET}@b@host:8/a'", "'https://host:8/a'"),
        (
            f"https://h/f.zip?X-Amz-Signature={SECRET}&id=3",
            "https://h/f.zip?X-Amz-Signature=...&id=3",
        ),
        (f"(url: /f?download=1&token={SECRET})", "(url: /f?download=1&token=...)"),
        ("host@home and a? b=c", "host@home and a? b=c"),
        ("a\x1b]0;title\x07b\x9bc\u202ed\n", "a\ufffd]0;title\ufffdb\ufffdc\ufffdd\n"),
    ],
)
def test_what_is_shown(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize("kind", [SourceError, TemporaryError])
def test_no_error_of_a_source_tells_a_secret(kind: type[FetchError]) -> None:
    told = str(kind(f"https://u:{SECRET}@host/a?sig={SECRET}: 404 \x1b[2J"))
    assert SECRET not in told
    assert told.isprintable()  # codes that command a terminal are no words of a server
    error = requests.ConnectionError(f"Max retries exceeded with url: /a?sig={SECRET}")
    assert SECRET not in str(connection_problem(f"https://u:{SECRET}@host/a", error))


@pytest.mark.parametrize("mirror", ["https://user:{}@host/sets", "https://{}@h/", "http://h/?t={}"])
def test_an_address_with_a_password_is_refused(mirror: str, tmp_path: Path) -> None:
    download = build(Download, {"file": "a.zip", "sources": [{"url": "https://host/a.zip"}]})
    with requests.Session() as session, pytest.raises(FetchError, match=r"netrc") as error:
        obtain(
            "set",
            download,
            tmp_path,
            lambda path: None,
            mirrors=(mirror.format(SECRET),),
            waits=Waits(()),
            session=session,
        )
    assert SECRET not in str(error.value)
    with pytest.raises(SpecError, match=r"netrc") as refused:
        UrlSource(url=f"https://user:{SECRET}@host/a.zip")
    assert SECRET not in str(refused.value)


def test_a_signed_address_is_not_recorded(
    server: MisbehavingServer,
    session: requests.Session,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = f"/a.bin?sig={SECRET}"
    server.files[address] = Served(b"content")
    download = build(Download, {"file": "a.bin", "sources": [{"url": server.url + address}]})
    found = obtain("set", download, tmp_path, lambda path: None, waits=Waits(()), session=session)
    assert found.source == f"{server.url}/a.bin?sig=..."
    assert SECRET not in caplog.text + found.path.with_name("a.bin.json").read_text()


def test_what_is_trusted_is_said_and_listed(
    server: MisbehavingServer,
    session: requests.Session,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a published checksum the first download is trusted, and every later one compared."""
    server.files["/a.zip"] = Served(b"content")
    caplog.set_level(logging.INFO)
    download = build(Download, {"file": "a.zip", "sources": [{"url": f"{server.url}/a.zip"}]})
    for _ in range(2):
        obtain("set", download, tmp_path, lambda path: None, waits=Waits(()), session=session)
    assert caplog.text.count("no checksum is published") == 1
    assert pinned_by("set", download, tmp_path) == "recorded at the first download here"
    assert pinned_by("set", download, tmp_path / "other") == "nothing yet"
    main(["--pins", "--downloads", str(tmp_path)])
    *lines, last = capsys.readouterr().out.splitlines()
    pinned = sum(line.endswith("published sha256") for line in lines)
    assert last == f"{pinned} of {len(lines)} downloads have a published sha256."
    assert any(line.split()[0] == "urban100" for line in lines)
