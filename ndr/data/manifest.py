"""The manifest of a prepared set: one row per image or pair, with hashes."""

from __future__ import annotations

import csv
import functools
import hashlib
import importlib.util
import io
import json
import operator
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from ndr.atomic_file import write_text
from ndr.specs.json_text import parsed_json

PACKAGE_PREFIX = "package:"


class PackageFileError(FileNotFoundError):
    """A file that should come with an installed Python package, but does not."""


@functools.cache
def _package_folder(package: str) -> Path | None:
    """Folder of an installed top-level package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def package_file(location: str, requirement: str | None = None) -> Path:
    """Find a file inside an installed package, without importing the package.

    Args:
        location: `<python package>/<path inside>`, also with the prefix `package:`.
        requirement: what to install when it is missing, e.g. `scikit-image==0.26.0`.

    Raises:
        ValueError: `location` is not of this form.
        PackageFileError: the package is not installed, or this version lacks the file.
    """
    location = location.removeprefix(PACKAGE_PREFIX)
    parts = PurePosixPath(location).parts
    if len(parts) < 2 or ".." in parts or not parts[0].isidentifier():
        raise ValueError(f"{location!r}: expected <python package>/<path inside>")
    lock = "--requirement requirements.lock"
    advice = f"install it: python -m pip install {requirement or lock}"
    if parts[0] == __name__.partition(".")[0]:  # the suite's own file
        advice = "restore it: git checkout -- " + "/".join(parts)
    folder = _package_folder(parts[0])
    if folder is None:
        raise PackageFileError(f"{location}: the Python package {parts[0]!r} is missing; {advice}")
    path = folder.joinpath(*parts[1:])
    if not path.is_file():
        raise PackageFileError(
            f"{location}: the installed package {parts[0]!r} ({folder}) does not hold this file; "
            f"{advice}"
        )
    return path


def location_from(path: Path, folder: Path) -> str:
    """Write `path` as a manifest in `folder` shall hold it.

    Files below the folder that holds all data (two above a prepared set) are named relative to
    the manifest, so that it can be moved as a whole; all others by their absolute path.
    """
    path, folder = path.absolute(), folder.absolute()
    data = folder.parent.parent
    if path.is_relative_to(data):
        return Path(os.path.relpath(path, folder)).as_posix()
    return path.as_posix()


def moved_location(location: str, old_folder: Path, new_folder: Path) -> str:
    """Write an entry of the manifest in `old_folder` as one in `new_folder` shall hold it."""
    if not location or location.startswith(PACKAGE_PREFIX):
        return location
    return location_from((old_folder / location).resolve(), new_folder.resolve())


FILE_NAME = "manifest.csv"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _fits_into_names(character: str) -> bool:
    """Letters, marks and digits of any script, '.', '-' and '_'."""
    return character in "._-" or unicodedata.category(character)[0] in "LMN"


def safe_name(text: str) -> str:
    """The name of an image that a file's name gives: readable, and the same on every machine.

    What no name may hold, such as spaces, becomes `_`. Letters of all scripts stay, in their
    composed form: some systems store `é` as two characters. A name of signs alone becomes a hash.

    >>> safe_name("Rodrigo Valla - CC BY-NC 2.0"), safe_name("清晨")
    ('Rodrigo_Valla_-_CC_BY-NC_2.0', '清晨')
    """
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if _fits_into_names(c) else " " for c in text)
    name = re.sub(" +", "_", kept).lstrip("._-")
    while name and unicodedata.category(name[0])[0] == "M":  # a mark without its letter
        name = name[1:].lstrip("._-")
    return name or f"image-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class ManifestError(ValueError):
    """A manifest that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image, or one pair of a clean and a degraded image, of a prepared set."""

    name: str
    """Unique in the set; synthesis and noise are seeded by it."""
    scene: str
    """Images of one scene are not independent: intervals group by it."""
    clean: str
    """Path relative to the manifest's folder, absolute path, or `package:<package>/<path>`; empty
    for a photograph without ground truth."""
    degraded: str
    """As `clean`; empty where the degradation is added on reading."""
    width: int
    """Of the clean image; of the degraded one where there is no clean one."""
    height: int
    clean_sha256: str
    """Hash of the file's bytes."""
    degraded_sha256: str
    clean_pixels_sha256: str
    """Hash of the decoded RGB pixels and their shape (`ndr.data.image_files.pixels_sha256`)."""
    degraded_pixels_sha256: str
    parameters: str = ""
    """JSON object of the synthesis (rain rate, airlight, ...), or empty."""
    clean_bytes: int = 0
    """Size of the file; 0: no file, or not recorded."""
    degraded_bytes: int = 0

    @property
    def parameter_values(self) -> dict[str, Any]:
        """The synthesis parameters as a dictionary; empty where there are none."""
        return json.loads(self.parameters) if self.parameters else {}


COLUMNS = tuple(column.name for column in fields(ManifestRow))
IDENTITY_COLUMNS = tuple(column for column in COLUMNS if not column.endswith("_bytes"))
"""Columns that a set's identity hashes: the sizes follow from the files' hashes."""


