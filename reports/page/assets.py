"""Files beside the page: pictures, figures, tables to take along; all below one folder.

Whoever serves the page's folder serves everything that it shows and offers. A page in one file has
its pictures inside, and offers no other file.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ndr.atomic_file import atomic_path
from ndr.image_decoding import DecodingError, check_png, opened

PICTURES, FIGURES, TABLES = "pictures", "figures", "tables"
"""Folders below the folder of assets."""
ITSELF = "."
"""The folder of assets."""
QUALITY = 90
"""WebP quality of pictures: what a method left of the grain stays visible."""
KINDS = {".webp": "image/webp", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
"""Media types of what a page in one file holds, by the end of a file's name."""
NAME = re.compile(r"[0-9a-f]{16}\.webp")
"""Names of the pictures that a page writes, and therefore may delete."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that the page shows."""

    address: str
    """Relative to the page, or the picture itself as a `data:` address."""
    width: int
    height: int


def webp(picture: Image.Image, quality: int = QUALITY, method: int = 0) -> bytes:
    """A picture as a WebP file; a higher method takes longer and gives a smaller one."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=method)
    return buffer.getvalue()


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """A picture as a JPEG file with colours as fine as its brightness.

    A browser that prints puts a JPEG into the PDF as it is, and a WebP unpacked.
    """
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling="4:4:4", optimize=True)
    return buffer.getvalue()


class Assets:
    """What a page puts beside itself, each file once.

    Args:
        folder: below it everything lies; None puts what is shown into the page.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._pictures: dict[str, Picture] = {}

    def picture(self, path: Path) -> Picture:
        """A picture as WebP, named by the hash of the file that it was made from.

        Raises:
            OSError: the file is not there, damaged, too large or no PNG.
        """
        content = path.read_bytes()
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.webp"
        if name not in self._pictures:
            try:
                check_png(content)
                with opened(content, ("PNG",)) as picture:
                    shown = picture.convert("RGB")
            except DecodingError as error:
                raise OSError(str(error)) from error
            # Two threads may both get here: they write the same file, each in one step.
            address = self.shown(PICTURES, name, webp(shown))
            self._pictures[name] = Picture(address, *shown.size)
        return self._pictures[name]

    def shown(self, kind: str, name: str, content: bytes) -> str:
        """The address of something that the page shows.

        Args:
            kind: the folder below the folder of assets.
            name: of the file; its end is one of `KINDS`.
            content: of the file.
        """
        if self._folder is None:
            media = KINDS[Path(name).suffix]
            return f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"
        return self._written(kind, name, content)

    def offered(self, kind: str, path: Path) -> str:
        """The address of a copy of a file that readers may take along.

        Returns:
            Empty where the page is one file, or where there is no such file.
        """
        if self._folder is None or not path.is_file():
            return ""
        return self._written(kind, path.name, path.read_bytes())

    def beside(self, name: str, content: bytes) -> str:
        """The address of a file that others show in place of the page; empty in one file."""
        return "" if self._folder is None else self._written(ITSELF, name, content)

    def _written(self, kind: str, name: str, content: bytes) -> str:
        assert self._folder is not None
        path = self._folder / kind / name
        if not path.is_file() or path.read_bytes() != content:
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
        return (Path(self._folder.name) / kind / name).as_posix()

    def remove_others(self) -> None:
        """Delete the pictures of earlier pages that this one does not show."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in (self._folder / PICTURES).glob("*"):
            if NAME.fullmatch(path.name) and path.name not in self._pictures:
                path.unlink()
