"""Downloads that break, stall, change and lie: bytes are counted at the server."""

from __future__ import annotations

import io
import random
import socket
import tracemalloc
from pathlib import Path

import pytest
import requests

from ndr.data.fetch import transfer
from ndr.data.fetch.fetch_errors import DiskError, SourceError, TemporaryError
from ndr.data.fetch.transfer import (
    PIECE,
    Address,
    Partial,
    Waits,
    download,
    open_url,
    read_page,
)
from tests.data.fetch.misbehaving_server import MisbehavingServer, Served

CONTENT = random.Random(1).randbytes(700_000)
HALF = len(CONTENT) // 2
WEB_PAGE = b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>" + b" " * 2000


@pytest.fixture
def partial(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "set" / "file.zip.partial")


class Fetcher:
    """Downloads `/file` of the server, again and again, into the same partial file."""

    def __init__(self, server: MisbehavingServer, session: requests.Session, waits: Waits) -> None:
        self.server, self.session, self.waits = server, session, waits

    def __call__(self, partial: Partial, wanted_bytes: int | None = None) -> None:
        download(
            lambda: Address(f"{self.server.url}/file", self.session),
            partial,
            name="file.zip",
            wanted_bytes=wanted_bytes,
            waits=self.waits,
        )


@pytest.fixture
def fetch(server: MisbehavingServer, session: requests.Session, waits: Waits) -> Fetcher:
    return Fetcher(server, session, waits)


@pytest.fixture
def once(server: MisbehavingServer, session: requests.Session) -> Fetcher:
    """Like `fetch`, without a second attempt."""
    return Fetcher(server, session, Waits((), 0))


def test_whole_file(server: MisbehavingServer, fetch: Fetcher, partial: Partial) -> None:
    server.files["/file"] = Served(CONTENT)
    fetch(partial)
    assert partial.path.read_bytes() == CONTENT
    assert partial.complete
    fetch(partial)
    assert len(server.answers) == 1, "a complete file was asked for again"


def test_lost_connection_goes_on_with_the_missing_bytes_only(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial, pauses: list[float]
) -> None:
    server.files["/file"] = Served(CONTENT, cuts=[HALF])
    fetch(partial, len(CONTENT))
    assert partial.path.read_bytes() == CONTENT
    assert pauses == [1.0]
    first, second = server.answers
    assert (first.sent, first.range) == (HALF, None)
    assert (second.status, second.if_range) == (206, '"one"')
    start = int(second.range.removeprefix("bytes=").removesuffix("-"))
    assert HALF - PIECE <= start <= HALF
    assert second.sent == len(CONTENT) - start


def test_later_run_resumes(server: MisbehavingServer, once: Fetcher, partial: Partial) -> None:
    server.files["/file"] = Served(CONTENT, cuts=[HALF])
    with pytest.raises(TemporaryError, match="connection was lost"):
        once(partial)
    kept = partial.size
    assert HALF - PIECE <= kept <= HALF
    once(partial)
    assert partial.path.read_bytes() == CONTENT
    assert server.answers[1].sent == len(CONTENT) - kept


def test_date_serves_where_there_is_no_entity_tag(
    server: MisbehavingServer, once: Fetcher, partial: Partial
) -> None:
    date = "Mon, 02 Mar 2020 10:00:00 GMT"
    server.files["/file"] = Served(CONTENT, etag='W/"weak"', last_modified=date, cuts=[HALF])
    with pytest.raises(TemporaryError):
        once(partial)
    once(partial)
    assert (server.answers[1].status, server.answers[1].if_range) == (206, date)
    assert partial.path.read_bytes() == CONTENT


def test_server_without_ranges_restarts(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT, ranges=False, cuts=[HALF])
    fetch(partial)
    assert partial.path.read_bytes() == CONTENT
    assert [answer.status for answer in server.answers] == [200, 200]


