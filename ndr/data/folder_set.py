"""Published sets whose files lie in a folder: found, paired, counted, hashed, never copied."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ndr.data.catalogue import FolderSet, Layout
from ndr.data.file_locations import location_from
from ndr.data.image_files import ImageFileError, decoder_version, pixels_sha256, read_rgb
from ndr.data.manifest import Manifest, ManifestError, ManifestRow
from ndr.data.pairing import FoundPair, find_pairs, layout_is_there
from ndr.provenance import file_sha256

log = logging.getLogger(__name__)


class SetNotFoundError(FileNotFoundError):
    """A published set that lies in none of the folders where it is looked for."""


class CountError(ValueError):
    """A set with another number of images than was published."""


def _candidates(
    name: str, entry: FolderSet, originals: Path, mirrors: Sequence[Path]
) -> list[tuple[Path, Layout]]:
    """Folders to look into with the layout to expect there, in order of preference."""
    found = [(originals / (layout.dataset or name), layout) for layout in entry.layouts]
    for mirror in mirrors:
        found += [(mirror / layout.dataset, layout) for layout in entry.layouts if layout.dataset]
    return found


def find_source(
    name: str, entry: FolderSet, originals: Path, mirrors: Sequence[Path]
) -> tuple[Path, Layout]:
    """Find the folder that holds the set and the layout that its files have.

    Raises:
        SetNotFoundError: it is nowhere; the message says where it was looked for, which layouts
            would do, and where it is published.
    """
    candidates = _candidates(name, entry, originals, mirrors)
    for root, layout in candidates:
        if root.is_dir() and layout_is_there(root, layout):
            return root, layout
    looked = "\n".join(
        f"  {root}: {', '.join((*layout.clean, *layout.degraded))}" for root, layout in candidates
    )
    raise SetNotFoundError(
        f"set {name!r} ({entry.title}, {entry.expected} images) is nowhere. Looked for\n{looked}\n"
        f"It is published at\n  " + "\n  ".join(entry.published) + "\n"
        f"This command downloads nothing: fetch the set under its licence ({entry.licence}) and "
        f"place the files into {originals / name} in one of these layouts, or name a folder that "
        "holds it with --mirror."
    )


def check_count(
    name: str, entry: FolderSet, pairs: Sequence[FoundPair], root: Path, partial: bool
) -> None:
    """Compare the number of images with the published one.

    Raises:
        CountError: too many, or too few and `partial` is not set; expected, found, what to do.
    """
    counts = [("images", entry.expected, len(pairs))]
    if entry.expected_clean is not None:
        counts.append(("clean images", entry.expected_clean, len({pair.clean for pair in pairs})))
    for what, expected, found in counts:
        if found > expected:
            raise CountError(
                f"set {name!r} in {root}: expected {expected} {what}, found {found}; remove the "
                "files that do not belong to it"
            )
        if found < expected and not partial:
            raise CountError(
                f"set {name!r} in {root}: expected {expected} {what}, found {found}; copy the "
                "missing files there, or pass --partial to use what is there (every result then "
                f"says {found} of {expected})"
            )


def pair_row(pair: FoundPair, folder: Path) -> ManifestRow:
    """Read both files of a pair and describe them.

    Raises:
        ImageFileError: a damaged file, or two files of different sizes.
    """
    clean = read_rgb(pair.clean)
    degraded_location = degraded_sha256 = degraded_pixels = ""
    if pair.degraded is not None:
        degraded = read_rgb(pair.degraded)
        if degraded.shape != clean.shape:
            raise ImageFileError(
                f"{pair.degraded}: expected {clean.shape[1]}x{clean.shape[0]} pixels like its "
                f"clean partner {pair.clean}, found {degraded.shape[1]}x{degraded.shape[0]}; "
                "take both from the same source"
            )
        degraded_location = location_from(pair.degraded, folder)
        degraded_sha256 = file_sha256(pair.degraded)
        degraded_pixels = pixels_sha256(degraded)
    return ManifestRow(
        name=pair.name,
        scene=pair.scene,
        clean=location_from(pair.clean, folder),
        degraded=degraded_location,
        width=clean.shape[1],
        height=clean.shape[0],
        clean_sha256=file_sha256(pair.clean),
        degraded_sha256=degraded_sha256,
        clean_pixels_sha256=pixels_sha256(clean),
        degraded_pixels_sha256=degraded_pixels,
        parameters=pair.parameters,
    )


def join_scenes(rows: Sequence[ManifestRow]) -> tuple[ManifestRow, ...]:
    """Give rows with pixel-identical clean images the scene of the first of them.

    Rain100L has 9 ground truths twice, under other numbers: their rows are not independent.
    """
    scene_of: dict[str, str] = {}
    return tuple(
        dataclasses.replace(row, scene=scene_of.setdefault(row.clean_pixels_sha256, row.scene))
        for row in rows
    )


def committed_names(
    rows: Sequence[ManifestRow], committed: Manifest, where: Path
) -> tuple[ManifestRow, ...]:
    """Identify images by their pixels and give them the names of the committed manifest.

    Mirrors name the same images differently, and noise is seeded by the name.

    Raises:
        ManifestError: an image that is none of the committed ones; the message names its file.
    """

    def key(row: ManifestRow) -> tuple[str, str]:
        return row.clean_pixels_sha256, row.degraded_pixels_sha256

    known = {key(row): row for row in committed.rows}
    files = {row.clean_sha256 for row in committed.rows}
    order = {row.name: number for number, row in enumerate(committed.rows)}
    renamed = []
    for row in rows:
        if key(row) not in known:
            reason = (
                "it is the expected file, but decodes to other pixels: expected those of "
                f"{committed.notes.get('decoder', 'another decoder')}, found those of "
                f"{decoder_version()}; install the Pillow version of requirements.lock"
                if row.clean_sha256 in files
                else "replace it by the published file"
            )
            raise ManifestError(f"{row.clean}: none of the images of {where}: {reason}")
        match = known[key(row)]
        renamed.append(dataclasses.replace(row, name=match.name, scene=match.scene))
    return tuple(sorted(renamed, key=lambda row: order[row.name]))


def for_committing(manifest: Manifest) -> Manifest:
    """Manifest without the folders of this machine: what `config/manifests/` holds of a set."""
    rows = tuple(
        dataclasses.replace(row, clean=Path(row.clean).name, degraded=Path(row.degraded).name)
        for row in manifest.rows
    )
    return Manifest(rows, manifest.folder, manifest.notes)


def folder_manifest(
    name: str,
    entry: FolderSet,
    folder: Path,
    *,
    originals: Path,
    mirrors: Sequence[Path],
    partial: bool,
    committed: tuple[Manifest, Path] | None = None,
) -> Manifest:
    """Describe a published set as it lies on this machine.

    Args:
        name: the set.
        entry: its pairing rule and counts.
        folder: folder of the manifest to be.
        originals: `originals/<set>/` is looked into first.
        mirrors: folders in the layout `<dataset>/<split>/{clean,degraded}/`.
        partial: accept fewer images than were published; the manifest notes the full number.
        committed: the set's committed manifest, if it has one, and its file.

    Raises:
        SetNotFoundError, PairingError, CountError, ImageFileError: see there.
        ManifestError: an image that is not the committed one.
    """
    root, layout = find_source(name, entry, originals, mirrors)
    pairs = find_pairs(root, layout, entry.name, entry.scene)
    if entry.only_committed and committed:
        chosen = {row.name for row in committed[0].rows}
        pairs = [pair for pair in pairs if pair.name in chosen]
    check_count(name, entry, pairs, root, partial)
    log.info("%s: %d of %d images in %s", name, len(pairs), entry.expected, root)
    rows = join_scenes(
        [pair_row(pair, folder) for pair in tqdm(pairs, desc=name, unit="image", disable=None)]
    )
    if committed:
        rows = committed_names(rows, *committed)
    notes = {"decoder": decoder_version()}
    if len(rows) < entry.expected:
        notes["expected"] = str(entry.expected)
    return Manifest(rows, folder, notes)
