"""What can go wrong when a set is fetched, what of it may be shown, what a full disk means."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from ndr.console import printable

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"([?&])(?!(?:id|export|download|dl|raw)=)([\w.~%-]+=)[^&\s'\")]*")
"""Values in an address that may be a key; the others say which file is meant."""


def shown(text: str) -> str:
    """Text of an address or a server as it may stand in logs and records.

    Without user names, passwords and keys, and without codes that command a terminal.

    >>> shown("https://me:word@host/a.zip?id=3&token=word")
    'https://host/a.zip?id=3&token=...'
    """
    text = _QUERY.sub(r"\1\2...", _USER.sub("", text))
    return printable(text)


def check_address(address: str, query_allowed: bool = False) -> None:
    """Refuse an address that holds a password or a key: it would be recorded and published.

    Raises:
        ValueError: it does; the message does not repeat it.
    """
    try:
        parts = urlsplit(address)
        secret = parts.password is not None
    except ValueError:
        raise ValueError("expected an address or a folder, found none that can be read") from None
    if parts.scheme in ("http", "https", "ftp"):
        secret |= "@" in parts.netloc or bool(parts.query and not query_allowed)
    if secret:
        raise ValueError(
            f"{shown(address)}: expected an address without user, password or key, which would be "
            "recorded and published; write them to ~/.netrc (machine HOST login NAME password "
            "WORD), or to the file that the variable NETRC names"
        )


class FetchError(OSError):
    """A file or set that did not arrive; the message says why and what to do."""


class ReportedError(FetchError):
    """An error with words of a server or an address in it."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class TemporaryError(ReportedError):
    """Waiting may help: lost connection, busy server. The same source is tried again."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after
        """Seconds that the server asks to wait."""


class UnreachableError(TemporaryError):
    """No connection at all. Before the first byte this is hardly ever a matter of a minute."""


class SourceError(ReportedError):
    """This source does not have the file, or does not give it away. The next one is tried."""


class BadFileError(ReportedError):
    """What arrived is not the file: wrong checksum, web page, damaged or unsafe archive.

    It is kept aside as `<file>.rejected`, and the next source is tried.
    """


class DiskError(FetchError):
    """The disk is full or not writable: no other source would help. Partial files are kept."""


class ManualStepError(FetchError):
    """Only the user can get the file; the message says how, and where to put it."""


def size_text(count: int) -> str:
    """Number of bytes with the binary unit that a person would choose.

    >>> size_text(3530603713), size_text(512)
    ('3.29 GiB', '512 B')
    """
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{value:.2f} {units[0]}"


MAKE_ROOM = (
    "make room, or move data/ to a larger disk, and run again: a download goes on where it stopped"
)


def disk_error(path: Path, error: OSError) -> DiskError:
    """Explain a failed write; what was written stays for the next run."""
    if error.errno not in DISK_FULL:
        return DiskError(f"cannot write {path}: {error.strerror or error}")
    free = shutil.disk_usage(path.parent).free
    return DiskError(f"cannot write {path}: {error.strerror} ({size_text(free)} free); {MAKE_ROOM}")


def check_room(path: Path, needed: int) -> None:
    """Raise `DiskError` unless the disk of `path` has room for `needed` more bytes."""
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise DiskError(
            f"{path}: needs {size_text(needed)} more, the disk has {size_text(free)} free; "
            f"{MAKE_ROOM}"
        )
