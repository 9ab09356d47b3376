"""Sets made of other prepared sets: degraded by a seeded synthesis, or a part of one."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ndr.data.catalogue import SubsetSet, SynthesisedSet
from ndr.data.image_files import (
    ImageFileError,
    decoder_version,
    in_order,
    pixels_sha256,
    read_rgb,
    to_uint8,
    write_png,
)
from ndr.data.manifest import Manifest, ManifestError, ManifestRow, moved_location, package_file
from ndr.degradations.downsampling import crop_to_multiple
from ndr.degradations.synthesis import synthesise
from ndr.nearest_name import check_names
from ndr.records.provenance import file_sha256
from ndr.seeds import numpy_generator

log = logging.getLogger(__name__)

HALVING = "down_x2"
"""The one kind of synthesis that changes an image's size."""


def read_disparity(location: str, sha256: str, shape: tuple[int, int]) -> np.ndarray:
    """Read a measured disparity map, in pixels, of an image of that shape from a package's .npz.

    Returns:
        float32 (H, W); not finite where nothing was measured.

    Raises:
        PackageFileError, ManifestError: missing, another file, or of another size.
    """
    path = package_file(location)
    found = file_sha256(path)
    if found != sha256:
        raise ManifestError(
            f"{location}: expected the hash {sha256[:16]}, found {found[:16]}; install the "
            "package's version of requirements.lock"
        )
    with np.load(path, allow_pickle=False) as archive:
        arrays = [archive[key] for key in archive.files]
    if len(arrays) != 1 or arrays[0].shape != shape:
        raise ManifestError(
            f"{location}: expected one array of shape {shape}, found "
            f"{[array.shape for array in arrays]}"
        )
    return arrays[0].astype(np.float32)


def _source_image(source: Manifest, row: ManifestRow, side: str) -> np.ndarray:
    """Clean or degraded image of the source, checked against its manifest, uint8 (H, W, 3)."""
    location = getattr(row, side)
    if not location:
        raise ManifestError(
            f"{source.folder.name}: image {row.name!r} has no {side} image to degrade; choose "
            "another source, or what is degraded with apply_to"
        )
    image = read_rgb(source.path(location))
    if pixels_sha256(image) != getattr(row, f"{side}_pixels_sha256"):
        raise ManifestError(
            f"{source.path(location)}: its pixels are not those of the manifest in "
            f"{source.folder}; delete that folder and prepare the set again"
        )
    return image


