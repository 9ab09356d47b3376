"""Download of one file over HTTP: resumed where it stopped, tried again after a while.

The bytes go into a partial file; a note beside it says which version of the file they belong to.
A later run, or a later attempt of this one, asks only for the rest, by `Range` with `If-Range`
(RFC 9110, section 13.1.5). One piece of at most 64 KiB is in memory.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

import ndr
from ndr.atomic_file import write_json
from ndr.data.fetch.fetch_errors import (
    SourceError,
    TemporaryError,
    UnreachableError,
    check_room,
    disk_error,
    size_text,
)
from ndr.specs.json_text import parsed_json
from ndr.specs.typed_file import build

log = logging.getLogger(__name__)

TIMEOUT = (20.0, 60.0)
"""Seconds to wait for a connection, and between two pieces of an answer."""
LONGEST_WAIT = 300.0
"""Seconds to wait at most because a server asks for it."""
LONGEST_BODY = 2**39
"""Bytes of an answer of which nobody says the size."""
SLOWEST = 1024.0, 600.0
"""Bytes a second that are too few, once they have been so for that many seconds."""
PIECE = 2**16
TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)
CONNECTION_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


def new_session() -> requests.Session:
    """A session that asks for files as they are: compressed answers would break resuming."""
    session = requests.Session()
    session.headers.update(
        {"User-Agent": f"ndr-restore-benchmark/{ndr.__version__}", "Accept-Encoding": "identity"}
    )
    return session


def connection_problem(url: str, error: Exception) -> SourceError | TemporaryError:
    """Say what a failed request means: a certificate stays wrong, a lost connection may return."""
    host = urlsplit(url).netloc.split("@")[-1]
    if isinstance(error, requests.exceptions.SSLError):
        return SourceError(f"{url}: the certificate of {host} is not accepted: {error}")
    if isinstance(error, requests.exceptions.InvalidSchema):
        return SourceError(f"{url}: it leads to what is no address of a web server: {error}")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.TooManyRedirects):
        return SourceError(f"{url}: {error}")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return TemporaryError(f"{url}: no answer from {host} in time")
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.HTTPError):
        return TemporaryError(f"{url}: the connection was lost: {error}")
    reason = getattr(error.args[0] if error.args else error, "reason", error)
    return UnreachableError(
        f"{url}: cannot reach {host}; check the network and the proxy settings "
        f"({str(reason).split('): ', 1)[-1]})"
    )


def open_url(
    session: requests.Session, url: str, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """Ask for a URL; an answer 2xx or 416 (the range lies beyond the end), its body unread.

    Raises:
        TemporaryError: unreachable, too slow, too busy.
        SourceError: refused, or not there.
    """
    try:
        response = session.get(url, headers=dict(headers or {}), stream=True, timeout=TIMEOUT)
    except CONNECTION_ERRORS as error:
        raise connection_problem(url, error) from error
    status = response.status_code
    if status < 300 or status == 416:
        return response
    response.close()
    message = f"{url}: the server answers {status} {response.reason}"
    if status in TEMPORARY_STATUS:
        after = response.headers.get("Retry-After", "")  # a date is not worth the trouble
        raise TemporaryError(message, float(_number(after) or 0))
    raise SourceError(message)


def read_page(response: requests.Response, limit: int = 2**20) -> str:
    """Text of a web page, at most `limit` bytes of it."""
    content = bytearray()
    for piece in _pieces(response, decoded=True):
        content += piece
        if len(content) >= limit:
            break
    return content[:limit].decode("utf-8", errors="replace")


def web_page_title(head: bytes) -> str | None:
    """Title of a web page, "" if it has none, None if these first bytes are no web page.

    Quota, login and error pages come with status 200 in place of files.

    >>> web_page_title(b"<!DOCTYPE html><html><head><title> Quota exceeded </title>")
    'Quota exceeded'
    >>> web_page_title(b"PK") is None
    True
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith((b"<!doctype html", b"<html", b"<head", b"<script", b"<!--")):
        return None
    title = re.search(rb"<title[^>]*>(.*?)</title", head, flags=re.IGNORECASE | re.DOTALL)
    return " ".join(title[1].decode("utf-8", errors="replace").split()) if title else ""


