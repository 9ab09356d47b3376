"""Reading prepared sets: whole images for evaluation, crops for training."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ndr.data.image_files import ImageFileError, read_rgb
from ndr.data.manifest import COLUMNS, FILE_NAME, Manifest, ManifestError, ManifestRow
from ndr.nearest_name import named_entry

_SEPARATOR = "\x1f"
"""Unit separator: it stands in no name, path or JSON text."""
_NUMBERS = [
    number
    for number, column in enumerate(COLUMNS)
    if column in ("width", "height", "clean_bytes", "degraded_bytes")
]


class CompactRows(Sequence[ManifestRow]):
    """Rows of a manifest, put together when they are asked for.

    Reading an object of the parent writes its reference count, which makes a forked worker copy
    the page that it lies on: over an epoch of 72,135 names each worker copied 68 MB of rows. One
    `bytes` object is read without writing to it. A text must not hold the separator.
    """

    def __init__(self, rows: Iterable[ManifestRow]) -> None:
        lines = []
        for row in rows:
            line = _SEPARATOR.join(str(getattr(row, column)) for column in COLUMNS)
            if line.count(_SEPARATOR) != len(COLUMNS) - 1:
                raise ValueError(f"row {row.name!r}: a text holds the control character 0x1F")
            lines.append(line.encode())
        self._ends = np.cumsum([0, *map(len, lines)], dtype=np.int64)
        self._text = b"".join(lines)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _row(self, index: int) -> ManifestRow:
        line = self._text[self._ends[index] : self._ends[index + 1]].decode()
        values: list[str | int] = [*line.split(_SEPARATOR)]
        for number in _NUMBERS:
            values[number] = int(values[number])
        return ManifestRow(*values)  # type: ignore[arg-type]

    @overload
    def __getitem__(self, index: int) -> ManifestRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ManifestRow, ...]: ...
    def __getitem__(self, index: int | slice) -> ManifestRow | tuple[ManifestRow, ...]:
        if isinstance(index, slice):
            return tuple(self._row(number) for number in range(*index.indices(len(self))))
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._row(number)


DEFAULT_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Pair:
    """An image, or a crop of it, without and with its degradation.

    `degraded` is float32 (H, W, 3) and `clean` (scale * H, scale * W, 3), RGB, multiples of 1/255
    in [0, 1]. At least one of them is there.
    """

    name: str
    scene: str
    clean: np.ndarray | None
    """None for a photograph without ground truth."""
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
        self.used_bytes = 0
        """Bytes of the images held."""
        self._lock = threading.Lock()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, int]:
        # A spawned worker decodes its own images: sending hundreds of MB would take longer.
        return {"limit_bytes": self.limit_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        ImageCache.__init__(self, **state)

    def _guard(self) -> threading.Lock:
        if self._process != os.getpid():
            self._lock = threading.Lock()
            self._process = os.getpid()
            self._images = OrderedDict(self._images)
            self.used_bytes = sum(image.nbytes for image in self._images.values())
        return self._lock

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
            self.used_bytes += image.nbytes
            while self.used_bytes > self.limit_bytes:
                _, oldest = self._images.popitem(last=False)
                self.used_bytes -= oldest.nbytes


def _to_float(image: np.ndarray | None) -> np.ndarray | None:
    return None if image is None else image.astype(np.float32) / np.float32(255)


def _file_numbers(rows: Sequence[ManifestRow]) -> np.ndarray:
    """Number of each row's clean and degraded file among all different files, (N, 2); -1: none."""
    number_of: dict[str, int] = {"": -1}
    numbers = np.empty((len(rows), 2), dtype=np.int32)
    for row, pair in zip(rows, numbers, strict=True):
        for side, location in enumerate((row.clean, row.degraded)):
            pair[side] = number_of.setdefault(location, len(number_of) - 1)
    return numbers


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
        manifest = Manifest.read(Path(sets_folder) / set_name / FILE_NAME)
        prepared_as = manifest.notes.get("identity", "unknown")
        if identity is not None and prepared_as != identity:
            raise ManifestError(
                f"{manifest.folder}: the set {set_name!r} was prepared as {prepared_as}, but "
                f"{identity} is wanted; delete {manifest.folder} and run again"
            )
        self.cache = ImageCache(cache_bytes)
        self.scale = manifest.scale
        """Side of a clean image over that of its degraded one."""
        self._sizes = np.array([(row.height, row.width) for row in manifest.rows], dtype=np.int32)
        self._files = _file_numbers(manifest.rows)
        self._verified = np.zeros(int(self._files.max()) + 1, dtype=bool)
        self.manifest = dataclasses.replace(manifest, rows=CompactRows(manifest.rows))

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def rows(self) -> Sequence[ManifestRow]:
        """The manifest's rows."""
        return self.manifest.rows

    @property
    def names(self) -> tuple[str, ...]:
        """The images' names, in the order of the indices."""
        return tuple(self._index)

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        return {row.name: number for number, row in enumerate(self.rows)}

    def index(self, name: str) -> int:
        """Index of an image; raises `UnknownNameError` with the nearest names."""
        return named_entry(f"image of {self.name}", name, self._index)

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of what a method gets: the degraded image, or the clean one if alone."""
        height, width = self._degraded_size(index) if self._has(index, 1) else self._sizes[index]
        return int(height), int(width)

    def _has(self, index: int, side: int) -> bool:
        return bool(self._files[index, side] >= 0)

    def _degraded_size(self, index: int) -> np.ndarray:
        # Where there is no clean image the manifest holds the size of the degraded one.
        return self._sizes[index] // (self.scale if self._has(index, 0) else 1)

    def _image(self, row: ManifestRow, index: int, side: int) -> np.ndarray | None:
        """Decoded clean (side 0) or degraded image, read-only (H, W, 3); None: there is none."""
        if not self._has(index, side):
            return None
        location = row.degraded if side else row.clean
        image = self.cache.get(location)
        if image is not None:
            return image
        path = self.manifest.path(location)
        advice = f"delete {self.manifest.folder} and run again"
        content = None
        number = self._files[index, side]
        if not self._verified[number]:
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path}: a file of the set {self.name!r} is gone; {advice}"
                )
            content = path.read_bytes()
            sha256 = row.degraded_sha256 if side else row.clean_sha256
            found = hashlib.sha256(content).hexdigest()
            if found != sha256:
                raise ManifestError(
                    f"{path}: the file changed since the set {self.name!r} was prepared: expected "
                    f"sha256 {sha256}, found {found}; {advice}"
                )
            self._verified[number] = True
        image = read_rgb(path, content)
        height, width = self._degraded_size(index) if side else self._sizes[index]
        if image.shape[:2] != (height, width):
            raise ImageFileError(
                f"{path}: expected {width}x{height} pixels, found "
                f"{image.shape[1]}x{image.shape[0]}; {advice}"
            )
        image.flags.writeable = False
        self.cache.put(location, image)
        return image

    def read(self, index: int) -> Pair:
        """Read a whole pair.

        Raises:
            FileNotFoundError, ManifestError, ImageFileError: a file is gone, changed, or damaged.
        """
        row = self.rows[index]
        clean, degraded = (self._image(row, index, side) for side in (0, 1))
        return Pair(row.name, row.scene, _to_float(clean), _to_float(degraded))

    def read_crop(
        self, index: int, top: int, left: int, rows: int, columns: int | None = None
    ) -> Pair:
        """Read a crop of a pair, placed in pixels of the image that `self.size` describes.

        The crop of a clean image beside a smaller degraded one has `scale` times these sides.
        Without `columns` it is a square.

        Raises:
            ValueError: the crop does not lie inside the image.
        """
        row = self.rows[index]
        height, width = self.size(index)
        columns = rows if columns is None else columns
        inside = 0 <= top <= height - rows and 0 <= left <= width - columns
        if not inside or min(rows, columns) < 1:
            raise ValueError(
                f"{row.name} of {self.name!r}: expected a crop inside "
                f"{width}x{height} pixels, found {columns}x{rows} at row {top}, column {left}"
            )
        clean, degraded = (self._image(row, index, side) for side in (0, 1))
        factor = 1 if degraded is None else self.scale
        if clean is not None:
            below, right = factor * (top + rows), factor * (left + columns)
            clean = clean[factor * top : below, factor * left : right]
        if degraded is not None:
            degraded = degraded[top : top + rows, left : left + columns]
        return Pair(row.name, row.scene, _to_float(clean), _to_float(degraded))
