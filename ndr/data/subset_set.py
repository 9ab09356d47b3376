"""Sets that are others without the images that stand in further sets."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

from ndr.data.file_locations import moved_location
from ndr.data.manifest import Manifest, ManifestError, ManifestRow
from ndr.data.set_entries import SubsetSet

log = logging.getLogger(__name__)


def _moved(row: ManifestRow, source: Manifest, folder: Path) -> ManifestRow:
    clean, degraded = (
        moved_location(location, source.folder, folder) for location in (row.clean, row.degraded)
    )
    return dataclasses.replace(row, clean=clean, degraded=degraded)


def subset_manifest(
    name: str,
    entry: SubsetSet,
    source: Manifest,
    without: Mapping[str, Manifest],
    folder: Path,
) -> Manifest:
    """Take the images of a set that no other set holds as a clean image, pixel by pixel.

    The files stay where the source has them. Where one of the sets is there in part only, the
    manifest says so: an image could not be left out because of what is missing.

    Args:
        name: the subset.
        entry: its entry.
        source: manifest of the set that it is a part of.
        without: manifests of the sets whose images are left out, by name.
        folder: folder of the manifest to be.

    Raises:
        ManifestError: a set has no clean images to compare, nothing is left, or another number of
            images is left than the catalogue says.
    """
    for what, manifest in ((entry.source, source), *without.items()):
        if not any(row.clean for row in manifest.rows):
            raise ManifestError(
                f"set {name!r}: {what!r} has no clean images to compare; images are left out by "
                "their clean pixels, so name sets with ground truth"
            )
    seen = {row.clean_pixels_sha256 for manifest in without.values() for row in manifest.rows}
    seen.discard("")
    rows = tuple(
        _moved(row, source, folder) for row in source.rows if row.clean_pixels_sha256 not in seen
    )
    left_out = len(source.rows) - len(rows)
    log.info("%s: %d of %d images of %s left out", name, left_out, len(source.rows), entry.source)
    if not rows:
        raise ManifestError(f"set {name!r}: no image of {entry.source!r} is left; change `without`")
    notes = {key: source.notes[key] for key in ("decoder", "scale") if key in source.notes}
    notes["left_out"] = str(left_out)
    partial = {
        other: f"{len(manifest.rows)} of {manifest.expected} images"
        for other, manifest in ((entry.source, source), *without.items())
        if len(manifest.rows) < manifest.expected
    }
    if partial:
        notes["partial_sources"] = "; ".join(f"{key}: {text}" for key, text in partial.items())
        log.warning("%s: compared with a part only: %s", name, notes["partial_sources"])
    complete = entry.expected or source.expected - left_out
    if len(rows) < complete and entry.source in partial:
        notes["expected"] = str(complete)
    elif entry.expected is not None and len(rows) != entry.expected and not partial:
        raise ManifestError(
            f"set {name!r}: expected {entry.expected} images of {entry.source!r} to be left, found "
            f"{len(rows)}; check that all its sources are the published ones, then the number in "
            "the catalogue"
        )
    return Manifest(rows, folder, notes)