@pytest.mark.parametrize("honours", [True, False])
def test_changed_file_is_not_glued_to_the_old_half(
    server: MisbehavingServer, once: Fetcher, partial: Partial, honours: bool
) -> None:
    server.files["/file"] = Served(CONTENT, cuts=[HALF])
    with pytest.raises(TemporaryError):
        once(partial)
    other = CONTENT[::-1]
    server.files["/file"] = Served(other, etag='"two"', honours_if_range=honours)
    once(partial)
    assert partial.path.read_bytes() == other


def test_without_validator_only_a_published_checksum_allows_resuming(
    server: MisbehavingServer, once: Fetcher, partial: Partial
) -> None:
    served = Served(CONTENT, etag=None, cuts=[HALF, HALF])
    server.files["/file"] = served
    with pytest.raises(TemporaryError):
        once(partial)
    with pytest.raises(TemporaryError):
        once(partial)
    assert server.answers[1].range is None
    once(Partial(partial.path, pinned=True))
    assert server.answers[2].status == 206
    assert partial.path.read_bytes() == CONTENT


def test_partial_file_longer_than_the_file_restarts(
    server: MisbehavingServer, once: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT, cuts=[HALF])
    with pytest.raises(TemporaryError):
        once(partial)
    server.files["/file"] = Served(CONTENT[:1000])
    once(partial)
    assert [answer.status for answer in server.answers] == [200, 416, 200]
    assert partial.path.read_bytes() == CONTENT[:1000]


def test_busy_server_is_asked_again_after_growing_pauses(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial, pauses: list[float]
) -> None:
    server.files["/file"] = Served(CONTENT, statuses=[500, 503])
    fetch(partial)
    assert pauses == [1.0, 5.0]
    server.files["/file"] = Served(CONTENT, statuses=[503, 500, 502], headers={"Retry-After": "40"})
    partial.remove()
    pauses.clear()
    with pytest.raises(TemporaryError, match="502"):
        fetch(partial)
    assert pauses == [40.0, 40.0]


def test_pauses_start_anew_when_bytes_arrive(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial, pauses: list[float]
) -> None:
    step = len(CONTENT) // 6
    server.files["/file"] = Served(CONTENT, cuts=[step] * 5)
    fetch(partial)
    assert pauses == [1.0] * 5
    assert partial.path.read_bytes() == CONTENT


def test_missing_file_is_not_asked_for_again(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial, pauses: list[float]
) -> None:
    with pytest.raises(SourceError, match="404 Not Found"):
        fetch(partial)
    assert not pauses
    assert len(server.answers) == 1


