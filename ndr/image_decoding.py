"""Samples of 8 and 16 bits from image files that nobody vouches for.

All that reads pictures decodes them here, so that a depth is told apart in one place: Pillow holds
no colour of 16 bits and keeps the high byte of each sample without a word. Such files are decoded
twice, once for the high bytes and once with the opposite byte order for the low bytes. PNG files
are checked before a decoder sees them: what is wrong with one is then an error and no crash, and
changed bytes that would decode to other pixels are found.
"""

from __future__ import annotations

import contextlib
import errno
import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

Samples = NDArray[np.unsignedinteger[Any]]
"""Of 8 or 16 bits."""

MAX_PIXELS = 250_000_000
"""Of a picture: 0.75 GB of 8-bit RGB. For the whole process: Pillow's own limit lies below a
scan of 100 megapixels."""
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

GREY_MODES = ("1", "L", "LA")
DEEP_GREY_MODES = ("I;16", "I;16L", "I;16B", "I;16N")

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits per sample that go with each colour type (PNG, third edition, 11.2.1)."""
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_PASSES = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2))
"""First row, step of rows, first column, step of columns of all passes of an interlaced file but
the last, which has the odd rows (PNG, 8.1)."""
_PIECE = 1 << 20
"""Bytes that are looked at together."""
_BITS, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 258, 262, 284, 339
"""Numbers of TIFF entries."""


class DecodingError(ValueError):
    """A picture that cannot be decoded truly: damaged, or of another kind.

    The message says what was found, in one line and without the file's name.
    """


class ForeignFormatError(DecodingError):
    """No picture of the formats that are asked for."""


class SampleKindError(DecodingError):
    """A sound picture of samples that are not read here; the message says what to do."""


@contextlib.contextmanager
def opened(source: Path | bytes, formats: Sequence[str]) -> Iterator[ImageFile.ImageFile]:
    """Open a file, or its bytes, by its head; nothing is decoded yet.

    What goes wrong in the block with the file's content is a `DecodingError`, whatever Pillow
    raises for it.

    Raises:
        OSError: the file cannot be opened or read (permission, a folder ...).
        ForeignFormatError: none of `formats` (Pillow's names).
        SampleKindError: of more than `MAX_PIXELS` pixels.
        DecodingError: truncated or damaged.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            with Image.open(file, formats=tuple(formats)) as image:
                _check_size(image)
                _check_parts(image, size)
                yield image
        except (DecodingError, MemoryError):
            raise
        except UnidentifiedImageError as error:
            raise ForeignFormatError(f"no file of {', '.join(formats)}") from error
        except Image.DecompressionBombError as error:
            raise _too_many_pixels() from error
        except _DAMAGES as error:
            # Seeking to a place that is none is the file's fault, other errors of the disk are not.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DecodingError(f"truncated or damaged ({reason})") from error


def _check_size(image: ImageFile.ImageFile) -> None:
    """Refuse what Pillow only warns of: its warnings cannot be errors where threads are."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise _too_many_pixels()


def _too_many_pixels() -> SampleKindError:
    return SampleKindError(
        f"too many pixels (more than {Image.MAX_IMAGE_PIXELS}); cut it into parts"
    )


def _check_parts(image: ImageFile.ImageFile, size: int) -> None:
    """Refuse a file of `size` bytes whose parts do not lie in it, or do not make up the picture.

    Pillow reads up to the next part in one piece, wherever it is said to lie, and leaves black what
    no part covers: a few kilobytes would become gigabytes.
    """
    covered = 0
    for tile in image.tile:
        left, top, right, bottom = tile.extents or (0, 0, *image.size)
        covered += (right - left) * (bottom - top)
        if tile.offset > size:
            raise DecodingError("truncated or damaged (pixels beyond its end)")
    if image.tile and covered < image.width * image.height:
        raise DecodingError("truncated or damaged (parts of the picture are missing)")


@contextlib.contextmanager
def no_limit_of_pixels() -> Iterator[None]:
    """The limit of pixels and Pillow's warnings are off, in all threads.

    For readers that compare `width * height` themselves. Pillow warns of damaged entries of TIFF
    files; what is lost of the pixels raises an error.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


_DAMAGES = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(TypeError, KeyError, IndexError, OverflowError, AttributeError, RecursionError),
)
"""What Pillow's readers raise for damaged files."""


