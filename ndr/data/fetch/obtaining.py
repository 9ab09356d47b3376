"""One file of a set, verified, under its final name: from whatever source gives it."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock, Timeout

from ndr.atomic_file import write_text
from ndr.data.fetch.fetch_errors import (
    BadFileError,
    FetchError,
    ManualStepError,
    SourceError,
    TemporaryError,
    shown,
    size_text,
)
from ndr.data.fetch.source import Download
from ndr.data.fetch.transfer import Partial, Waits, web_page_title
from ndr.data.fetch.ways import Way, manual_steps, ways_of
from ndr.records.downloads import Obtained
from ndr.records.provenance import file_sha256
from ndr.records.record import ResultFileError

log = logging.getLogger(__name__)

SHARED = "shared"
"""Folder of the downloads that several sets use."""
BY_HAND = "placed by hand"


def _now() -> str:
    """UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def place_of(set_name: str, download: Download) -> str:
    """Folder below `data/downloads` (and below a mirror) that holds the file."""
    return SHARED if download.shared else set_name


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file, which one process at a time can; says so when it has to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting: another process works on %s", path.with_suffix(""))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody says of a file."""

    said_by: str
    bytes: int | None = None
    sha256: str | None = None


def _checksum_file(target: Path) -> Path:
    """Where the sha256 of a file is recorded, as `sha256sum --check` reads it."""
    return target.with_name(f"{target.name}.sha256")


def expectations(download: Download, target: Path) -> tuple[Expected, ...]:
    """What the catalogue says, and what was recorded when no checksum was published.

    Raises:
        FetchError: the record is not readable.
    """
    published = Expected("the catalogue", download.bytes, download.sha256)
    record = _checksum_file(target)
    if download.sha256 is not None or not record.exists():
        return (published,)
    sha256 = record.read_text(encoding="utf-8", errors="replace").split(" ")[0]
    if len(sha256) != 64:
        raise FetchError(f"{record}: expected a sha256 and the file's name; delete it if damaged")
    return published, Expected(
        f"{record} (recorded at the first download; delete it if the publisher has replaced the "
        "file and you trust the new one)",
        sha256=sha256,
    )


def verify(path: Path, name: str, expected: Sequence[Expected]) -> str:
    """Compare a file with what is said of it; returns its sha256.

    Raises:
        BadFileError: it differs; the message shows both values and who said the expected one.
    """
    with path.open("rb") as file:
        title = web_page_title(file.read(4096))
    page = "" if title is None else f"; what lies there is a web page ({title or 'no title'})"
    size = path.stat().st_size
    for claim in expected:
        if claim.bytes not in (None, size):
            raise BadFileError(
                f"{name}: expected {claim.bytes} bytes by {claim.said_by}, found {size}{page}"
            )
    sha256 = file_sha256(path)
    for claim in expected:
        if claim.sha256 not in (None, sha256):
            raise BadFileError(
                f"{name}: expected sha256 {claim.sha256} by {claim.said_by}, found {sha256}{page}"
            )
    if page and not name.lower().endswith((".html", ".htm")):
        raise BadFileError(f"{name}: expected a file{page}")
    return sha256


def set_aside(path: Path, target: Path, error: BadFileError) -> BadFileError:
    """Keep a wrong file as `<file>.rejected`, where nobody takes it for the right one."""
    rejected = target.with_name(f"{target.name}.rejected")
    path.replace(rejected)
    return BadFileError(f"{error}; it is kept aside as {rejected}")


def _record_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _obtained(target: Path, sha256: str, source: str, time: str) -> Obtained:
    return Obtained(
        file=target.name,
        location=target.as_posix(),
        bytes=target.stat().st_size,
        sha256=sha256,
        source=source,
        time=time,
    )


def _what_is_here(target: Path, sha256: str) -> Obtained:
    """Describe a verified file by the record of its download, if that speaks of these bytes."""
    try:
        record = Obtained.read_if_there(_record_path(target))
    except ResultFileError as error:
        log.warning("%s; the file itself is verified", error)
        record = None
    if record is not None and record.sha256 == sha256:
        return _obtained(target, sha256, record.source, record.time)
    log.info("%s: found without a record of its download", target)
    return _obtained(target, sha256, BY_HAND, _now())