def test_web_page_in_place_of_the_file(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(WEB_PAGE)
    with pytest.raises(SourceError, match=r"web page .*'Quota exceeded'"):
        fetch(partial)
    assert partial.size == 0


def test_web_page_does_not_cost_what_is_here(
    server: MisbehavingServer, once: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT, cuts=[HALF])
    with pytest.raises(TemporaryError):
        once(partial)
    kept = partial.size
    server.files["/file"] = Served(WEB_PAGE, etag=None)
    with pytest.raises(SourceError, match="web page"):
        once(partial)
    assert partial.size == kept
    server.files["/file"] = Served(CONTENT)
    once(partial)
    assert server.answers[-1].sent == len(CONTENT) - kept


def test_wrong_size_is_refused_before_it_is_read(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT)
    with pytest.raises(SourceError, match="expected a file of 12 bytes, the server offers 700000"):
        fetch(partial, 12)
    assert not partial.path.exists()


def test_no_room_is_said_before_it_is_used(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT, length=10**17)
    with pytest.raises(DiskError, match=r"needs .* TiB more.*make room"):
        fetch(partial)


def test_file_of_unknown_length(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT, length=None)
    fetch(partial)
    assert partial.path.read_bytes() == CONTENT


def test_empty_answer(server: MisbehavingServer, fetch: Fetcher, partial: Partial) -> None:
    server.files["/file"] = Served(b"")
    with pytest.raises(SourceError, match="empty file"):
        fetch(partial)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/a", "gopher://host/a"])
def test_a_redirect_to_another_kind_of_address_is_final(
    target: str, server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(b"", statuses=[302] * 9, headers={"Location": target})
    with pytest.raises(SourceError, match=r"is no address of a web server"):
        fetch(partial)
    assert len(server.answers) == 1


def test_a_body_without_a_size_has_a_limit(
    server: MisbehavingServer,
    fetch: Fetcher,
    partial: Partial,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.files["/file"] = Served(CONTENT, length=None)
    with pytest.raises(SourceError, match="more than the 1000 bytes"):
        fetch(partial, wanted_bytes=1000)
    monkeypatch.setattr(transfer, "LONGEST_BODY", 2000)
    with pytest.raises(SourceError, match="more than the 2000 bytes"):
        fetch(partial)
    assert len(server.answers) == 2
    assert partial.size <= 2000 + PIECE


@pytest.mark.parametrize("length", [-1, None])
def test_a_server_that_drips_is_left(
    server: MisbehavingServer,
    once: Fetcher,
    partial: Partial,
    monkeypatch: pytest.MonkeyPatch,
    length: int | None,
) -> None:
    """Byte by byte no single wait is long: it would take 18 hours to the next 64 kilobytes."""
    served = server.files["/file"] = Served(CONTENT[:400], length=length, drip=0.01)
    monkeypatch.setattr(transfer, "SLOWEST", (1e6, 0.3))
    with pytest.raises(SourceError, match=r"bytes a second: too slow"):
        once(partial)
    with pytest.raises(SourceError, match=r"bytes a second: too slow"):
        read_page(open_url(once.session, f"{server.url}/file"))
    assert all(20 <= answer.sent < 300 for answer in server.answers)
    served.drip = 0.0
    once(partial)
    assert partial.path.read_bytes() == CONTENT[:400]


@pytest.mark.parametrize("number", ["9" * 5000, "\u00b2", "-1"])
def test_numbers_of_a_server_that_are_none(
    server: MisbehavingServer, once: Fetcher, partial: Partial, number: str
) -> None:
    """Too many digits for Python, or a digit that is no number: as if nothing were said."""
    served = server.files["/file"] = Served(CONTENT, length=number, cuts=[HALF])
    once(partial)
    kept = partial.size
    assert 0 < kept <= HALF
    served.length, served.headers = -1, {"Content-Range": f"bytes {kept}-{number}/{number}"}
    partial.write_note(len(CONTENT), '"one"')
    once(partial)
    assert partial.path.read_bytes() == CONTENT
    server.files["/file"] = Served(CONTENT, statuses=[503], headers={"Retry-After": number})
    partial.remove()
    with pytest.raises(TemporaryError, match="503"):
        once(partial)


def test_compressed_transfer_is_not_unpacked(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial
) -> None:
    server.files["/file"] = Served(CONTENT, headers={"Content-Encoding": "gzip"})
    fetch(partial)
    assert partial.path.read_bytes() == CONTENT


def test_no_network(
    session: requests.Session, waits: Waits, pauses: list[float], partial: Partial
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    with pytest.raises(TemporaryError, match=r"cannot reach 127\.0\.0\.1.*check the network"):
        download(lambda: Address(url, session), partial, name="file.zip", waits=waits)
    assert pauses == [1.0], "there is no network: it does not wait for long"
    partial.path.write_bytes(b"half of it")
    with pytest.raises(TemporaryError):
        download(lambda: Address(url, session), partial, name="file.zip", waits=waits)
    assert pauses == [1.0, 1.0, 5.0], "the network was there before: it may come back"


def test_progress_shows_size_and_time_left(
    server: MisbehavingServer, fetch: Fetcher, partial: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    server.files["/file"] = Served(CONTENT)
    fetch(partial)
    shown = terminal.getvalue()
    assert "file.zip" in shown
    assert "684k/684k" in shown
    assert "<" in shown, "no time left"


def test_memory_stays_flat(server: MisbehavingServer, fetch: Fetcher, partial: Partial) -> None:
    content = bytes(24 * 2**20)
    server.files["/file"] = Served(content)
    tracemalloc.start()
    fetch(partial)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert partial.size == len(content)
    assert peak < 4 * 2**20
