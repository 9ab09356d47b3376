"""A prepared set as the scan sees it: its different pictures, and the rows that show each."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ndr.atomic_file import atomic_path
from ndr.data.image_files import in_order, pixels_sha256, read_rgb
from ndr.data.leaks.likeness import SIDE, VERSION, thumbnail
from ndr.data.manifest import FILE_NAME, Manifest, ManifestError, ManifestRow

log = logging.getLogger(__name__)

SIDES = ("clean", "degraded")
PICTURES_PER_FILE = 2048
"""A scan that is cut off loses at most the work on as many pictures."""


def _read(path: Path) -> dict[str, np.ndarray]:
    """Thumbnails of one file by pixel hash."""
    with np.load(path, allow_pickle=False) as content:
        keys, thumbnails = content["keys"], content["thumbnails"]
    if keys.shape != (len(keys), 32) or thumbnails.shape != (len(keys), SIDE, SIDE):
        raise ValueError(f"keys {keys.shape} and thumbnails {thumbnails.shape}")
    if keys.dtype != np.uint8 or thumbnails.dtype != np.uint8:
        raise ValueError(f"{keys.dtype} keys and {thumbnails.dtype} thumbnails")
    return {key.tobytes().hex(): small for key, small in zip(keys, thumbnails, strict=True)}


class ThumbnailCache(dict[str, np.ndarray]):
    """The thumbnails of a folder by pixel hash, uint8 (64, 64).

    A damaged file is left out with a warning: its thumbnails are made again.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)
        for path in sorted(self.folder.glob(f"thumbnails-v{VERSION}-*.npz")):
            try:
                self.update(_read(path))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
                log.warning("%s is damaged (%s): it is not used; delete it", path, error)

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
        self.update(thumbnails)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands in a set."""

    row: int
    side: str
    """`clean` or `degraded`."""


@dataclass(frozen=True, slots=True)
class ScannedSet:
    """The pictures of a prepared set, each once, and where they stand."""

    name: str
    manifest: Manifest
    places: Mapping[str, tuple[Place, ...]]
    """By hash of the decoded pixels."""

    @property
    def rows(self) -> Sequence[ManifestRow]:
        """The manifest's rows."""
        return self.manifest.rows

    @property
    def pictures(self) -> tuple[str, ...]:
        """Pixel hashes in the order of the manifest."""
        return tuple(self.places)

    def truth(self, row: ManifestRow) -> str:
        """Pixel hash that says what a row shows: of the clean image where there is one."""
        return row.clean_pixels_sha256 or row.degraded_pixels_sha256

    def path(self, pixels: str) -> Path:
        """A file with this picture."""
        place = self.places[pixels][0]
        return self.manifest.path(getattr(self.rows[place.row], place.side))


def read_set(sets_folder: str | Path, name: str) -> ScannedSet:
    """Read a prepared set's manifest; no image is opened.

    Raises:
        FileNotFoundError: the set is not prepared.
        ManifestError: its manifest is damaged.
    """
    manifest = Manifest.read(Path(sets_folder) / name / FILE_NAME)
    places: dict[str, list[Place]] = {}
    for number, row in enumerate(manifest.rows):
        for side in SIDES:
            pixels = getattr(row, f"{side}_pixels_sha256")
            if pixels:
                places.setdefault(pixels, []).append(Place(number, side))
    return ScannedSet(name, manifest, {key: tuple(found) for key, found in places.items()})


def _checked_thumbnail(picture: tuple[str, Path]) -> tuple[str, np.ndarray]:
    pixels, path = picture
    image = read_rgb(path)
    found = pixels_sha256(image)
    if found != pixels:
        raise ManifestError(
            f"{path}: the picture changed since its set was prepared: expected pixels {pixels}, "
            f"found {found}; delete the set's folder and prepare it again"
        )
    return pixels, thumbnail(image)


def fill_cache(sets: Sequence[ScannedSet], cache: ThumbnailCache, workers: int) -> int:
    """Make the thumbnails that are not in the cache yet; pictures are decoded in parallel.

    Args:
        sets: all sets of the scan.
        cache: gets the new thumbnails.
        workers: pictures that are decoded at the same time.

    Returns:
        Number of pictures that were decoded.

    Raises:
        FileNotFoundError, ImageFileError: a file of a set is gone or damaged.
        ManifestError: a file changed since its set was prepared.
    """
    wanted = {
        pixels: one_set.path(pixels)
        for one_set in sets
        for pixels in one_set.pictures
        if pixels not in cache
    }
    made: dict[str, np.ndarray] = {}
    for pixels, small in in_order(_checked_thumbnail, list(wanted.items()), "pictures", workers):
        made[pixels] = small
        if len(made) == PICTURES_PER_FILE:
            cache.add(made)
            made = {}
    cache.add(made)
    return len(wanted)