def check_png(source: Path | bytes) -> None:
    """Check the whole of a PNG file but its pixels' values: chunks, checksums, compressed stream.

    Raises:
        OSError: the file cannot be opened.
        DecodingError: what is wrong, in one line.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        if file.read(len(_PNG_SIGNATURE)) != _PNG_SIGNATURE:
            raise DecodingError("truncated or damaged (no PNG signature)")
        try:
            _check_chunks(file)
        except zlib.error as error:
            raise DecodingError(f"truncated or damaged (compressed pixels: {error})") from error


def _check_chunks(file: BinaryIO) -> None:
    expected = found = -1
    stream = zlib.decompressobj()
    before = kind = b""
    while kind != b"IEND":
        before = kind
        head = file.read(8)
        if len(head) < 8:
            raise DecodingError("truncated or damaged (it ends without its last chunk)")
        length, kind = struct.unpack(">I4s", head)
        if (kind == b"IHDR") != (before == b""):
            raise DecodingError("truncated or damaged (its header is not its first chunk)")
        if kind == b"IDAT" and found >= 0 and before != b"IDAT":
            raise DecodingError("truncated or damaged (its pixels are scattered)")
        checksum, header = zlib.crc32(kind), b""
        for start in range(0, length, _PIECE):
            piece = file.read(min(_PIECE, length - start))
            if not piece:
                raise DecodingError(f"truncated or damaged (chunk {kind!r} is cut off)")
            checksum = zlib.crc32(piece, checksum)
            if kind == b"IHDR":
                header += piece
            elif kind == b"IDAT":
                found = max(found, 0) + _inflated(stream, piece, expected - max(found, 0))
        if file.read(4) != struct.pack(">I", checksum):
            raise DecodingError(f"truncated or damaged (wrong checksum of chunk {kind!r})")
        if kind == b"IHDR":
            expected = _size_of_pixels(header)
    if found != expected or not stream.eof:
        raise DecodingError(
            f"truncated or damaged (its pixels take {max(found, 0)} of {expected} bytes)"
        )


def _size_of_pixels(header: bytes) -> int:
    """Bytes of all rows, each with its filter's number in front, that a PNG header promises."""
    if len(header) != 13:
        raise DecodingError(f"truncated or damaged (a header of {len(header)} bytes)")
    width, height, depth, colour, compression, filtering, interlaced = struct.unpack(
        ">IIBBBBB", header
    )
    possible = depth in _PNG_DEPTHS.get(colour, ()) and interlaced in (0, 1)
    if not possible or compression or filtering or not 0 < width < 2**31 or not 0 < height < 2**31:
        raise DecodingError("truncated or damaged (a header that no PNG file has)")
    bits = depth * _PNG_CHANNELS[colour]
    if not interlaced:
        return height * (1 + -(-width * bits // 8))
    passes = [
        (len(range(top, height, down)), len(range(left, width, right)))
        for top, down, left, right in (*_PNG_PASSES, (1, 2, 0, 1))
    ]
    return sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in passes if columns)


def _inflated(stream: Any, piece: bytes, room: int) -> int:
    """Number of bytes that a piece of a compressed stream unpacks to, at most `room`."""
    total = 0
    while piece and not stream.eof:
        total += len(stream.decompress(piece, _PIECE))
        if total > room:
            raise DecodingError("truncated or damaged (more pixels than its header says)")
        piece = stream.unconsumed_tail
    return total


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether an opened picture has 16 bits per sample; False: 8 or fewer.

    Raises:
        SampleKindError: of another depth, signed, floating-point, or in separate planes.
    """
    if image.format != "TIFF":
        if image.mode.startswith("F"):
            raise SampleKindError("floating-point samples; convert it to 8 or 16 bits per channel")
        return any(";16" in _raw_mode(tile) for tile in image.tile)
    entries: Any = image.tag_v2  # type: ignore[attr-defined]
    bits, kinds = (entries.get(tag, 1) for tag in (_BITS, _SAMPLE_FORMAT))
    bits, kinds = (set(v) if isinstance(v, tuple) else {v} for v in (bits, kinds))
    if max(bits) <= 8:
        return False
    if bits != {16} or kinds != {1} or entries.get(_PLANES, 1) != 1:
        raise SampleKindError(
            f"bits {sorted(bits)}, sample format {sorted(kinds)}, planar configuration "
            f"{entries.get(_PLANES, 1)} where 8 or 16 bits per channel, unsigned, channels "
            "interleaved are expected; save it as a plain 16-bit TIFF or PNG"
        )
    return True


def samples_of(image: ImageFile.ImageFile, source: Path | bytes) -> Samples:
    """Decode a picture that `opened` gave from `source`, with all the bits that it has.

    PNG files have to be checked before (`check_png`).

    Returns:
        (H, W) grey, or (H, W, C): 2 for grey and 4 for RGB with transparency, 3 for RGB.

    Raises:
        SampleKindError: samples that are not read here.
        DecodingError: truncated or damaged; other errors of Pillow become one in `opened`.
    """
    if not is_deep(image):
        return _shallow(image)
    if image.format == "TIFF":
        _check_deep_tiff(image)
    if image.mode in DEEP_GREY_MODES:
        image.load()
        return _with_key(np.array(image).astype(np.uint16, copy=False), image)
    if all(_raw_mode(tile) == "LA;16B" for tile in image.tile):
        # High and low bytes of grey and transparency, in the place of four channels.
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        image.load()
        four = np.array(image)
        samples = four[..., 0::2].astype(np.uint16)
        samples <<= 8
        samples |= four[..., 1::2]
        return samples
    if not all(";16" in _raw_mode(tile) for tile in image.tile):
        found = sorted({_raw_mode(tile) for tile in image.tile})
        raise SampleKindError(f"{found} where RGB of 16 bits is expected; save it as PNG")
    # The second time first: decoding forgets how the tiles lie.
    with opened(source, (str(image.format),)) as again:
        again.tile = [_opposite_bytes(tile) for tile in again.tile]
        image.load()
        samples = np.array(image).astype(np.uint16)
        samples <<= 8
        again.load()
        samples |= np.asarray(again)
    return _with_key(samples, image)


def _raw_mode(tile: Any) -> str:
    arguments = tile.args
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _shallow(image: Image.Image) -> NDArray[np.uint8]:
    """Samples of 8 bits: (H, W), or (H, W, 2, 3 or 4)."""
    image.load()
    transparent = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    wanted = ("L" if image.mode in GREY_MODES else "RGB") + ("A" if transparent else "")
    return np.array(image if image.mode == wanted else image.convert(wanted))


def _with_key(samples: NDArray[np.uint16], image: Image.Image) -> NDArray[np.uint16]:
    """Samples of 16 bits with transparency where a PNG file names one colour as transparent."""
    key = image.info.get("transparency")
    if key is None:
        return samples
    channels = samples if samples.ndim == 3 else samples[..., None]
    opaque = (channels != np.asarray(key, dtype=np.uint16)).any(axis=2, keepdims=True)
    return np.concatenate([channels, opaque.astype(np.uint16) * 65535], axis=2)


def _check_deep_tiff(image: ImageFile.ImageFile) -> None:
    photometric = image.tag_v2.get(_PHOTOMETRIC)  # type: ignore[attr-defined]
    premultiplied = any(_raw_mode(tile).startswith("RGBa") for tile in image.tile)
    if photometric not in (1, 2) or premultiplied:
        found = "premultiplied transparency" if premultiplied else f"photometric {photometric}"
        raise SampleKindError(
            f"{found} where grey or RGB of 16 bits is expected; save it as a 16-bit PNG"
        )


def _opposite_bytes(tile: Any) -> Any:
    """The instruction to decode a tile, with the other byte of each sample taken for the high one.

    `L`, `B` and `N` at the end of a raw mode are the order of bytes: least significant first, most
    significant first, and this machine's own.
    """
    raw = _raw_mode(tile)
    native = "L" if sys.byteorder == "little" else "B"
    order = native if raw[-1] == "N" else raw[-1]
    other = raw[:-1] + ("B" if order == "L" else "L")
    return tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
