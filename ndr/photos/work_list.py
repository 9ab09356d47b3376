"""Which files are read and which are written: files, folders and patterns, in one plan."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ndr.photos.photo_reading import PhotoError
from ndr.photos.photo_writing import SUFFIXES

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
    """All photographs, and how many other files of the folders are left alone."""

    jobs: tuple[PhotoJob, ...]
    passed_over: int


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
    sources: dict[Path, Path] = {}
    passed_over = 0
    for given in inputs:
        found, others = _found(given, out)
        passed_over += others
        for source, relative in found:
            sources.setdefault(source, relative)
    if not sources:
        raise PhotoError(
            f"no photographs in {', '.join(map(repr, inputs))}; expected files that end in "
            f"{', '.join(SUFFIXES)}"
        )
    named = out.suffix.lower() in SUFFIXES and not out.is_dir()
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
    return WorkList(tuple(jobs), passed_over)


def _found(given: str, out: Path) -> tuple[list[tuple[Path, Path]], int]:
    """Photographs with their relative paths, and the number of other files."""
    path = Path(given)
    if path.is_dir():
        return _selected(_files_below(path), path, out)
    if path.exists() or not glob.has_magic(given):
        return [(path, Path(path.name))], 0
    root = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
    matches = (Path(match) for match in sorted(glob.glob(given, recursive=True)))
    return _selected((match for match in matches if match.is_file()), root, out)


def _files_below(folder: Path) -> Iterable[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _selected(files: Iterable[Path], root: Path, out: Path) -> tuple[list[tuple[Path, Path]], int]:
    photographs, others = [], 0
    produced, folder = out.resolve(), root.resolve()
    # Earlier results, where they are written below the photographs.
    below = produced != folder and produced.is_relative_to(folder)
    for file in files:
        if below and file.resolve().is_relative_to(produced):
            continue
        if file.suffix.lower() in SUFFIXES:
            photographs.append((file, file.relative_to(root)))
        else:
            others += 1
    return photographs, others


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