def pinned_by(set_name: str, download: Download, downloads: Path) -> str:
    """What the bytes of a download are compared with, in a few words."""
    if download.sha256 is not None:
        return "published sha256"
    if _checksum_file(downloads / place_of(set_name, download) / download.file).exists():
        return "recorded at the first download here"
    return "published size alone" if download.bytes is not None else "nothing yet"


def _kept(obtained: Obtained, download: Download) -> Obtained:
    record = _checksum_file(obtained.path)
    if download.sha256 is None and not record.exists():
        log.info(
            "%s: no checksum is published; compared with %s from now on", obtained.path, record
        )
    write_text(record, f"{obtained.sha256}  {obtained.file}\n")
    obtained.write(_record_path(obtained.path))
    return obtained


def _by(
    way: Way,
    target: Path,
    download: Download,
    claims: Sequence[Expected],
    accept: Callable[[Path], None],
) -> Obtained:
    # A partial file for each source: two sources may hold two versions.
    key = hashlib.sha256(way.label.encode()).hexdigest()[:8]
    path = target.with_name(f"{target.name}.{key}.partial")
    partial = Partial(path, pinned=download.sha256 is not None)
    log.info("%s: trying %s", download.file, shown(way.label))
    host = way.bring(partial)
    if host is not None:
        claims = (*claims, Expected(way.label, host.bytes, host.sha256))
    try:
        sha256 = verify(partial.path, download.file, claims)
        accept(partial.path)
    except BadFileError as error:
        partial.note_path.unlink(missing_ok=True)
        raise set_aside(partial.path, target, error) from error
    partial.path.replace(target)
    for left in target.parent.glob(f"{target.name}.*.partial*"):
        if left.is_file():
            left.unlink()
    log.info("%s: %s, sha256 %s", target, size_text(target.stat().st_size), sha256)
    return _obtained(target, sha256, shown(way.label), _now())


def _failed(download: Download, target: Path, failures: list[FetchError]) -> FetchError:
    tried = "".join(f"\n  - {failure}" for failure in failures)
    steps = manual_steps(download)
    if not steps:
        return SourceError(
            f"{download.file}: none of the sources gave the file:{tried}\nRun again later (partial "
            f"downloads are kept), or place the file at {target}"
        )
    facts = [f"{download.bytes} bytes"] if download.bytes else []
    facts += [f"sha256 {download.sha256}"] if download.sha256 else []
    return ManualStepError(
        f"{download.file} must be fetched by hand"
        + (f", other sources failed:{tried}" if tried else "")
        + "".join(f"\n  {step.strip()}" for step in steps)
        + f"\n  Save it as {target}"
        + (f" ({', '.join(facts)})" if facts else "")
        + "\nThen run again: it is verified like any download."
    )


def obtain(
    set_name: str,
    download: Download,
    downloads: Path,
    accept: Callable[[Path], None],
    *,
    mirrors: tuple[str, ...] = (),
    waits: Waits,
    session: requests.Session,
) -> Obtained:
    """Bring one file, or find it where an earlier run or the user has put it.

    It lies in `<downloads>/<set>/`, or in `<downloads>/shared/`; one process at a time does this
    for one file, so sets may share it.

    Args:
        set_name: the set.
        download: the file.
        downloads: folder of the downloads.
        accept: looks into the file before it gets its final name (an archive is unpacked);
            raises `BadFileError` if it is damaged.
        mirrors: folders or addresses, tried first.
        waits: pauses between attempts.
        session: for requests to web servers.

    Raises:
        ManualStepError: the user has to fetch it; the message says how.
        FetchError: no source gave it; the message lists what each answered.
    """
    place = place_of(set_name, download)
    target = downloads / place / download.file
    failures: list[FetchError] = []
    with held(target.with_name(f"{target.name}.lock")):
        claims = expectations(download, target)
        if target.exists():
            try:
                sha256 = verify(target, download.file, claims)
                accept(target)
                return _kept(_what_is_here(target, sha256), download)
            except BadFileError as error:
                failures.append(set_aside(target, target, error))
        for way in ways_of(download, place, mirrors, waits, session):
            try:
                return _kept(_by(way, target, download, claims, accept), download)
            except (SourceError, TemporaryError, BadFileError) as error:
                log.warning("%s", error)
                failures.append(error)
        raise _failed(download, target, failures)