@dataclass(frozen=True, slots=True)
class Waits:
    """Pauses before the same source is tried again, in seconds; the last failure is final.

    An attempt that brought new bytes starts the list anew.
    """

    delays: tuple[float, ...] = (2.0, 8.0, 30.0, 60.0)
    unreachable: int = 1
    """So many of them where no connection was made and no byte is here: there is no network."""
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Address:
    """Where a file is right now: links of file hosts expire, so each attempt asks for it anew."""

    url: str
    session: requests.Session
    bytes: int | None = None
    sha256: str | None = None
    """What the host itself says of the file."""


@dataclass(frozen=True, slots=True)
class Partial:
    """A file on its way, and the note on what it is a part of."""

    path: Path
    pinned: bool = False
    """A published checksum will tell a wrong mixture: resume even without a validator."""

    @property
    def note_path(self) -> Path:
        """Where the note lies."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def note(self) -> dict[str, Any]:
        """Validator and total size; empty where there is no (readable) note."""
        try:
            return build(dict[str, Any], parsed_json(self.note_path.read_bytes()))
        except (OSError, ValueError):
            return {}

    @property
    def complete(self) -> bool:
        """Whether an earlier run brought all of it."""
        return self.size > 0 and self.note.get("total") == self.size

    def remove(self) -> None:
        """Forget the bytes and the note."""
        self.note_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def write_note(self, total: int | None, validator: str | None) -> None:
        """Say what the bytes that follow belong to."""
        try:
            write_json(self.note_path, {"total": total, "validator": validator})
        except OSError as error:
            raise disk_error(self.path, error) from error


def _number(text: str) -> int | None:
    """A number of an answer's head; None where it is none, or one that no file has."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _validator(response: requests.Response) -> str | None:
    """What identifies this version of the file: a strong entity tag, else the date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _content_range(response: requests.Response) -> tuple[int, int | None]:
    """First byte and total size that an answer 206 or 416 names; -1 where it names none."""
    text = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", text.strip())
    if match is None:
        return -1, None
    start, total = map(_number, (match[1] or "", match[2]))
    return -1 if start is None else start, total


def _is_the_rest(response: requests.Response, partial: Partial) -> bool:
    """Whether an answer to a request for the rest continues these bytes."""
    start, total = _content_range(response)
    known = partial.note
    return (
        response.status_code == 206
        and start == partial.size
        and known.get("total") in (None, total)
        and (partial.pinned or _validator(response) in (None, known.get("validator")))
    )


def _ask(address: Address, partial: Partial) -> tuple[requests.Response, int]:
    """Ask for the rest, or for everything; returns the answer and where its bytes belong."""
    validator = partial.note.get("validator")
    if partial.size > 0 and (partial.pinned or validator):
        headers = {"Range": f"bytes={partial.size}-"} | (
            {"If-Range": validator} if validator else {}
        )
        response = open_url(address.session, address.url, headers)
        if _is_the_rest(response, partial):
            return response, partial.size
        if response.status_code == 200:
            # The server has another version by now, or knows no ranges.
            return response, 0
        response.close()
    response = open_url(address.session, address.url)
    if response.status_code != 200:
        response.close()
        raise SourceError(f"{address.url}: the server answers {response.status_code}")
    return response, 0


def _pieces(response: requests.Response, decoded: bool = False) -> Iterator[bytes]:
    """A body as it comes, in pieces of any size up to `PIECE`.

    Undecoded where it is a file: some servers call a .tgz file "gzip-encoded".

    Raises:
        SourceError: fewer bytes come than `SLOWEST` allows.
        TemporaryError: the connection was lost.
    """
    began, size = time.monotonic(), 0
    try:
        # Not `stream`, which waits for a whole piece, however slowly its bytes drip.
        while piece := response.raw.read1(PIECE, decode_content=decoded):
            size += len(piece)
            seconds = time.monotonic() - began
            if seconds > SLOWEST[1] and size < SLOWEST[0] * seconds:
                raise SourceError(f"{response.url}: {size / seconds:.0f} bytes a second: too slow")
            yield piece
    except CONNECTION_ERRORS as error:
        raise connection_problem(response.url, error) from error


def _first_piece(pieces: Iterator[bytes], url: str) -> bytes:
    """First bytes of a file, at least 1 KiB of it; a web page in its place is refused."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= 1024:
            break
    title = web_page_title(head)
    if title is not None:
        raise SourceError(
            f"{url}: a web page came instead of the file"
            + (f", its title is {title!r}" if title else "")
            + "; a quota may be used up or a login be needed: try again later, or open it in a "
            "browser"
        )
    return head