def rounded(record: Any) -> Any:
    """What an image was made with, to twelve digits: the last ones differ between processors.

    >>> rounded({"rain": {"strength": 0.1234567890123456, "rate": 2}})
    {'rain': {'strength': 0.123456789012, 'rate': 2}}
    """
    if isinstance(record, Mapping):
        return {name: rounded(value) for name, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [rounded(value) for value in record]
    return float(f"{record:.12g}") if isinstance(record, float) else record


def resolve_cycles(parameters: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Replace each `<parameter>_cycle: [...]`, at any depth, by the value for image `number`.

    >>> resolve_cycles({"noise": {"sigma_cycle": [15, 25, 50]}}, 4)
    {'noise': {'sigma': 25}}
    """
    resolved: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            resolved[key] = resolve_cycles(value, number)
        elif key.endswith("_cycle"):
            resolved[key.removesuffix("_cycle")] = value[number % len(value)]
        else:
            resolved[key] = value
    return resolved


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What all images of a synthesised set share."""

    name: str
    entry: SynthesisedSet
    source: Manifest
    folder: Path
    suite_seed: int

    def rows(self, numbered: tuple[int, ManifestRow]) -> list[ManifestRow]:
        """Write the degraded versions of one image and describe them.

        The draws of a version depend on the suite's seed, the set, the image's name and the
        version's number, and on nothing else: no order, no other image. Only a parameter that
        cycles follows the image's place in the source.

        Raises:
            ManifestError: the source image is another one than in its manifest, or is missing.
            ImageFileError: the degradation changes the size of the image, and not by halves.
        """
        number, row = numbered
        clean = _source_image(self.source, row, "clean")
        given = clean
        if self.entry.apply_to == "degraded":
            if self.source.scale != 1:
                raise ManifestError(
                    f"{self.name}: the degraded images of {self.source.folder.name!r} are 1/"
                    f"{self.source.scale} as large as the clean ones; degrade sets of pairs of "
                    "one size"
                )
            given = _source_image(self.source, row, "degraded")
        location = moved_location(row.clean, self.source.folder, self.folder)
        row = dataclasses.replace(row, clean=location)
        if self.entry.degradation == HALVING:
            even = crop_to_multiple(clean)
            if even.shape != clean.shape:
                columns = self._written("clean", row.name, even)
                height, width = even.shape[:2]
                row = dataclasses.replace(row, width=width, height=height, **columns)
            clean, given = even, crop_to_multiple(given)
        return [
            self._version(number, row, variant, given.astype(np.float32) / np.float32(255), clean)
            for variant in range(self.entry.variants)
        ]

    def _written(self, side: str, name: str, pixels: np.ndarray) -> dict[str, Any]:
        """Write a clean or degraded image; returns what its row says of the file."""
        path = self.folder / side / f"{name}.png"
        write_png(path, pixels)
        return {
            side: f"{side}/{path.name}",
            f"{side}_sha256": file_sha256(path),
            f"{side}_pixels_sha256": pixels_sha256(pixels),
            f"{side}_bytes": path.stat().st_size,
        }

    def _version(
        self, number: int, row: ManifestRow, variant: int, given: np.ndarray, clean: np.ndarray
    ) -> ManifestRow:
        entry, place = self.entry, number * self.entry.variants + variant
        parameters, disparity = resolve_cycles(entry.parameters, place), None
        if row.name in entry.disparity:
            measured = entry.disparity[row.name]
            disparity = read_disparity(measured.file, measured.sha256, clean.shape[:2])
            parameters["disparity_offset"] = measured.offset
        degraded, record = synthesise(
            entry.degradation,
            given,
            numpy_generator(self.suite_seed, "synthesise", self.name, row.name, variant),
            disparity=disparity,
            **parameters,
        )
        scale = self.scale
        if clean.shape[:2] != (scale * degraded.shape[0], scale * degraded.shape[1]):
            raise ImageFileError(
                f"{self.name}: {entry.degradation} made {degraded.shape} of {row.name} "
                f"{clean.shape}: expected a clean image of {scale} times the size"
            )
        name = row.name if entry.variants == 1 else f"{row.name}-{variant + 1}"
        columns = self._written("degraded", name, to_uint8(degraded))
        made_with = json.dumps(rounded(record), sort_keys=True, allow_nan=False)
        return dataclasses.replace(row, name=name, parameters=made_with, **columns)

    @property
    def scale(self) -> int:
        """Side of a clean image over that of its degraded one."""
        return 2 if self.entry.degradation == HALVING else 1


def synthesised_manifest(
    name: str, entry: SynthesisedSet, source: Manifest, folder: Path, suite_seed: int
) -> Manifest:
    """Degrade the images of a prepared set; the degraded files are written to `folder`.

    The clean images stay where the source has them, but for those whose sides must become even:
    their copies are written to `folder` too.

    Raises:
        UnknownNameError: a disparity map for an image that the source does not hold.
        ManifestError, ImageFileError: see `Synthesis.rows`.
    """
    check_names("image with disparity", entry.disparity, [row.name for row in source.rows])
    synthesis = Synthesis(name, entry, source, folder, suite_seed)
    images = list(enumerate(source.rows[: entry.limit]))
    rows = [row for versions in in_order(synthesis.rows, images, name) for row in versions]
    notes = {"decoder": decoder_version()}
    complete = min(source.expected, entry.limit or source.expected) * entry.variants
    if len(rows) < complete:
        notes["expected"] = str(complete)
    if synthesis.scale != 1:
        notes["scale"] = str(synthesis.scale)
    return Manifest(tuple(rows), folder, notes)


def subset_manifest(
    name: str, entry: SubsetSet, source: Manifest, without: Mapping[str, Manifest], folder: Path
) -> Manifest:
    """Take the images of a set that no other set holds as a clean image, pixel by pixel.

    The files stay where the source has them. Where one of the sets is there in part only, the
    manifest says so: an image could not be left out because of what is missing.

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
        dataclasses.replace(
            row,
            clean=moved_location(row.clean, source.folder, folder),
            degraded=moved_location(row.degraded, source.folder, folder),
        )
        for row in source.rows
        if row.clean_pixels_sha256 not in seen
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
