"""Sets made by a seeded synthesis on the images of another set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ndr.data.catalogue import SynthesisedSet
from ndr.data.file_locations import PACKAGE_PREFIX, location_from, package_file
from ndr.data.image_files import (
    ImageFileError,
    decoder_version,
    pixels_sha256,
    read_rgb,
    to_uint8,
    write_png,
)
from ndr.data.manifest import Manifest, ManifestError, ManifestRow
from ndr.degradations.synthesis import synthesise
from ndr.nearest_name import check_names
from ndr.provenance import file_sha256
from ndr.seeds import numpy_generator


def read_disparity(location: str, sha256: str, shape: tuple[int, int]) -> np.ndarray:
    """Read a measured disparity map from an installed package.

    Args:
        location: `<python package>/<path inside>` of an .npz file with one array.
        sha256: expected hash of the file.
        shape: (H, W) of the image that it belongs to.

    Returns:
        Disparity in pixels, float32 (H, W); not finite where nothing was measured.

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


def _source_image(source: Manifest, row: ManifestRow) -> np.ndarray:
    image = read_rgb(source.path(row.clean))
    if pixels_sha256(image) != row.clean_pixels_sha256:
        raise ManifestError(
            f"{source.path(row.clean)}: its pixels are not those of the manifest in "
            f"{source.folder}; delete that folder and prepare the set again"
        )
    return image


def _clean_location(source: Manifest, row: ManifestRow, folder: Path) -> str:
    if row.clean.startswith(PACKAGE_PREFIX):
        return row.clean
    return location_from(source.path(row.clean).resolve(), folder.resolve())


def degraded_rows(
    name: str,
    entry: SynthesisedSet,
    source: Manifest,
    row: ManifestRow,
    *,
    folder: Path,
    suite_seed: int,
) -> list[ManifestRow]:
    """Write the degraded versions of one image and describe them.

    A version depends on the suite's seed, the set, the image's name and its number, and on
    nothing else: no order, no other image.

    Raises:
        ManifestError: the source image is another one than in its manifest.
        ImageFileError: the degradation changes the size of the image.
    """
    clean = _source_image(source, row)
    parameters, disparity = dict(entry.parameters), None
    if row.name in entry.disparity:
        measured = entry.disparity[row.name]
        disparity = read_disparity(measured.file, measured.sha256, clean.shape[:2])
        parameters["disparity_offset"] = measured.offset
    rows = []
    for variant in range(entry.variants):
        generator = numpy_generator(suite_seed, "synthesise", name, row.name, variant)
        degraded, record = synthesise(
            entry.degradation,
            clean.astype(np.float32) / np.float32(255),
            generator,
            disparity=disparity,
            **parameters,
        )
        if degraded.shape != clean.shape:
            raise ImageFileError(
                f"{name}: {entry.degradation} made {degraded.shape} of {row.name} {clean.shape}; "
                "a prepared pair has one size: apply what changes the size on reading"
            )
        variant_name = row.name if entry.variants == 1 else f"{row.name}-{variant + 1}"
        path = folder / "degraded" / f"{variant_name}.png"
        pixels = to_uint8(degraded)
        write_png(path, pixels)
        rows.append(
            ManifestRow(
                name=variant_name,
                scene=row.scene,
                clean=_clean_location(source, row, folder),
                degraded=f"degraded/{path.name}",
                width=row.width,
                height=row.height,
                clean_sha256=row.clean_sha256,
                degraded_sha256=file_sha256(path),
                clean_pixels_sha256=row.clean_pixels_sha256,
                degraded_pixels_sha256=pixels_sha256(pixels),
                parameters=json.dumps(record, sort_keys=True, allow_nan=False),
            )
        )
    return rows


def synthesised_manifest(
    name: str, entry: SynthesisedSet, source: Manifest, folder: Path, suite_seed: int
) -> Manifest:
    """Degrade the images of a prepared set; the degraded files are written to `folder`.

    The clean images stay where the source has them.

    Raises:
        UnknownNameError: a disparity map for an image that the source does not hold.
        ManifestError, ImageFileError: see `degraded_rows`.
        OSError: the disk is full or not writable.
    """
    check_names("image with disparity", entry.disparity, [row.name for row in source.rows])
    chosen = source.rows[: entry.limit]
    rows: list[ManifestRow] = []
    for row in tqdm(chosen, desc=name, unit="image", disable=None):
        rows += degraded_rows(name, entry, source, row, folder=folder, suite_seed=suite_seed)
    notes = {"decoder": decoder_version()}
    complete = min(source.expected, entry.limit or source.expected) * entry.variants
    if len(rows) < complete:
        notes["expected"] = str(complete)
    return Manifest(tuple(rows), folder, notes)
