"""Published sets whose files lie in a folder: found, paired, counted, hashed, never copied."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ndr.data.catalogue import FolderSet, Layout, PublishedList
from ndr.data.image_files import (
    FileFacts,
    ImageFileError,
    decoder_version,
    read_facts,
    read_rgb,
    survey,
    write_png,
)
from ndr.data.manifest import Manifest, ManifestError, ManifestRow, location_from, safe_name
from ndr.data.pair_checks import identical_pairs, summary, unlike_pairs
from ndr.data.pairing import FoundPair, find_pairs, is_clutter, layout_is_there

log = logging.getLogger(__name__)

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
"""Endings of pictures that may belong to a set although its patterns do not take them."""


class PublishedListError(ValueError):
    """A set with the right number of images that are not those of the published list."""


def _line(groups: Mapping[str, str], published: PublishedList) -> str:
    fields = dict(groups)
    for field, ranges in published.ranges.items():
        number = int(groups["key"])
        values = [value for value, (first, last) in ranges.items() if first <= number <= last]
        if not values:
            raise PublishedListError(
                f"{field} of {groups['key']!r}: expected a number in one of the ranges "
                f"{', '.join(f'{first}-{last}' for first, last in ranges.values())}"
            )
        fields[field] = values[0]
    return published.line.format_map(fields)


def list_lines(groups: Iterable[Mapping[str, str]], published: PublishedList) -> list[str]:
    """The distinct lines of a list in byte order, made of the groups of each file's name.

    Raises:
        PublishedListError: a key outside of all ranges.
    """
    lines = {_line(image, published) for image in groups}
    for rule in published.also:
        lines |= {rule.line.format(number=number) for number in range(rule.first, rule.last + 1)}
    return sorted(lines, key=str.encode)


def lines_sha256(lines: Sequence[str]) -> str:
    r"""Hash of lines, each ended by a line feed.

    >>> lines_sha256(["a"]) == hashlib.sha256(b"a\n").hexdigest()
    True
    """
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def check_published_list(name: str, pairs: Sequence[FoundPair], published: PublishedList) -> None:
    """Raise `PublishedListError` unless the files of a complete set are those of the list."""
    lines = list_lines((pair.groups for pair in pairs), published)
    found = lines_sha256(lines)
    if found != published.sha256:
        raise PublishedListError(
            f"set {name!r}: as many images as expected, but not those of {published.source}: "
            f"expected sha256 {published.sha256} of its sorted lines, found {found} of "
            f"{len(lines)} lines from {lines[0]!r} to {lines[-1]!r}; fetch the published files"
        )


class SetNotFoundError(FileNotFoundError):
    """A published set that lies in none of the folders where it is looked for."""


class CountError(ValueError):
    """A set with another number of images than was published."""


def find_source(
    name: str, entry: FolderSet, originals: Path, mirrors: Sequence[Path]
) -> tuple[Path, Layout]:
    """Find the folder that holds the set and the layout that its files have.

    Raises:
        SetNotFoundError: it is nowhere; the message says where it was looked for, which layouts
            would do, and where it is published.
    """
    candidates = [(originals / (layout.dataset or name), layout) for layout in entry.layouts]
    mirrored = [layout for layout in entry.layouts if layout.dataset]
    candidates += [(mirror / str(each.dataset), each) for mirror in mirrors for each in mirrored]
    for root, layout in candidates:
        if root.is_dir() and layout_is_there(root, layout):
            return root, layout
    looked = "\n".join(
        f"  {root} ({_what_lies_in(root)}): {', '.join((*layout.clean, *layout.degraded))}"
        for root, layout in candidates
    )
    raise SetNotFoundError(
        f"set {name!r} ({entry.title}, {entry.expected} images) is nowhere. Looked for\n{looked}\n"
        f"It is published at\n  " + "\n  ".join(entry.published) + "\n"
        f"This command downloads nothing: fetch the set under its licence ({entry.licence}) with "
        f"python -m ndr.data.fetch --set {name}, or place the files into {originals / name} in one "
        "of these layouts, or name a folder that holds it with --mirror."
    )


def _what_lies_in(folder: Path) -> str:
    """What a folder holds instead of a set, in a few words."""
    try:
        names = sorted(
            f"{path.name}/" if path.is_dir() else path.name
            for path in folder.iterdir()
            if not is_clutter(path.relative_to(folder))
        )
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"{error.strerror}"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"holds {', '.join(names[:5])}{more}" if names else "is empty"


def left_out(root: Path, layout: Layout, pairs: Sequence[FoundPair]) -> list[str]:
    """Pictures beside those of a set that no pattern of its layout takes, e.g. of another ending.

    Only in folders that hold images of the set; the names are relative to the set's folder.
    """
    matched = {path for glob in (*layout.clean, *layout.degraded) for path in root.glob(glob)}
    return [
        path.relative_to(root).as_posix()
        for folder in sorted({path.parent for pair in pairs for path in pair.files})
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in PICTURES and path not in matched
        if path.is_file() and not is_clutter(path.relative_to(root))
    ]


def found_pairs(entry: FolderSet, root: Path, layout: Layout) -> list[FoundPair]:
    """The images of a set in a folder, paired by the rules of its entry.

    Raises:
        PairingError: a name that no rule knows, or a missing partner; the message names the file.
    """
    return find_pairs(root, layout, entry.name, entry.scene, keys=entry.keys, values=entry.values)


def complete_count(entry: FolderSet, found: int) -> int:
    """Number of images of the complete set of which `found` are there.

    Where copies differ (MSEC: 17,675 or 17,680 images) it is the smallest published number that
    is not below `found`, else the largest.
    """
    counts = sorted((entry.expected, *entry.also_expected))
    return next((count for count in counts if count >= found), counts[-1])


def check_count(
    name: str, entry: FolderSet, pairs: Sequence[FoundPair], root: Path, partial: bool
) -> None:
    """Raise `CountError` for too many images, or for too few where `partial` is not set."""
    counts = [("images", complete_count(entry, len(pairs)), len(pairs))]
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


def without_borders(
    pairs: Sequence[FoundPair], facts: dict[Path, FileFacts], border: int, folder: Path
) -> list[FoundPair]:
    """Cut `border` pixels off each side of clean images that are so much larger; write them.

    The copies are written to `folder/clean`, and described in `facts`.
    """
    copies: dict[Path, Path] = {}

    def cut(pair: FoundPair) -> FoundPair:
        if not border or pair.clean is None or pair.degraded is None:
            return pair
        clean, degraded = facts[pair.clean], facts[pair.degraded]
        wider, higher = clean.width - degraded.width, clean.height - degraded.height
        if (wider, higher) != (2 * border, 2 * border):
            return pair
        if pair.clean not in copies:
            copy = folder / "clean" / f"{safe_name(pair.clean.stem)}.png"
            write_png(copy, read_rgb(pair.clean)[border:-border, border:-border])
            copies[pair.clean], facts[copy] = copy, read_facts(copy)
        return dataclasses.replace(pair, clean=copies[pair.clean])

    return [cut(pair) for pair in pairs]


def check_sizes(pair: FoundPair, facts: Mapping[Path, FileFacts], scale: int) -> None:
    """Raise `ImageFileError` unless the clean image is `scale` times as large as the other."""
    if pair.clean is None or pair.degraded is None:
        return
    clean, degraded = facts[pair.clean], facts[pair.degraded]
    if (clean.width, clean.height) == (scale * degraded.width, scale * degraded.height):
        return
    size, advice = f"{clean.width}x{clean.height}", "take both from the same source"
    wider, higher = clean.width - degraded.width, clean.height - degraded.height
    if scale != 1:
        size = f"1/{scale} of the {size}"
    elif wider == higher > 0 and wider % 2 == 0:
        advice += (
            ", or, where the degraded image is the middle of the clean one, give the set "
            f"clean_border: {wider // 2} in the catalogue"
        )
    raise ImageFileError(
        f"{pair.degraded}: expected {size} pixels like its clean partner {pair.clean}, found "
        f"{degraded.width}x{degraded.height}; {advice}"
    )


def pair_row(pair: FoundPair, facts: Mapping[Path, FileFacts], folder: Path) -> ManifestRow:
    """Describe a pair by what was found in its files, for a manifest in `folder`."""
    columns: dict[str, str | int] = {}
    for side, path in (("degraded", pair.degraded), ("clean", pair.clean)):
        if path is None:
            columns |= {side: "", f"{side}_sha256": "", f"{side}_pixels_sha256": ""}
            continue
        found = facts[path]
        columns |= {
            side: location_from(path, folder),
            f"{side}_sha256": found.sha256,
            f"{side}_pixels_sha256": found.pixels_sha256,
            f"{side}_bytes": found.bytes,
            "width": found.width,
            "height": found.height,
        }
    return ManifestRow(pair.name, pair.scene, parameters=pair.parameters, **columns)  # type: ignore[arg-type]


def join_scenes(rows: Sequence[ManifestRow]) -> tuple[ManifestRow, ...]:
    """Give rows with pixel-identical clean images the scene of the first of them.

    Rain100L has 9 ground truths twice, under other numbers: their rows are not independent.
    """
    scene_of: dict[str, str] = {}

    def image(row: ManifestRow) -> str:
        return row.clean_pixels_sha256 or row.degraded_pixels_sha256

    return tuple(
        dataclasses.replace(row, scene=scene_of.setdefault(image(row), row.scene)) for row in rows
    )


def known_files(manifests: Iterable[Manifest]) -> dict[str, FileFacts]:
    """Files of manifests by their hash, where this decoder described them."""
    known: dict[str, FileFacts] = {}
    for manifest in manifests:
        if manifest.notes.get("decoder") != decoder_version():
            continue
        for row in manifest.rows:
            scale = manifest.scale if row.clean else 1
            sides = (
                (row.clean_bytes, row.clean_sha256, row.clean_pixels_sha256, 1),
                (row.degraded_bytes, row.degraded_sha256, row.degraded_pixels_sha256, scale),
            )
            for size, sha256, pixels, ratio in sides:
                if size:
                    facts = FileFacts(size, sha256, pixels, row.width // ratio, row.height // ratio)
                    known[sha256] = facts
    return known


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
    earlier: Manifest | None = None,
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
        earlier: manifest of an earlier preparation here: files that it describes are hashed, but
            not decoded again.

    Raises:
        SetNotFoundError, PairingError, CountError, PublishedListError, ImageFileError: see there.
        ManifestError: an image that is not the committed one.
    """
    root, layout = find_source(name, entry, originals, mirrors)
    found = pairs = found_pairs(entry, root, layout)
    if entry.only_committed and committed:
        chosen = {row.name for row in committed[0].rows}
        pairs = [pair for pair in pairs if pair.name in chosen]
    check_count(name, entry, pairs, root, partial)
    complete = complete_count(entry, len(pairs))
    log.info("%s: %d of %d images in %s", name, len(pairs), complete, root)
    notes = {"decoder": decoder_version()}
    if len(pairs) < complete:
        notes["expected"] = str(complete)
    elif entry.published_list is not None:
        check_published_list(name, pairs, entry.published_list)
    if entry.scale != 1:
        notes["scale"] = str(entry.scale)
    known = known_files([*([earlier] if earlier else []), *(committed or ())[:1]])
    facts = survey((path for pair in pairs for path in pair.files), name, known)
    pairs = without_borders(pairs, facts, entry.clean_border, folder)
    for pair in pairs:
        check_sizes(pair, facts, entry.scale)
    patterns = ", ".join((*layout.clean, *layout.degraded))
    for lines, what in (
        (list(unlike_pairs(pairs, facts)), "pairs may be swapped, or of other scenes"),
        (list(identical_pairs(pairs, facts)), "pairs are no pairs"),
        (left_out(root, layout, found), f"pictures match no pattern of the set ({patterns})"),
    ):
        if lines:
            log.warning("%s: %s", name, summary(lines, what))
    rows = join_scenes([pair_row(pair, facts, folder) for pair in pairs])
    if committed:
        rows = committed_names(rows, *committed)
    return Manifest(rows, folder, notes)
