"""Pictures of the page: thumbnails inside it, full crops in a folder beside it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ndr.atomic_file import atomic_path

QUALITY = 90
"""WebP quality of full crops."""
THUMBNAIL_QUALITY = 75
NAME = re.compile(r"[0-9a-f]{16}\.webp")
"""Names of the files that a store writes, and therefore may delete."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture inside the page."""

    data_uri: str
    width: int
    height: int
    reduced: bool
    """Smaller than the picture: fine grain looks weaker than it is."""


def webp(picture: Image.Image, quality: int, method: int = 0) -> bytes:
    """A picture as a WebP file; a higher method takes longer and gives a smaller one."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=method)
    return buffer.getvalue()


def data_uri(kind: str, content: bytes) -> str:
    """A picture as an address that a page may show without a request.

    >>> data_uri("webp", b"abc")
    'data:image/webp;base64,YWJj'
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def thumbnail(picture: Image.Image, long_side: int) -> Thumbnail:
    """Make a WebP, at most `long_side` pixels long; smaller pictures keep their pixels."""
    reduced = max(picture.size) > long_side
    if reduced:
        picture = picture.copy()
        picture.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    return Thumbnail(data_uri("webp", webp(picture, THUMBNAIL_QUALITY)), *picture.size, reduced)


class PictureStore:
    """Full crops as WebP, named by the hash of the picture they were made from.

    Args:
        folder: folder beside the page; None puts every crop into the page.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._addresses: dict[str, str] = {}

    def add(self, path: Path, long_side: int) -> tuple[Thumbnail, str]:
        """A picture's thumbnail and the address of its full crop, relative to the page.

        Raises:
            OSError: the file is not there, damaged or no picture.
        """
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
        return thumbnail(picture, long_side), self._address(content, picture)

    def _address(self, content: bytes, picture: Image.Image) -> str:
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.webp"
        if name not in self._addresses:
            # Two threads may both get here: they write the same file, each in one step.
            self._addresses[name] = self._keep(name, picture)
        return self._addresses[name]

    def _keep(self, name: str, picture: Image.Image) -> str:
        if self._folder is None:
            return data_uri("webp", webp(picture, QUALITY))
        path = self._folder / name
        if not path.is_file():
            with atomic_path(path) as temporary:
                temporary.write_bytes(webp(picture, QUALITY))
        return f"{self._folder.name}/{name}"

    def remove_others(self) -> None:
        """Delete crops of earlier pages that this one does not show."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            if NAME.fullmatch(path.name) and path.name not in self._addresses:
                path.unlink()
