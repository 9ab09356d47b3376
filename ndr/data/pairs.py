"""Reading prepared sets: whole images for evaluation, crops for training."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ndr.data.image_files import ImageFileError, read_rgb
from ndr.data.manifest import FILE_NAME, Manifest, ManifestError, ManifestRow
from ndr.nearest_name import unknown_name
from ndr.provenance import file_sha256

DEFAULT_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Pair:
    """An image, or a crop of it, without and with its degradation.

    Both are float32 (H, W, 3), RGB, multiples of 1/255 in [0, 1].
    """

    name: str
    scene: str
    clean: np.ndarray
    degraded: np.ndarray | None
    """None where the degradation is added on reading (noise)."""


class ImageCache:
    """The decoded images that were used last, up to a number of bytes.

    Threads share it. A forked process goes on with the parent's images, without copying them,
    and with a lock of its own: the parent's may be held by a thread that does not exist there.
    """

    def __init__(self, limit_bytes: int) -> None:
        if limit_bytes < 0:
            raise ValueError(f"cache: expected bytes, 0 for none, found {limit_bytes}")
        self.limit_bytes = limit_bytes
        self._images: OrderedDict[str, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, int]:
        # A spawned worker decodes its own images: sending hundreds of MB would take longer.
        return {"limit_bytes": self.limit_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(state["limit_bytes"])

    def _guard(self) -> threading.Lock:
        if self._process != os.getpid():
            self._lock = threading.Lock()
            self._process = os.getpid()
            self._images = OrderedDict(self._images)
            self._bytes = sum(image.nbytes for image in self._images.values())
        return self._lock

    @property
    def used_bytes(self) -> int:
        """Bytes of the images held."""
        return self._bytes

    def get(self, location: str) -> np.ndarray | None:
        """The image, if it is held."""
        with self._guard():
            image = self._images.get(location)
            if image is not None:
                self._images.move_to_end(location)
            return image

    def put(self, location: str, image: np.ndarray) -> None:
        """Hold an image, in place of those whose last use is longest ago."""
        if image.nbytes > self.limit_bytes:
            return
        with self._guard():
            if location in self._images:
                return
            self._images[location] = image
            self._bytes += image.nbytes
            while self._bytes > self.limit_bytes:
                _, oldest = self._images.popitem(last=False)
                self._bytes -= oldest.nbytes


def _to_float(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) / np.float32(255)


class PairedSet:
    """A prepared set, read by index.

    A file's hash is checked when this object reads it for the first time in a process. Decoded
    images are cached up to a limit; a set that is larger is decoded again and again, in constant
    memory. Threads, forked and spawned workers may read at once.

    Args:
        sets_folder: folder of the prepared sets, e.g. `data/sets`.
        set_name: the set.
        cache_bytes: limit of the cache in each process.
        identity: the catalogue's identity of the set, as a spec names it; None: any.

    Raises:
        FileNotFoundError: the set is not prepared.
        ManifestError: its manifest is damaged, or the set was prepared as something else.
    """

    def __init__(
        self,
        sets_folder: str | Path,
        set_name: str,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        identity: str | None = None,
    ) -> None:
        self.name = set_name
        self.manifest = Manifest.read(Path(sets_folder) / set_name / FILE_NAME)
        prepared_as = self.manifest.notes.get("identity", "unknown")
        if identity is not None and prepared_as != identity:
            raise ManifestError(
                f"{self.manifest.folder}: the set {set_name!r} was prepared as {prepared_as}, but "
                f"{identity} is wanted; delete {self.manifest.folder} and run again"
            )
        self.cache = ImageCache(cache_bytes)
        self._verified: set[Path] = set()
        self._index = {row.name: number for number, row in enumerate(self.manifest.rows)}

    def __len__(self) -> int:
        return len(self.manifest.rows)

    @property
    def rows(self) -> tuple[ManifestRow, ...]:
        """The manifest's rows."""
        return self.manifest.rows

    @property
    def names(self) -> tuple[str, ...]:
        """The images' names, in the order of the indices."""
        return tuple(self._index)

    def index(self, name: str) -> int:
        """Index of an image; raises `UnknownNameError` with the nearest names."""
        if name not in self._index:
            raise unknown_name(f"image of {self.name}", name, self._index)
        return self._index[name]

    def size(self, index: int) -> tuple[int, int]:
        """Height and width in pixels, without reading the image."""
        row = self.rows[index]
        return row.height, row.width

    def _image(self, row: ManifestRow, location: str, sha256: str) -> np.ndarray:
        """Decoded image, uint8 (H, W, 3); shared with the cache: not to be written to."""
        image = self.cache.get(location)
        if image is not None:
            return image
        path = self.manifest.path(location)
        advice = f"delete {self.manifest.folder} and run again"
        if path not in self._verified:
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path}: a file of the set {self.name!r} is gone; {advice}"
                )
            found = file_sha256(path)
            if found != sha256:
                raise ManifestError(
                    f"{path}: the file changed since the set {self.name!r} was prepared: expected "
                    f"sha256 {sha256}, found {found}; {advice}"
                )
            self._verified.add(path)
        image = read_rgb(path)
        if image.shape[:2] != (row.height, row.width):
            raise ImageFileError(
                f"{path}: expected {row.width}x{row.height} pixels, found "
                f"{image.shape[1]}x{image.shape[0]}; {advice}"
            )
        image.flags.writeable = False
        self.cache.put(location, image)
        return image

    def _images(self, index: int) -> tuple[ManifestRow, np.ndarray, np.ndarray | None]:
        row = self.rows[index]
        clean = self._image(row, row.clean, row.clean_sha256)
        if not row.degraded:
            return row, clean, None
        return row, clean, self._image(row, row.degraded, row.degraded_sha256)

    def read(self, index: int) -> Pair:
        """Read a whole pair.

        Raises:
            IndexError: no such index.
            FileNotFoundError, ManifestError, ImageFileError: a file is gone, changed, or damaged;
                the message names it and says what to do.
        """
        row, clean, degraded = self._images(index)
        return Pair(
            row.name, row.scene, _to_float(clean), None if degraded is None else _to_float(degraded)
        )

    def read_crop(self, index: int, top: int, left: int, size: int) -> Pair:
        """Read a square crop of a pair.

        Args:
            index: of the image.
            top: first row, in pixels.
            left: first column.
            size: side, in pixels.

        Raises:
            ValueError: the crop does not lie inside the image.
            IndexError, FileNotFoundError, ManifestError, ImageFileError: see `read`.
        """
        height, width = self.size(index)
        if size < 1 or not (0 <= top <= height - size and 0 <= left <= width - size):
            raise ValueError(
                f"{self.rows[index].name} of {self.name!r}: expected a crop inside "
                f"{width}x{height} pixels, found {size}x{size} at row {top}, column {left}"
            )
        row, clean, degraded = self._images(index)
        window = (slice(top, top + size), slice(left, left + size))
        return Pair(
            row.name,
            row.scene,
            _to_float(clean[window]),
            None if degraded is None else _to_float(degraded[window]),
        )
