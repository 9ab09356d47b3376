"""Sets of the user's own: a folder with `clean/` and `degraded/`, known by its files' content."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ndr.data.catalogue import Catalogue, FolderSet, Layout
from ndr.specs.typed_file import SpecError

ENDINGS = ("png", "jpg", "jpeg", "bmp")
KEY = "(?P<key>.+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSet(FolderSet):
    """A folder of the user's, read in place; it may lie anywhere."""

    not_in_identity: ClassVar[tuple[str, ...]] = (*FolderSet.not_in_identity, "layouts", "folder")

    folder: str
    """Where it lies, absolute."""
    content: str
    """Hash of the files' names and bytes: a changed image makes another set."""


def _files(folder: Path) -> list[Path]:
    """Images right in a folder; hidden files and those of other kinds do not count."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix[1:].lower() in ENDINGS and not path.name.startswith(".")
    )


def has_clean_images(folder: str | Path) -> bool:
    """Whether a set of the user's own has ground truth; no file is read."""
    return bool(_files(Path(folder) / "clean"))


def _globs(side: str) -> tuple[str, ...]:
    either = ("".join(f"[{c}{c.upper()}]" for c in ending) for ending in ENDINGS)
    return tuple(f"{side}/[!.]*.{ending}" for ending in either)


def own_set(name: str, folder: str | Path, scale: int = 1) -> OwnSet:
    """The entry of the catalogue that a folder stands for.

    Args:
        name: the set.
        folder: it holds `clean/` and `degraded/` with files of equal names but for their endings;
            or `degraded/` alone (photographs without ground truth), or `clean/` alone (the noise
            is added on reading).
        scale: side of a clean image over that of its degraded one.

    Raises:
        SpecError: no image is there.
    """
    root = Path(folder).resolve()
    sides = {side: _files(root / side) for side in ("clean", "degraded")}
    there = [side for side, files in sides.items() if files]
    if not there:
        raise SpecError(
            f"own set {name!r}: expected images ({', '.join(ENDINGS)}) in {root / 'clean'} and "
            f"{root / 'degraded'}, or in one of them, found none"
        )
    digest = hashlib.sha256()
    for path in (path for side in there for path in sides[side]):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.parent.name}/{path.name} {found}\n".encode())
    return OwnSet(
        kind="folder",
        title=f"{name}, a set of one's own",
        licence="not stated",
        reference="clean" in there,
        scale=scale,
        expected=len(sides[there[-1]]),
        layouts=(
            Layout(
                dataset=root.name,
                clean=_globs("clean") if sides["clean"] else (),
                degraded=_globs("degraded") if sides["degraded"] else (),
                clean_name=KEY if sides["clean"] else "",
                degraded_name=KEY if sides["degraded"] else "",
            ),
        ),
        published=(str(root),),
        folder=str(root),
        content=digest.hexdigest(),
    )


def with_own_sets(catalogue: Catalogue, own: Mapping[str, OwnSet]) -> Catalogue:
    """The catalogue with sets of the user's own.

    Raises:
        SpecError: a name that a set of the catalogue has.
    """
    for name in own:
        if name in catalogue.entries:
            raise SpecError(
                f"own set {name!r}: the catalogue has a set of this name; choose another"
            )
    return dataclasses.replace(catalogue, entries={**catalogue.entries, **own})