def _parse_row(values: list[str], where: str) -> ManifestRow:
    if len(values) != len(COLUMNS):
        raise ManifestError(f"{where}: expected {len(COLUMNS)} values, found {len(values)}")
    row: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
    for column, least, what in (
        ("width", 1, "pixels"),
        ("height", 1, "pixels"),
        ("clean_bytes", 0, "bytes"),
        ("degraded_bytes", 0, "bytes"),
    ):
        if not row[column].isdecimal() or int(row[column]) < least:
            raise ManifestError(f"{where}: {column}: expected {what}, found {row[column]!r}")
        row[column] = int(row[column])
    if safe_name(row["name"]) != row["name"]:
        raise ManifestError(
            f"{where}: name {row['name']!r}: expected letters, digits, '.', '-' and '_'"
        )
    for column in COLUMNS:
        if any(unicodedata.category(c) in ("Cc", "Cs") for c in str(row[column])):
            raise ManifestError(
                f"{where}: {column} {row[column]!r}: control characters, or bytes that are no "
                "UTF-8; rename the file or its folder"
            )
    for side in ("clean", "degraded"):
        for column in (f"{side}_sha256", f"{side}_pixels_sha256"):
            if bool(row[side]) != bool(row[column]) or (
                row[column] and not _SHA256.fullmatch(row[column])
            ):
                raise ManifestError(
                    f"{where}: {column}: expected 64 hexadecimal digits where {side!r} names a "
                    f"file, found {row[column]!r}"
                )
    if not row["clean"] and not row["degraded"]:
        raise ManifestError(f"{where}: it names neither a clean nor a degraded image")
    try:
        if row["parameters"] and not isinstance(parsed_json(row["parameters"]), dict):
            raise ValueError("no JSON object")
    except ValueError as error:
        raise ManifestError(f"{where}: parameters {row['parameters']!r}: {error}") from error
    return ManifestRow(**row)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of a set in their order, and the folder that relative paths start from."""

    rows: Sequence[ManifestRow]
    folder: Path
    notes: Mapping[str, str] = field(default_factory=dict)
    """Facts beside the rows: `decoder`, `expected` of a partial set, `scale` where the degraded
    images are smaller, and `identity`, which is the catalogue's for what was prepared."""

    def __post_init__(self) -> None:
        if not self.rows:
            raise ManifestError(f"{self.folder}: the set holds no image")
        seen: set[str] = set()
        for row in self.rows:
            if row.name in seen:
                raise ManifestError(f"{self.folder}: duplicate name {row.name!r}")
            seen.add(row.name)

    @property
    def expected(self) -> int:
        """Number of images that the complete set has; more than `len(rows)` for a partial one."""
        return int(self.notes.get("expected", len(self.rows)))

    @property
    def scale(self) -> int:
        """Side of a clean image over that of its degraded one."""
        return int(self.notes.get("scale", 1))

    def path(self, location: str) -> Path:
        """File behind a row's `clean` or `degraded`."""
        if location.startswith(PACKAGE_PREFIX):
            return package_file(location)
        return self.folder / location

    def text(self) -> str:
        """The file's content: notes as `# key: value` lines, a header, one line per row."""
        notes = "".join(f"# {key}: {self.notes[key]}\n" for key in sorted(self.notes))
        return notes + self._table(COLUMNS)

    def _table(self, columns: Sequence[str]) -> str:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        values = operator.attrgetter(*columns)
        writer.writerows(values(row) for row in self.rows)
        return buffer.getvalue()

    @property
    def sha256(self) -> str:
        """Identity: hash of the rows, whatever the notes and line ends of the file."""
        return hashlib.sha256(self._table(IDENTITY_COLUMNS).encode()).hexdigest()

    def write(self, path: str | Path) -> None:
        """Write the file atomically.

        Raises:
            ManifestError: what would be written could not be read again.
        """
        text = self.text()
        self._parsed(text, Path(path))
        write_text(path, text)

    @classmethod
    def read(cls, path: str | Path) -> Manifest:
        """Read and check a manifest.

        Raises:
            FileNotFoundError: the set has not been prepared (or a preparation was cut off).
            ManifestError: wrong columns, values that cannot be, a name twice, no row.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such manifest; prepare the set first: "
                f"python -m ndr.data.prepare --set {path.parent.name}"
            )
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ManifestError(f"{path}: not a text file ({error}); prepare it again") from error
        return cls._parsed(text, path)

    @classmethod
    def _parsed(cls, text: str, path: Path) -> Manifest:
        if not text.endswith("\n"):
            raise ManifestError(f"{path}: its last line is cut off; prepare the set again")
        # Not `splitlines`, which also parts at signs that the name of a folder may hold.
        lines = text.replace("\r\n", "\n").split("\n")[:-1]
        notes = dict(_parse_notes(lines, path))
        reader = csv.reader((line for line in lines if not line.startswith("#")), strict=True)
        try:
            header, *values = reader
        except (csv.Error, ValueError) as error:
            raise ManifestError(f"{path}: no table ({error}); prepare the set again") from error
        if tuple(header) != COLUMNS:
            raise ManifestError(
                f"{path}: expected the columns {','.join(COLUMNS)}, found "
                f"{','.join(header)[:200]!r}; delete it and prepare the set again"
            )
        rows = tuple(
            _parse_row(each, f"{path}, row {number}") for number, each in enumerate(values, 1)
        )
        try:
            return cls(rows, path.parent, notes)
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}; prepare the set again") from error


def _parse_notes(lines: Iterable[str], path: Path) -> Iterable[tuple[str, str]]:
    for line in lines:
        if not line.startswith("#"):
            return
        key, separator, value = line.removeprefix("#").strip().partition(": ")
        number = key in ("expected", "scale")
        if not separator or (number and not (value.isdecimal() and int(value) > 0)):
            raise ManifestError(f"{path}: expected '# key: value', found {line!r}")
        yield key, value
