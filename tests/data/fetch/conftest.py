"""The misbehaving server, pauses that take no time, and no proxy in between."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ndr.data.fetch.transfer import Waits, new_session
from tests.data.fetch.misbehaving_server import MisbehavingServer, running_server, write_certificate


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("HF_ENDPOINT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def google(
    server: MisbehavingServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> MisbehavingServer:
    """The server, answering for Google's host names as a proxy that every request goes through."""
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(*certificate)
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    return server


@pytest.fixture
def pauses() -> list[float]:
    """Seconds that were waited, or would have been."""
    return []


@pytest.fixture
def waits(pauses: list[float]) -> Waits:
    return Waits((1.0, 5.0), sleep=pauses.append)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session() as opened:
        yield opened
