"""8-bit RGB images on disk: strict reading, atomic writing, hashes of their pixels.

Reading never changes a pixel silently. What cannot become 8-bit RGB without loss is refused with
the reason. Colour profiles and the EXIF orientation are ignored, as in the authors' code: the
stored numbers count.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageFile, features
from tqdm import tqdm

from ndr.atomic_file import atomic_path
from ndr.image_decoding import (
    DecodingError,
    ForeignFormatError,
    SampleKindError,
    check_png,
    is_deep,
    opened,
)

FORMATS = ("PNG", "JPEG", "BMP")
LOSSLESS_MODES = ("RGB", "L", "P", "1")
"""Modes that become RGB without loss: a grey value stands in all three channels."""
ALPHA_MODES = ("RGBA", "LA", "PA")
FAST_COMPRESSION = 1
"""zlib level of the PNG files: level 6 takes several times as long for a tenth of the size."""


class ImageFileError(ValueError):
    """A file that cannot be read as an 8-bit RGB image; the message says why and what to do."""


def decoder_version() -> str:
    """Versions of the image decoder; another JPEG decoder may give other pixels."""
    library = "libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "libjpeg"
    version = features.version("libjpeg_turbo") or features.version("jpg")
    return f"Pillow {features.version('pil')}, {library} {version}"


def _check_header(image: ImageFile.ImageFile) -> None:
    """Refuse what Pillow would cut to 8 bits or to one frame without a word."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise SampleKindError(f"{frames} frames; save the frame that you mean as PNG")
    if image.mode.startswith("I") or is_deep(image):
        raise SampleKindError(
            "more than 8 bits per channel; convert it to 8 bits on purpose (and say how), then "
            "use the converted file"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert without loss, or refuse."""
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            raise SampleKindError(
                "transparent pixels; composite it onto the background that you mean, then use "
                "that file"
            )
        return image.convert("RGB")
    if image.mode not in LOSSLESS_MODES:
        raise SampleKindError(f"colour mode {image.mode}; convert it to RGB yourself")
    return image if image.mode == "RGB" else image.convert("RGB")


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such image file; was the set moved or half deleted?")
    return path.read_bytes()


def _read_image(path: Path, content: bytes | None, check: bool = False) -> Image.Image:
    """Decode a file (or its bytes, where they were read already) completely, as mode RGB.

    With `check` PNG files are checked as a whole first; the bytes of a prepared set are known by
    their hash, which says more.
    """
    if content is None:
        content = _bytes_of(path)
    try:
        if not content:
            raise DecodingError("an empty file")
        with opened(content, FORMATS) as image:
            _check_header(image)
            if check and image.format == "PNG":
                check_png(content)
            image.load()
            return _to_rgb(image)
    except DecodingError as error:
        found = f"{error}"
        if isinstance(error, ForeignFormatError):
            formats = ", ".join(FORMATS)
            found = f"something that is none of {formats}; remove it from the set or copy it again"
        elif not isinstance(error, SampleKindError):
            found += "; copy or download it again"
        raise ImageFileError(f"{path}: expected an 8-bit RGB image, found {found}") from error


def read_rgb(path: str | Path, content: bytes | None = None) -> np.ndarray:
    """Read a PNG, JPEG or BMP file as 8-bit RGB, uint8 (H, W, 3).

    Grey images, palettes and fully opaque alpha channels are converted, which loses nothing. Where
    `content`, the file's bytes, was read already, the path serves messages only.

    Raises:
        FileNotFoundError: no such file.
        ImageFileError: empty, truncated, damaged, of another format, animated, more than 8 bits
            per channel, partly transparent, CMYK, or of too many pixels.
    """
    return np.array(_read_image(Path(path), content))


Thumbnail = bytes
"""Another name where a field is called `bytes`."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a manifest says of one image file."""

    bytes: int
    sha256: str
    pixels_sha256: str
    width: int
    height: int
    thumbnail: Thumbnail = field(default=b"", repr=False, compare=False)
    """Grey values of `THUMBNAIL` x `THUMBNAIL` areas; empty where the file was not decoded now."""


THUMBNAIL = 16


def read_facts(path: Path, known: Mapping[str, FileFacts] | None = None) -> FileFacts:
    """Read an image file once and describe it.

    A file that is `known` by the hash of its bytes, as this decoder described it before, is not
    decoded again.

    Raises:
        FileNotFoundError, ImageFileError: see `read_rgb`.
    """
    content = _bytes_of(path)
    sha256 = hashlib.sha256(content).hexdigest()
    if known and sha256 in known:
        return known[sha256]
    image = _read_image(path, content, check=True)
    pixels = _hash_of_pixels(image.width, image.height, image.tobytes())
    small = image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return FileFacts(len(content), sha256, pixels, image.width, image.height, small.tobytes())


def check_rgb(image: np.ndarray, what: str) -> None:
    """Raise unless `image` is a non-empty uint8 array (H, W, 3)."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = getattr(image, "dtype", type(image).__name__)
        raise TypeError(f"{what}: expected a uint8 array, found {found}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"{what}: expected shape (H, W, 3), found {image.shape}")


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write a uint8 image (H, W, 3) as PNG: the file appears complete or not at all."""
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"{path}: expected a name that ends in .png")
    check_rgb(image, str(path))
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(
            temporary, format="PNG", compress_level=FAST_COMPRESSION
        )


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Round a float image in [0, 1] to 8 bits, half to even; values outside are clipped.

    >>> to_uint8(np.array([-0.1, 0.5, 1.0, 2.0], dtype=np.float32)).tolist()
    [0, 128, 255, 255]
    """
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def pixels_sha256(image: np.ndarray) -> str:
    """Hash of decoded pixels (H, W, 3) and of their shape: the same in any file format."""
    check_rgb(image, "pixels to hash")
    return _hash_of_pixels(image.shape[1], image.shape[0], np.ascontiguousarray(image).data)


def _hash_of_pixels(width: int, height: int, pixels: bytes | memoryview) -> str:
    digest = hashlib.sha256(f"uint8 {height}x{width}x3\n".encode())
    digest.update(pixels)
    return digest.hexdigest()


Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4
"""Items per thread that are begun before the first result is taken."""


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], title: str, workers: int | None = None
) -> Iterator[Result]:
    """Do `work` on all items in threads and hand out the results in the order of the items.

    Only some items per thread are begun ahead of the result that is asked for, so memory does not
    grow with their number. Reading, hashing, decoding and NumPy leave Python's lock to others. What
    `work` raises first, in the order of the items, is raised here.
    """
    threads = workers or processors()
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        with tqdm(total=len(items), desc=title, unit="image", disable=None) as progress:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= AHEAD * threads:
                    yield waiting.popleft().result()
                    progress.update()
            while waiting:
                yield waiting.popleft().result()
                progress.update()
    finally:
        pool.shutdown(cancel_futures=True)


def survey(
    paths: Iterable[Path],
    title: str,
    known: Mapping[str, FileFacts] | None = None,
    workers: int | None = None,
) -> dict[Path, FileFacts]:
    """Describe image files, each once however often it is named; see `read_facts`, `in_order`."""
    files = list(dict.fromkeys(paths))
    facts = in_order(functools.partial(read_facts, known=known), files, title, workers)
    return dict(zip(files, facts, strict=True))
