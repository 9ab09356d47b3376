"""What can go wrong when a set is fetched, and what a full disk means."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FetchError(OSError):
    """A file or set that did not arrive; the message says why and what to do."""


class TemporaryError(FetchError):
    """Waiting may help: lost connection, busy server. The same source is tried again."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after
        """Seconds that the server asks to wait."""


class UnreachableError(TemporaryError):
    """No connection at all. Before the first byte this is hardly ever a matter of a minute."""


class SourceError(FetchError):
    """This source does not have the file, or does not give it away. The next one is tried."""


class BadFileError(FetchError):
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


def disk_error(path: Path, error: OSError) -> DiskError:
    """Explain a failed write; what was written stays for the next run."""
    if error.errno not in DISK_FULL:
        return DiskError(f"cannot write {path}: {error.strerror or error}")
    free = shutil.disk_usage(path.parent).free
    return DiskError(
        f"cannot write {path}: {error.strerror} ({size_text(free)} free); make room, or move data/ "
        "to a larger disk, and run again: a download goes on where it stopped"
    )


def check_room(path: Path, needed: int) -> None:
    """Raise `DiskError` unless the disk of `path` has room for `needed` more bytes."""
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise DiskError(
            f"{path}: needs {size_text(needed)} more, the disk has {size_text(free)} free; make "
            "room, or move data/ to a larger disk, and run again: a download goes on where it "
            "stopped"
        )
