"""Which files are read and which are written: files, folders and patterns, in one plan."""

from __future__ import annotations

import glob
import itertools
import mimetypes
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ndr.photos.photo_reading import PhotoError
from ndr.photos.photo_writing import SUFFIXES

OTHER_PICTURES = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf"),
    *(".rw2", ".raf", ".psd", ".tga", ".exr", ".hdr"),
)
"""Endings of pictures that Python's own list of endings may lack."""
COMPARISON, STRENGTH, VECTORS = "_compare", "_U", "_S"
"""What the names of further pictures end with, before `.png`."""


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """One photograph and the files that come of it."""

    source: Path
    target: Path
    extras: tuple[Path, ...] = ()
    """Further pictures that will be written."""

    def extra(self, ending: str) -> Path:
        """Name of a further picture, beside the target."""
        return self.target.with_name(f"{self.target.stem}{ending}.png")


@dataclass(frozen=True, slots=True)
class WorkList:
    """All photographs, and what of the folders is left alone."""

    jobs: tuple[PhotoJob, ...]
    passed_over: int
    """Number of files that are no photographs."""
    other_pictures: tuple[Path, ...] = ()
    """Pictures of formats that are not read, by their endings."""
    unreadable: tuple[str, ...] = ()
    """Why folders could not be looked into."""


@dataclass(slots=True)
class _Search:
    """What is found, and met on the way."""

    out: Path
    photographs: dict[Path, Path] = field(default_factory=dict)
    """Each photograph's path relative to the folder or pattern that found it."""
    others: set[Path] = field(default_factory=set)
    unreadable: dict[str, None] = field(default_factory=dict)

    def look(self, given: str) -> None:
        """Take what a file, a folder or a pattern names."""
        path = Path(given)
        if path.is_dir():
            self._take(self._files_below(path), path)
        elif path.exists() or not glob.has_magic(given):
            self.photographs.setdefault(path, Path(path.name))
        else:
            root = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
            matches = (Path(match) for match in sorted(glob.glob(given, recursive=True)))
            self._take((match for match in matches if match.is_file()), root)
            for _ in self._files_below(root) if "**" in path.parts else ():
                pass  # only to find the folders that a pattern passes over in silence

    def _files_below(self, folder: Path) -> Iterator[Path]:
        def unreadable(error: OSError) -> None:
            self.unreadable[f"{error.filename}: {error.strerror}; its files are left out"] = None

        for place, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))

    def _take(self, files: Iterable[Path], root: Path) -> None:
        produced, folder = self.out.resolve(), root.resolve()
        # Earlier results, where they are written below the photographs.
        below = produced != folder and produced.is_relative_to(folder)
        for file in files:
            if below and file.resolve().is_relative_to(produced):
                continue
            if file.suffix.lower() in SUFFIXES:
                self.photographs.setdefault(file, file.relative_to(root))
            else:
                self.others.add(file)


def is_picture(path: Path) -> bool:
    """Whether an ending is that of some format of pictures, read here or not.

    >>> is_picture(Path("a.heic")), is_picture(Path("a.txt"))
    (True, False)
    """
    kind = mimetypes.guess_type(path.name)[0] or ""
    return kind.startswith("image/") or path.suffix.lower() in OTHER_PICTURES


def work_list(
    inputs: Sequence[str], out: str | Path, endings: Sequence[str] = (), suffix: str | None = None
) -> WorkList:
    """Plan what is read and written.

    A file goes to `out` if that names a picture, else into the folder `out`. What a folder or a
    pattern finds keeps its path relative to that folder, or to the part of the pattern before the
    first wildcard. Hidden files, files of other endings, and `out` itself are passed over there.

    Args:
        inputs: files, folders (searched to the bottom) and patterns (`**` is any folders).
        out: file or folder to write.
        endings: of the names of further pictures, e.g. `COMPARISON`.
        suffix: ending of the files that are written; None: as read.

    Raises:
        PhotoError: nothing found, several photographs for one file, two photographs with the same
            target, or a target that is one of the photographs.
    """
    out = Path(out)
    search = _Search(out)
    for given in inputs:
        search.look(given)
    sources = search.photographs
    if not sources:
        unreadable = "".join(f"; {reason}" for reason in search.unreadable)
        raise PhotoError(
            f"no photographs in {', '.join(map(repr, inputs))}; expected files that end in "
            f"{', '.join(SUFFIXES)}{unreadable}"
        )
    named = out.suffix.lower() in SUFFIXES and not out.is_dir()
    if is_picture(out) and not named and not out.is_dir():
        raise PhotoError(
            f"{out}: {out.suffix} is not written here; let --out end in one of "
            f"{', '.join(SUFFIXES)}, or name a folder"
        )
    if named and (len(sources) > 1 or any(Path(given).is_dir() for given in inputs)):
        raise PhotoError(
            f"{out} names one picture, but there may be several photographs; let --out name a "
            "folder"
        )
    jobs = []
    for source, relative in sources.items():
        target = out if named else out / relative
        job = PhotoJob(source, target if suffix is None else target.with_suffix(suffix))
        jobs.append(replace(job, extras=tuple(job.extra(ending) for ending in endings)))
    _check_targets(jobs)
    pictures = tuple(sorted(path for path in search.others if is_picture(path)))
    return WorkList(tuple(jobs), len(search.others), pictures, tuple(search.unreadable))


def _check_targets(jobs: Sequence[PhotoJob]) -> None:
    owners: dict[Path, Path] = {}
    read = {job.source.resolve() for job in jobs}
    for job in jobs:
        for target in (job.target, *job.extras):
            place = target.resolve()
            exist = target.exists() and job.source.exists()
            # One file may have two names: hard links.
            if place in read or (exist and target.samefile(job.source)):
                raise PhotoError(
                    f"{target} is one of the photographs to restore; a photograph is never written "
                    "over, choose another --out"
                )
            if place in owners:
                raise PhotoError(
                    f"{job.source} and {owners[place]} would both become {target}; restore them "
                    "into different folders"
                )
            owners[place] = job.source
