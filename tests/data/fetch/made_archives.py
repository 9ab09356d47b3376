"""Small archives, honest and hostile, in every format."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

FILES = {"set/a.png": b"first" * 50, "set/deep/b.png": b"second" * 50, "c.txt": b"third"}


def write_zip(
    path: Path, files: Mapping[str, bytes] = FILES, links: Mapping[str, str] = {}
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo("placeholder")
            entry.filename = name
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
        for name, target in links.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, target)
    return path


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def write_tar(
    path: Path, files: Mapping[str, bytes] = FILES, extra: list[tarfile.TarInfo] | None = None
) -> Path:
    mode = {".tgz": "w:gz", ".gz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in extra or []:
            archive.addfile(entry)
    return path


def _number(value: int) -> bytes:
    """Variable-length integer of RAR 5: seven bits a byte, lowest first."""
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _rar_block(kind: int, flags: int, rest: bytes) -> bytes:
    header = _number(kind) + _number(flags) + rest
    header = _number(len(header)) + header
    return zlib.crc32(header).to_bytes(4, "little") + header


def write_rar(
    path: Path, files: Mapping[str, bytes] = FILES, links: Mapping[str, str] = {}
) -> Path:
    """A RAR 5 archive with uncompressed members, put together by the format's description."""
    blocks = [b"Rar!\x1a\x07\x01\x00", _rar_block(1, 0, _number(0))]
    for name, content in [*files.items(), *((name, b"") for name in links)]:
        extra = b""
        if name in links:
            target = links[name].encode()
            record = _number(5) + _number(1) + _number(0) + _number(len(target)) + target
            extra = _number(len(record)) + record
        fields = (
            (_number(len(extra)) if extra else b"")
            + _number(len(content))  # size of the data that follows
            + _number(4)  # a CRC is given
            + _number(len(content))
            + _number(0o120777 if extra else 0o100644)
            + zlib.crc32(content).to_bytes(4, "little")
            + _number(0)  # stored
            + _number(1)  # Unix
            + _number(len(name.encode()))
            + name.encode()
            + extra
        )
        blocks += [_rar_block(2, 3 if extra else 2, fields), content]
    path.write_bytes(b"".join([*blocks, _rar_block(5, 0, _number(0))]))
    return path