def _attempt(address: Address, partial: Partial, wanted: int | None, bar: tqdm) -> None:
    response, offset = _ask(address, partial)
    with contextlib.closing(response):
        pieces = _pieces(response)
        # Before anything is overwritten: a quota page must not cost what is already here.
        head = _first_piece(pieces, address.url) if offset == 0 else b""
        total = _number(response.headers.get("Content-Length", ""))
        if response.status_code == 206:
            total = _content_range(response)[1]
        expected = wanted if wanted is not None else address.bytes
        if None not in (total, expected) and total != expected:
            raise SourceError(
                f"{address.url}: expected a file of {expected} bytes, the server offers {total}"
            )
        total = total if total is not None else expected
        if offset == 0:
            partial.remove()
        check_room(partial.path, (total or 0) - offset)
        partial.write_note(total, _validator(response))
        bar.total, bar.n, bar.initial = total, offset, offset
        bar.refresh()
        most, size = total or LONGEST_BODY, offset
        for piece in _written(itertools.chain([head], pieces), partial.path):
            bar.update(len(piece))
            size += len(piece)
            if size > most:
                partial.remove()
                raise SourceError(f"{address.url}: more than the {most} bytes expected came")
    if partial.size == 0:
        raise SourceError(f"{address.url}: an empty file came")
    if total is not None and partial.size < total:
        raise TemporaryError(
            f"{address.url}: the connection was lost after {partial.size} of {total} bytes"
        )
    partial.write_note(partial.size, None)


def _written(pieces: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """Append pieces to a file and hand on each that is there.

    Unbuffered, so that after a crash the file holds all that the progress bar has shown.
    """
    try:
        file = path.open("ab", buffering=0)
    except OSError as error:
        raise disk_error(path, error) from error
    with file:
        for piece in pieces:
            rest = memoryview(piece)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError as error:
                raise disk_error(path, error) from error
            yield piece


def download(
    locate: Callable[[], Address],
    partial: Partial,
    *,
    name: str,
    wanted_bytes: int | None = None,
    waits: Waits,
) -> Address:
    """Bring all bytes of a file into its partial file; what an earlier run left there is used.

    Args:
        locate: finds out where the file is; asked before each attempt.
        partial: the file to fill.
        name: for the progress bar.
        wanted_bytes: published size; an answer of another size is refused before it is read.
        waits: pauses between attempts.

    Returns:
        The address that answered last, with what the host says of the file.

    Raises:
        SourceError: this source does not give the file.
        TemporaryError: it still fails after all pauses.
        DiskError: no room; the partial file is kept.
    """
    partial.path.parent.mkdir(parents=True, exist_ok=True)
    failures, most = 0, partial.size
    with tqdm(
        desc=name, unit="B", unit_scale=True, unit_divisor=1024, disable=None, initial=most
    ) as bar:
        while True:
            try:
                address = locate()
                if not partial.complete:
                    _attempt(address, partial, wanted_bytes, bar)
                return address
            except TemporaryError as error:
                failures = 1 if partial.size > most else failures + 1
                most = max(most, partial.size)
                hopeless = isinstance(error, UnreachableError) and most == 0
                retries = len(waits.delays)
                if failures > (min(waits.unreachable, retries) if hopeless else retries):
                    raise
                pause = max(waits.delays[failures - 1], min(error.after, LONGEST_WAIT))
                log.warning("%s; trying again in %g s (%s here)", error, pause, size_text(most))
                waits.sleep(pause)
