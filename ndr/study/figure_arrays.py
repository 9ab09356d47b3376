"""Arrays for the figures of S, U, F and D: what the report draws without PyTorch."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ndr.atomic_file import atomic_path
from ndr.data.image_files import to_uint8
from ndr.evaluation.degraded_images import DegradedImage, PreparedSets, centre_crop
from ndr.method import Method
from ndr.specs.run_spec import EvaluationSpec
from ndr.study.network_responses import LEVELS, network_of, to_images, to_tensor

PICTURES = 4
"""Images per test set, at most, unless the command says otherwise."""
CROP = 256
"""Side of the centre that is kept, in pixels of the clean image, at most."""
NAMES = {
    "affinity": "affinity",
    "degradation": "U",
    "features": "features_before",
    "injected": "features_after",
}
"""Name of a tensor in the network, and in the file."""
QUERIED = ("affinity", "degradation")
"""Those that are kept of every image."""


def image_arrays(
    method: Method, run: str, image: DegradedImage, device: torch.device, *, complete: bool
) -> dict[str, NDArray[Any]]:
    """Pictures of one image, uint8 (H, W, 3), and its maps, float16 (C, h, w).

    Returns:
        `degraded`, `clean`, `affinity_1` and `U_1`; if complete, also `restored`, `recreated`
        where there is an NDR-Degrad, `features_before_1` and `features_after_1`. The maps likewise
        of levels 2 and 3.
    """
    network = network_of(method, run)
    degraded, clean = centre_crop(image.degraded, image.clean, CROP, method.scale)
    assert clean is not None  # only test sets with ground truth are looked at
    batch = to_tensor(degraded[None], device)
    arrays: dict[str, NDArray[Any]] = {"degraded": to_uint8(degraded), "clean": to_uint8(clean)}
    found = network.figure_tensors(batch)
    limit = float(np.finfo(np.float16).max)
    for level in LEVELS:
        for name, kept in NAMES.items():
            if complete or name in QUERIED:
                values = found[f"{name}_{level}"][0].clamp(-limit, limit)
                arrays[f"{kept}_{level}"] = values.cpu().numpy().astype(np.float16)
    if complete:
        arrays["restored"] = to_uint8(to_images(method.restore(batch))[0])
        if network.degradation is not None:
            recreated = network.degrade(to_tensor(clean[None], device), batch)
            arrays["recreated"] = to_uint8(to_images(recreated)[0])
    return arrays


def figure_arrays(
    method: Method,
    spec: EvaluationSpec,
    sets: PreparedSets,
    history: tuple[NDArray[np.int64], NDArray[np.float32]],
    device: torch.device,
    *,
    pictures: int = PICTURES,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and arrays of the file.

    Of each test set with ground truth the first images are kept with S and U; the first of them by
    name is complete. All maps of an image take tens of megabytes at the paper's width.

    Args:
        method: in evaluation mode, on the device.
        spec: names the test sets.
        sets: the prepared sets.
        history: steps and D at each, (T, N, M), as the training kept them.
        device: where the method is.
        pictures: images per test set, at most.

    Yields:
        `D` (M, N), `D_steps` (T,), `D_history` (T, M, N), columns being the vectors as in the
        paper; then `<test set>/<image>/<name>`, see `image_arrays`.
    """
    vectors = method.representation()
    assert vectors is not None  # see network_of
    yield "D", vectors.cpu().numpy().astype(np.float32).T
    steps, snapshots = history
    yield "D_steps", steps
    yield "D_history", snapshots.transpose(0, 2, 1) if snapshots.ndim == 3 else snapshots
    for test_set in spec.test_sets:
        if not test_set.reference:
            continue
        images = sets.images(spec, test_set, method.scale)
        kept = list(itertools.islice(images, pictures))
        first = min((image.name for image in kept), default="")
        for image in kept:
            arrays = image_arrays(method, spec.run, image, device, complete=image.name == first)
            for name, array in arrays.items():
                yield f"{test_set.name}/{image.name}/{name}", array


def write_arrays(path: str | Path, arrays: Iterator[tuple[str, NDArray[Any]]]) -> None:
    """Write an .npz file, array by array; equal arrays give equal bytes.

    It is a plain .npz (a zip of .npy files), to be read with `np.load(..., allow_pickle=False)`.
    Pixels of 16 bits hardly shrink, so they are stored as they are.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays:
            # np.savez holds all arrays at once, and puts the time of day into the file.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
