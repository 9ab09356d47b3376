"""Whether a file is the one that was published: size, checksum, and not a web page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.atomic_file import write_text
from ndr.data.fetch.failures import BadFileError, FetchError
from ndr.data.fetch.source import Download
from ndr.data.fetch.web import web_page_title
from ndr.provenance import file_sha256


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody says of a file."""

    said_by: str
    bytes: int | None = None
    sha256: str | None = None


def checksum_file(target: Path) -> Path:
    """Where the sha256 of a file is recorded, as `sha256sum --check` reads it."""
    return target.with_name(f"{target.name}.sha256")


def expectations(download: Download, target: Path) -> tuple[Expected, ...]:
    """What the catalogue says, and what was recorded when no checksum was published.

    Raises:
        FetchError: the record is not readable.
    """
    published = Expected("the catalogue", download.bytes, download.sha256)
    record = checksum_file(target)
    if download.sha256 is not None or not record.exists():
        return (published,)
    sha256 = record.read_text(encoding="utf-8").split(" ")[0]
    if len(sha256) != 64:
        raise FetchError(f"{record}: expected a sha256 and the file's name; delete it if damaged")
    return published, Expected(
        f"{record} (recorded at the first download; delete it if the publisher has replaced the "
        "file and you trust the new one)",
        sha256=sha256,
    )


def record_checksum(target: Path, sha256: str) -> None:
    """Record what every later copy of the file is compared with."""
    write_text(checksum_file(target), f"{sha256}  {target.name}\n")


def verify(path: Path, name: str, expected: Sequence[Expected]) -> str:
    """Compare a file with what is said of it.

    Returns:
        Its sha256.

    Raises:
        BadFileError: it differs; the message shows both values and who said the expected one.
    """
    size = path.stat().st_size
    for claim in expected:
        if claim.bytes not in (None, size):
            raise BadFileError(
                f"{name}: expected {claim.bytes} bytes by {claim.said_by}, found {size}"
                + _if_web_page(path)
            )
    sha256 = file_sha256(path)
    for claim in expected:
        if claim.sha256 not in (None, sha256):
            raise BadFileError(
                f"{name}: expected sha256 {claim.sha256} by {claim.said_by}, found {sha256}"
                + _if_web_page(path)
            )
    if _if_web_page(path) and not name.lower().endswith((".html", ".htm")):
        raise BadFileError(f"{name}: expected a file" + _if_web_page(path))
    return sha256


def _if_web_page(path: Path) -> str:
    with path.open("rb") as file:
        title = web_page_title(file.read(4096))
    return "" if title is None else f"; what lies there is a web page ({title or 'no title'})"
