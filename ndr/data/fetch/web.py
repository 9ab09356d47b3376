"""Requests to web servers, and what their answers mean for the next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
import urllib3

import ndr
from ndr.data.fetch.failures import SourceError, TemporaryError, UnreachableError

TIMEOUT = (20.0, 60.0)
"""Seconds to wait for a connection, and between two pieces of an answer."""
TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)
CONNECTION_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


def new_session() -> requests.Session:
    """A session that asks for files as they are: compressed answers would break resuming."""
    session = requests.Session()
    session.headers.update(
        {
            "User-Agent": f"ndr-restore-benchmark/{ndr.__version__}",
            "Accept-Encoding": "identity",
        }
    )
    return session


def connection_problem(url: str, error: Exception) -> SourceError | TemporaryError:
    """Say what a failed request means: a certificate stays wrong, a lost connection may return."""
    host = urlsplit(url).netloc
    if isinstance(error, requests.exceptions.SSLError):
        return SourceError(f"{url}: the certificate of {host} is not accepted: {error}")
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


def _seconds(retry_after: str | None) -> float:
    """Value of a Retry-After header in seconds; dates are not worth the trouble: 0."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0


def open_url(
    session: requests.Session, url: str, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """Ask for a URL and return the answer with its body unread.

    Answers 2xx and 416 (the range lies beyond the end) are returned.

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
        raise TemporaryError(message, _seconds(response.headers.get("Retry-After")))
    raise SourceError(message)


def read_page(response: requests.Response, limit: int = 2**20) -> str:
    """Text of a web page, at most `limit` bytes of it.

    Raises:
        TemporaryError: the connection was lost.
    """
    try:
        content = response.raw.read(limit, decode_content=True)
    except CONNECTION_ERRORS as error:
        raise connection_problem(response.url, error) from error
    return content.decode("utf-8", errors="replace")


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
