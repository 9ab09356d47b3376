"""A web server on this machine that does what servers of data sets do on bad days."""

from __future__ import annotations

import datetime
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

GOOGLE_HOSTS = ("drive.google.com", "drive.usercontent.google.com", "docs.google.com")


@dataclass
class Served:
    """What one address answers."""

    content: bytes
    etag: str | None = '"one"'
    last_modified: str | None = None
    ranges: bool = True
    """Whether it knows Range; otherwise the whole file comes."""
    honours_if_range: bool = True
    length: int | str | None = -1
    """Content-Length to claim; -1: the true one, None: none at all."""
    headers: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    """Answers of the first requests, before the file is given."""
    cuts: list[int] = field(default_factory=list)
    """After so many bytes of an answer the connection breaks, for the first answers."""
    drip: float = 0.0
    """Seconds after each single byte."""
    hold_after: int | None = None
    """After so many bytes nothing comes any more, until `released`."""
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@dataclass
class Answer:
    """What the server did with one request."""

    method: str
    address: str
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0
    """Bytes of the body that went into the socket."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MisbehavingServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        """Answer for another host: what follows on this connection is TLS."""
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        host = self.headers["Host"]
        here = host.startswith(("127.", "localhost"))
        address = self.path if here else f"https://{host}{self.path}"
        answer = Answer(
            self.command, address, self.headers.get("Range"), self.headers.get("If-Range")
        )
        self.server.answers.append(answer)
        served = self.server.files.get(address)
        if served is None or served.statuses:
            answer.status = served.statuses.pop(0) if served else 404
            self.send_response(answer.status)
            for name, value in (served.headers if served else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._give(served, answer)

    def _give(self, served: Served, answer: Answer) -> None:
        body, total = served.content, len(served.content)
        match = re.fullmatch(r"bytes=(\d+)-", answer.range or "")
        validators = (None, served.etag, served.last_modified)
        wanted = match and served.ranges
        if wanted and (answer.if_range in validators or not served.honours_if_range):
            start = int(match[1])
            if start >= total:
                answer.status = 416
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = body[start:]
            answer.status = 206
            self.send_response(206)
            if "Content-Range" not in served.headers:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            answer.status = 200
            self.send_response(200)
        length = len(body) if served.length == -1 else served.length
        facts = {"ETag": served.etag, "Last-Modified": served.last_modified, **served.headers}
        for name, value in {**facts, "Content-Length": length}.items():
            if value is not None:
                self.send_header(name, str(value))
        if length is None:
            self.close_connection = True
        self.end_headers()
        if self.command == "GET":
            self._send_body(served, answer, body)

    def _send_body(self, served: Served, answer: Answer, body: bytes) -> None:
        cut = served.cuts.pop(0) if served.cuts else None
        step = 1 if served.drip else 4096
        for start in range(0, len(body), step):
            time.sleep(served.drip)
            piece = body[start : start + step][: None if cut is None else max(0, cut - start)]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            answer.sent += len(piece)
            if cut is not None and answer.sent >= cut:
                self.wfile.flush()
                self.close_connection = True
                return
            if served.hold_after is not None and answer.sent >= served.hold_after:
                served.held.set()
                served.released.wait(timeout=60)
                self.close_connection = True
                return


class MisbehavingServer(ThreadingHTTPServer):
    """The server: put `Served` into `files`, read `answers`."""

    daemon_threads = True
    block_on_close = False
    tls: ssl.SSLContext

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.answers: list[Answer] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def sent(self, address: str) -> int:
        """Bytes of bodies that went out for an address."""
        return sum(answer.sent for answer in self.answers if answer.address == address)

    def of(self, address: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.address == address]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


@contextmanager
def running_server() -> Iterator[MisbehavingServer]:
    server = MisbehavingServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        for served in server.files.values():
            served.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for Google's hosts that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test of downloads")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in GOOGLE_HOSTS]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
