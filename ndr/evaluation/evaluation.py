"""Evaluating a run: each test image once through the method, every protocol on the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ndr.data.image_files import to_uint8, write_png
from ndr.data.pairs import PairedSet
from ndr.evaluation.degraded_images import DegradedImages, EvaluationError
from ndr.evaluation.loaded_method import LoadedMethod
from ndr.evaluation.per_image_file import ImageScore
from ndr.evaluation.protocol import protocol
from ndr.evaluation.restoration import Restoration, fixed_arithmetic
from ndr.evaluation.tiling import TileGrid, tile_grid
from ndr.method import MethodInfo
from ndr.nearest_name import check_names
from ndr.run_spec import EvaluationSpec, TestSetSpec


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured."""

    scores: tuple[ImageScore, ...]
    """In the order of the spec's test sets, the manifests' images, the spec's protocols."""
    images: dict[str, tuple[int, int]]
    """Per test set: images evaluated, images that the complete set has."""
    grid: TileGrid | None
    restore_seconds: float
    seconds_per_megapixel: float

    def record(self) -> dict[str, Any]:
        """Content for provenance files."""
        return {
            "images": {name: list(counts) for name, counts in self.images.items()},
            "tiling": None if self.grid is None else self.grid.record(),
            "restore_seconds": round(self.restore_seconds, 3),
            "seconds_per_megapixel": round(self.seconds_per_megapixel, 4),
        }


def evaluate(
    spec: EvaluationSpec,
    loaded: LoadedMethod,
    sets_folder: str | Path,
    pictures: str | Path,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Measure a method on all test sets of a spec.

    The first `spec.pictures` restored images of the test sets in `spec.pictures_of` are written
    as 8-bit `<pictures>/<test set>/<image>.png`.

    Args:
        spec: the evaluation.
        loaded: its method, see `ndr.evaluation.loaded_method.load_method`.
        sets_folder: folder of the prepared sets.
        pictures: folder for pictures; it is made even if none is kept.
        device: where the method is.

    Raises:
        UnknownNameError: an unknown protocol, or test set to keep pictures of.
        TilingError: tiles for a method that forbids them.
        ManifestError: a set was prepared as something else than the spec says.
        EvaluationError: sizes that do not fit, or an output that is no finite image.
    """
    device = torch.device(device)
    protocols = [protocol(name) for name in spec.protocols]
    check_names("test set to keep pictures of", spec.pictures_of, [s.name for s in spec.test_sets])
    info = loaded.method.info
    grid = tile_grid(info, spec.tile, spec.tile_overlap)
    restoration = Restoration(loaded.method, grid, device)
    # Several test sets may be one prepared set with several noise levels: read it once.
    identities = {test_set.set: test_set.set_sha256 for test_set in spec.test_sets}
    pairs = {
        name: PairedSet(sets_folder, name, identity=identity)
        for name, identity in sorted(identities.items())
    }
    test_sets = []
    for test_set in spec.test_sets:
        _check_side_information(spec.run, info, test_set)
        test_sets.append(
            DegradedImages(test_set, pairs[test_set.set], spec.suite_seed, loaded.method.scale)
        )
    pictures = Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    scores: list[ImageScore] = []
    with (
        fixed_arithmetic(spec.precision, spec.cpu_threads, device),
        # Not drawn where nobody looks: in a log file each step would be a line.
        tqdm(total=sum(map(len, test_sets)), desc=spec.run, unit="image", disable=None) as progress,
    ):
        for images in test_sets:
            name = images.spec.name
            keep = spec.pictures if not spec.pictures_of or name in spec.pictures_of else 0
            for index, image in enumerate(images):
                where = f"{spec.run}, test set {name!r}, image {image.name!r}"
                restored = restoration.restore(image, where)
                if index < keep:
                    write_png(pictures / name / f"{image.name}.png", to_uint8(restored))
                scores.extend(
                    ImageScore(spec.run, name, image.name, image.scene, each.name, metric, value)
                    for each in protocols
                    for metric, value in each.compare(restored, image.clean).items()
                )
                progress.update()
    return Evaluation(
        tuple(scores),
        {images.spec.name: (len(images), images.total) for images in test_sets},
        grid,
        restoration.seconds,
        restoration.seconds_per_megapixel,
    )


def _check_side_information(run: str, info: MethodInfo, test_set: TestSetSpec) -> None:
    if "sigma" in info.side_information and test_set.noise is None:
        raise EvaluationError(
            f"{run}: {info.name} needs the noise level, but test set {test_set.name!r} adds no "
            "noise; leave it out of this method's test sets"
        )
