"""A prepared set as the scan sees it: its different pictures, and the rows that show each."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ndr.atomic_file import atomic_path
from ndr.data.image_files import check_rgb, pixels_sha256, read_rgb
from ndr.data.manifest import FILE_NAME, Manifest, ManifestError, ManifestRow

SIDE = 64
"""Pixels on each side, whatever the shape of the photograph."""
VERSION = 1
"""Raised when `thumbnail` changes, so that stored thumbnails of the old kind are not used."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
MINIMUM_CONTRAST = 2.0
"""Grey levels between the darkest and the brightest point; below it a thumbnail is flat."""

ORIENTATIONS = (
    "as it is",
    "mirrored",
    "upside down",
    "turned by 180 degrees",
    "transposed",
    "turned by 90 degrees",
    "turned by 270 degrees",
    "transposed across the other diagonal",
)
"""Names of what `oriented` returns: flips and transposes, the augmentations of training."""


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink a photograph to a square grey picture with its contrast stretched to 8 bits.

    Each point is a weighted mean of the luma around it, so that compression and another size
    change it little. The weights fall off linearly: they are symmetric, unlike those of Pillow's
    box filter, so that a flipped photograph has the flipped thumbnail. The stretch makes hazy
    pictures as precise as clear ones.

    Args:
        image: uint8 array (H, W, 3).

    Returns:
        uint8 array (64, 64); all zeros where the photograph is flat.
    """
    check_rgb(image, "picture to shrink")
    grey = image.astype(np.float32) @ LUMA
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    darkest, contrast = small.min(), float(np.ptp(small))
    if contrast < MINIMUM_CONTRAST:
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    return np.rint((small - darkest) * (255.0 / contrast)).astype(np.uint8)


def flat(thumbnails: np.ndarray) -> np.ndarray:
    """Which thumbnails show nothing that could be compared; bool (N,)."""
    return thumbnails.reshape(len(thumbnails), -1).max(axis=1, initial=0) == 0


def oriented(thumbnails: np.ndarray) -> np.ndarray:
    """All thumbnails in all eight orientations.

    Args:
        thumbnails: (N, S, S).

    Returns:
        (8, N, S, S), in the order of `ORIENTATIONS`.
    """
    transposed = thumbnails.transpose(0, 2, 1)
    return np.stack(
        [
            thumbnails,
            thumbnails[:, :, ::-1],
            thumbnails[:, ::-1],
            thumbnails[:, ::-1, ::-1],
            transposed,
            transposed[:, ::-1],
            transposed[:, :, ::-1],
            transposed[:, ::-1, ::-1],
        ]
    )


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
