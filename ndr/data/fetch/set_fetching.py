"""A published set brought to this machine as a whole: found, or downloaded and unpacked."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.atomic_file import atomic_path
from ndr.data.catalogue import Catalogue, FolderSet
from ndr.data.fetch.fetch_errors import FetchError
from ndr.data.fetch.obtaining import BY_HAND, held, obtain
from ndr.data.fetch.source import Download, Terms
from ndr.data.fetch.transfer import Waits, new_session
from ndr.data.fetch.unpacking import Limits, unpack
from ndr.data.folder_set import SetNotFoundError, complete_count, find_source, found_pairs
from ndr.data.mirrors import local_folder
from ndr.data.pairing import PairingError
from ndr.nearest_name import check_names
from ndr.records.downloads import FetchedSet, Obtained, PlacedFile
from ndr.records.record import ResultFileError

log = logging.getLogger(__name__)


class TermsError(ValueError):
    """Terms that nobody has accepted; the message names the licence, its address and the key."""


def check_terms(
    set_name: str, name: str | None, known: Mapping[str, Terms], accepted: Collection[str]
) -> None:
    """Refuse a set under terms `name` (None: free) that are not among the `accepted` ones.

    Raises:
        TermsError: not accepted.
        UnknownNameError: terms that the catalogue does not know, given or accepted.
    """
    check_names("name in accepted_terms", accepted, known)
    if name is None or name in accepted:
        return
    check_names("terms", [name], known)
    raise TermsError(
        f"set {set_name!r} is published under terms of use: {known[name].request(name)}, or pass "
        f"--accept-terms {name}. Nothing was downloaded."
    )


@dataclass(frozen=True, slots=True)
class FetchPlaces:
    """Where published sets and their archives lie."""

    originals: Path
    """Unpacked: `<originals>/<set>/`."""
    downloads: Path
    """As downloaded: `<downloads>/<set>/`, files of several sets in `<downloads>/shared/`."""
    mirrors: tuple[str, ...] = ()
    """Folders in the layout `<dataset>/<split>/{clean,degraded}/`, used in place; or folders and
    addresses that hold the same files as `downloads`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A set that lies in a folder in a known layout."""

    folder: Path
    images: int
    expected: int
    complete: bool


def find_set(name: str, entry: FolderSet, places: FetchPlaces) -> Found | None:
    """Look for a set in the originals and in the mirrors, by its layouts."""
    folders = [local_folder(mirror) for mirror in places.mirrors]
    try:
        folder, layout = find_source(
            name, entry, places.originals, [folder for folder in folders if folder]
        )
    except SetNotFoundError:
        return None
    pairs = found_pairs(entry, folder, layout)
    expected = complete_count(entry, len(pairs))
    clean = len({pair.clean for pair in pairs if pair.clean is not None})
    complete = len(pairs) >= expected and clean >= (entry.expected_clean or 0)
    return Found(folder, len(pairs), expected, complete)


def _already_here(name: str, entry: FolderSet, places: FetchPlaces) -> Found | None:
    """Like `find_set`; what a broken run left is no obstacle where a download repairs it."""
    try:
        return find_set(name, entry, places)
    except PairingError as error:
        if not entry.downloads:
            raise
        log.warning("%s; fetching the set", error)
        return None


def _placed_record(name: str, file: Download, places: FetchPlaces) -> Path:
    return places.downloads / name / f"{file.file}.placed.json"


def _earlier_records(name: str, entry: FolderSet, places: FetchPlaces) -> list[PlacedFile] | None:
    """What earlier runs recorded of all files of the set; None unless all are recorded."""
    try:
        return [PlacedFile.read(_placed_record(name, file, places)) for file in entry.downloads]
    except FileNotFoundError:
        return None
    except ResultFileError as error:
        log.warning("%s", error)
        return None


def _place_file(source: Path, target: Path) -> None:
    """Show a file under a second name: by a hard link where the disk allows it, else a copy."""
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def move_into(folder: Path, target: Path) -> None:
    """Move everything in `folder` into `target`, merging folders and replacing files.

    Each file, and each folder that is not there yet, appears by one rename.
    """
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(folder.iterdir()):
        destination = target / source.name
        if source.is_dir() and destination.is_dir():
            move_into(source, destination)
        else:
            source.replace(destination)
    folder.rmdir()


def _bring_file(
    name: str, file: Download, places: FetchPlaces, waits: Waits
) -> tuple[Obtained, int]:
    """Obtain one file and place its content; returns it with the number of files placed."""
    folder = places.originals / name
    staging = places.originals / f".{name}.{file.file}.unpacking"
    counts = [1]

    def accept(path: Path) -> None:
        if file.unpack_to is not None:
            limits = Limits(bytes=file.unpacked_bytes)
            counts[0] = unpack(path, file.file, staging, file.only, limits)

    with new_session() as session:
        obtained = obtain(
            name,
            file,
            places.downloads,
            accept,
            mirrors=places.mirrors,
            waits=waits,
            session=session,
        )
    if file.unpack_to is None:
        _place_file(obtained.path, folder / file.file)
    else:
        move_into(staging, folder / file.unpack_to)
    return obtained, counts[0]


def _check_found(name: str, entry: FolderSet, places: FetchPlaces, partial: bool) -> Found:
    found = find_set(name, entry, places)
    if found is None:
        layouts = "; ".join(
            ", ".join((*layout.clean, *layout.degraded)) for layout in entry.layouts
        )
        there = sorted(path.name for path in (places.originals / name).iterdir())[:10]
        raise FetchError(
            f"set {name!r}: all files arrived, but none of its layouts is there: expected {layouts}"
            f" in {places.originals / name}, found {', '.join(there)}; correct unpack_to or the "
            "layouts of the set in the catalogue"
        )
    if not found.complete and not partial:
        raise FetchError(
            f"set {name!r}: all files arrived, but {found.folder} holds {found.images} images "
            f"instead of {found.expected}; use another source, or accept a part of the set "
            "(allow_partial_sets, --partial)"
        )
    return found


def _done(name: str, found: Found, source: str, files: list[PlacedFile]) -> FetchedSet:
    return FetchedSet(
        set=name,
        source=source,
        folder=found.folder.as_posix(),
        images=found.images,
        expected=found.expected,
        files=tuple(files),
    )


def fetch_set(
    catalogue: Catalogue,
    name: str,
    places: FetchPlaces,
    *,
    accepted: Collection[str] = (),
    partial: bool = False,
    waits: Waits | None = None,
) -> FetchedSet:
    """Make sure that a published set lies on this machine in one of its layouts.

    Nothing is downloaded where the originals or a mirror hold it already.

    Args:
        catalogue: all sets and terms.
        name: the set.
        places: folders and mirrors.
        accepted: names of the terms that the user accepts.
        partial: a part of the set is enough.
        waits: pauses between attempts of a download.

    Returns:
        What `fetched.json` says: where the set lies, and of each file its bytes, sha256, source
        and time of arrival. Looking again gives the same record, so nothing that was made from
        the set is made again.

    Raises:
        UnknownNameError: no such set or terms.
        TermsError: the terms are not accepted.
        FetchError: what went wrong, and what to do.
    """
    entry = catalogue.entry(name)
    if not isinstance(entry, FolderSet):
        raise FetchError(f"set {name!r} is {entry.kind}: only published sets are fetched")
    with held(places.downloads / name / "fetching.lock"):
        found = _already_here(name, entry, places)
        if found is not None and (found.complete or partial):
            records = _earlier_records(name, entry, places)
            inside = found.folder.is_relative_to(places.originals)
            if inside and entry.downloads and records is not None:
                return _done(name, found, "downloads", records)
            return _done(name, found, BY_HAND if inside else "mirror", [])
        if not entry.downloads:
            raise FetchError(_nothing_known(name, entry, places, found))
        check_terms(name, entry.terms, catalogue.terms, accepted)
        records = []
        for file in entry.downloads:
            obtained, count = _bring_file(name, file, places, waits or Waits())
            facts = {f.name: getattr(obtained, f.name) for f in dataclasses.fields(obtained)}
            records.append(PlacedFile(**facts, placed=count, unpacked_to=file.unpack_to))
            records[-1].write(_placed_record(name, file, places))
        found = _check_found(name, entry, places, partial)
        return _done(name, found, "downloads", records)


def _nothing_known(name: str, entry: FolderSet, places: FetchPlaces, found: Found | None) -> str:
    there = f" ({found.folder} holds {found.images} of {found.expected})" if found else ""
    layouts = "\n  ".join(", ".join((*layout.clean, *layout.degraded)) for layout in entry.layouts)
    return (
        f"set {name!r} ({entry.title}) is not complete here{there}, and the catalogue knows no "
        "download of it. It is published at\n  " + "\n  ".join(entry.published) + f"\nPlace its "
        f"files into {places.originals / name} in one of these layouts, or name a mirror that "
        f"holds them:\n  {layouts}"
    )
