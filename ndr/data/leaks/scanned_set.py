"""A prepared set as the scan sees it: its different pictures, and the rows that show each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ndr.data.image_files import pixels_sha256, read_rgb
from ndr.data.leaks.thumbnail_cache import ThumbnailCache
from ndr.data.leaks.thumbnails import thumbnail
from ndr.data.manifest import FILE_NAME, Manifest, ManifestError, ManifestRow

SIDES = ("clean", "degraded")
PICTURES_PER_FILE = 2048
"""A scan that is cut off loses at most the work on as many pictures."""


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


def _checked_thumbnail(pixels: str, path: Path) -> tuple[str, np.ndarray]:
    image = read_rgb(path)
    found = pixels_sha256(image)
    if found != pixels:
        raise ManifestError(
            f"{path}: the picture changed since its set was prepared: expected pixels {pixels}, "
            f"found {found}; delete the set's folder and prepare it again"
        )
    return pixels, thumbnail(image)


def _batches(items: Iterable[tuple[str, Path]]) -> Iterator[list[tuple[str, Path]]]:
    items = iter(items)
    while batch := list(islice(items, PICTURES_PER_FILE)):
        yield batch


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    # Threads: decoding and hashing run outside of Python's lock.
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(wanted), desc="pictures", unit="image", disable=None) as progress,
    ):
        for batch in _batches(wanted.items()):
            made = {}
            for pixels, small in pool.map(_checked_thumbnail, *zip(*batch, strict=True)):
                made[pixels] = small
                progress.update()
            cache.add(made)
    return len(wanted)
