"""Thumbnails on disk, found again by the hash of the photograph's pixels.

One file holds up to some thousand of them; files are only ever added. Whoever writes beside us
writes files of other names, and a picture that stands in two files is no harm.
"""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ndr.atomic_file import atomic_path
from ndr.data.leaks.thumbnails import SIDE, VERSION

log = logging.getLogger(__name__)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Thumbnails of one file by pixel hash."""
    with np.load(path, allow_pickle=False) as content:
        keys, thumbnails = content["keys"], content["thumbnails"]
    if keys.shape != (len(keys), 32) or thumbnails.shape != (len(keys), SIDE, SIDE):
        raise ValueError(f"keys {keys.shape} and thumbnails {thumbnails.shape}")
    if keys.dtype != np.uint8 or thumbnails.dtype != np.uint8:
        raise ValueError(f"{keys.dtype} keys and {thumbnails.dtype} thumbnails")
    return {key.tobytes().hex(): small for key, small in zip(keys, thumbnails, strict=True)}


class ThumbnailCache:
    """The thumbnails of a folder.

    A damaged file is left out with a warning: its thumbnails are made again.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._known: dict[str, np.ndarray] = {}
        for path in sorted(self.folder.glob(f"thumbnails-v{VERSION}-*.npz")):
            try:
                self._known |= _read(path)
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
                log.warning("%s is damaged (%s): it is not used; delete it", path, error)

    def __contains__(self, pixels_sha256: str) -> bool:
        return pixels_sha256 in self._known

    def __getitem__(self, pixels_sha256: str) -> np.ndarray:
        """The thumbnail, uint8 (64, 64); KeyError where it is not there."""
        return self._known[pixels_sha256]

    def add(self, thumbnails: Mapping[str, np.ndarray]) -> None:
        """Write thumbnails by pixel hash into a new file.

        Raises:
            OSError: the disk is full or not writable.
        """
        if not thumbnails:
            return
        keys = np.array([list(bytes.fromhex(key)) for key in thumbnails], dtype=np.uint8)
        name = hashlib.sha256(keys.tobytes()).hexdigest()[:24]
        with atomic_path(self.folder / f"thumbnails-v{VERSION}-{name}.npz") as temporary:
            np.savez(temporary, keys=keys, thumbnails=np.stack(list(thumbnails.values())))
        self._known |= thumbnails
