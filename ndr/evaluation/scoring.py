"""Evaluating a run: each degraded image once through the method, every protocol on the result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ndr.data.image_files import to_uint8, write_png
from ndr.evaluation.degraded_images import (
    DegradedImage,
    DegradedImages,
    EvaluationError,
    PreparedSets,
)
from ndr.evaluation.loaded_method import LoadedMethod
from ndr.evaluation.running import Restoration, fixed_arithmetic
from ndr.evaluation.tiling import TileGrid, tile_grid
from ndr.method import RestorationError
from ndr.metrics.metric import METRICS, ImageTooSmallError, check_metrics
from ndr.metrics.no_reference import NAMES, needs_weights, score, unavailable
from ndr.metrics.protocol import NO_REFERENCE, protocol
from ndr.metrics.pyiqa_networks import PyiqaMetrics
from ndr.nearest_name import check_names
from ndr.records.per_image import ImageScore
from ndr.specs.run_spec import EvaluationSpec

logger = logging.getLogger(__name__)

METRIC_WEIGHTS = "data/weights/metrics"
"""Where the weights of metrics are looked for, and the records of their fetching."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured."""

    scores: tuple[ImageScore, ...]
    """In the order of the spec's test sets, the manifests' images, the spec's protocols."""
    images: dict[str, tuple[int, int]]
    """Per test set: images evaluated, images that the complete set has."""
    failures: dict[str, str]
    """Test sets that the method could not restore, with the reason; they have no scores."""
    unavailable_metrics: dict[str, str]
    """Metrics that could not be computed on this machine, with the reason; they have no values."""
    grid: TileGrid | None
    restore_seconds: float
    seconds_per_megapixel: float


def evaluate(
    spec: EvaluationSpec,
    loaded: LoadedMethod,
    sets: PreparedSets,
    pictures: str | Path,
    device: torch.device | str = "cpu",
    *,
    metric_weights: str | Path = METRIC_WEIGHTS,
) -> Evaluation:
    """Measure a method on all test sets of a spec.

    The first `spec.pictures` restored images of the test sets in `spec.pictures_of` are written
    as 8-bit `<pictures>/<test set>/<image>.png`. A test set that the method cannot restore here
    (a program that is missing or fails) is left out with its reason; the others go on.

    Args:
        spec: the evaluation.
        loaded: its method, see `ndr.evaluation.loaded_method.load_method`.
        sets: the prepared sets.
        pictures: folder for pictures; it is made even if none is kept.
        device: where the method is.
        metric_weights: folder with the weights of metrics, and the records of their fetching.

    Raises:
        UnknownNameError: an unknown protocol, metric, or test set to keep pictures of.
        TilingError: tiles for a method that forbids them.
        ManifestError: a set was prepared as something else than the spec says.
        EvaluationError: sizes that do not fit, or an output that is no finite image.
    """
    device = torch.device(device)
    # A misspelt name is reported before anything is restored.
    for name in spec.protocols:
        protocol(name)
    check_metrics("metric", spec.metrics)
    check_names("test set to keep pictures of", spec.pictures_of, [s.name for s in spec.test_sets])
    info = loaded.method.info
    grid = tile_grid(info, spec.tile, spec.tile_overlap)
    restoration = Restoration(loaded.method, grid, device, spec.self_ensemble)
    test_sets = []
    for test_set in spec.test_sets:
        if "sigma" in info.side_information and test_set.noise is None:
            raise EvaluationError(
                f"{spec.run}: {info.name} needs the noise level, but test set {test_set.name!r} "
                "adds no noise; leave it out of this method's test sets"
            )
        test_sets.append(sets.images(spec, test_set, loaded.method.scale))
    pictures = Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    by_set: dict[str, list[ImageScore]] = {}
    failures: dict[str, str] = {}
    unreferenced = any(not test_set.reference for test_set in spec.test_sets)
    # Those that run under terms of use are in the spec once these are accepted.
    allowed = [name for name in NAMES if name in spec.metrics or not needs_weights(name)]
    missing = unavailable(allowed, Path(metric_weights)) if unreferenced else {}
    metrics = tuple(name for name in allowed if name not in missing)
    by_name = [name for name in spec.metrics if name not in METRICS.own]
    packaged = PyiqaMetrics(by_name, Path(metric_weights), str(device))

    def judged(
        restored: NDArray[np.float32], image: DegradedImage, where: str
    ) -> Iterator[tuple[str, str, float]]:
        """Protocol, metric and value: against the ground truth, or without one.

        A protocol that needs a larger image leaves this one out, and the others go on.
        """
        for name in spec.protocols if image.clean is not None else (NO_REFERENCE,):
            try:
                if image.clean is None:
                    found = score(restored, metrics, Path(metric_weights), str(device))
                else:
                    found = protocol(name).compare(restored, image.clean)
            except ImageTooSmallError as error:
                logger.warning("%s: not measured under %r: %s", where, name, error)
                continue
            except ValueError as error:
                raise EvaluationError(f"{where}, protocol {name!r}: {error}") from error
            yield from ((name, metric, value) for metric, value in found.items())
        # What a protocol looks at is a matter of PSNR and SSIM: these see the whole image, once.
        rated = packaged.rate(restored, image.clean)
        for name in spec.protocols if image.clean is not None else (NO_REFERENCE,):
            yield from ((name, metric, value) for metric, value in rated.items())

    with (
        fixed_arithmetic(spec.precision, spec.cpu_threads, device),
        # Not drawn where nobody looks: in a log file each step would be a line.
        tqdm(total=sum(map(len, test_sets)), desc=spec.run, unit="image", disable=None) as progress,
    ):
        for alike in _by_degraded_images(test_sets, "clean" in info.side_information):
            try:
                found = _scores_of_sets(
                    spec, alike, restoration, judged, pictures=pictures, progress=progress
                )
            except RestorationError as error:
                names = [images.spec.name for images in alike]
                failures |= dict.fromkeys(names, str(error))
                logger.warning("%s, test set %s: %s", spec.run, ", ".join(names), error)
                continue
            failures |= {
                name: "no image is large enough for any protocol"
                for name, scores_of_set in found.items()
                if not scores_of_set
            }
            by_set |= found
    scores = [score for images in test_sets for score in by_set.get(images.spec.name, ())]
    return Evaluation(
        # All images of a run or none: a mean of some would say something else.
        tuple(each for each in scores if each.metric not in packaged.unavailable),
        {
            images.spec.name: (0 if images.spec.name in failures else len(images), images.total)
            for images in test_sets
        },
        failures,
        missing | packaged.unavailable,
        grid,
        restoration.seconds,
        restoration.seconds_per_megapixel,
    )


def _by_degraded_images(
    test_sets: Sequence[DegradedImages], truth_is_asked_for: bool
) -> list[list[DegradedImages]]:
    """Test sets whose degraded images are equal together, in the order of their first.

    They differ in whether the ground truth judges. A method that looks at it (the oracle) gets each
    by itself.
    """
    groups: dict[Hashable, list[DegradedImages]] = {}
    for images in test_sets:
        key = images.spec.name if truth_is_asked_for else images.content
        groups.setdefault(key, []).append(images)
    return list(groups.values())


def _scores_of_sets(
    spec: EvaluationSpec,
    alike: Sequence[DegradedImages],
    restoration: Restoration,
    judged: Callable[[NDArray[np.float32], DegradedImage, str], Iterable[tuple[str, str, float]]],
    *,
    pictures: Path,
    progress: tqdm[Any],
) -> dict[str, list[ImageScore]]:
    """Scores of test sets with the same degraded images, which are read and restored once.

    By test set: per image, in the order of the spec's protocols.
    """
    scores: dict[str, list[ImageScore]] = {images.spec.name: [] for images in alike}
    where = f"{spec.run}, test set {' and '.join(map(repr, scores))}"
    with_truth = next((images for images in alike if images.spec.reference), alike[0])
    for index, (image, restored) in enumerate(restoration.restore_set(with_truth, where)):
        for test_set in (images.spec for images in alike):
            name = test_set.name
            kept = spec.pictures if not spec.pictures_of or name in spec.pictures_of else 0
            if index < kept:
                write_png(pictures / name / f"{image.name}.png", to_uint8(restored))
            shown = image if test_set.reference else replace(image, clean=None)
            found = judged(restored, shown, f"{spec.run}, test set {name!r}, image {image.name!r}")
            scores[name].extend(
                ImageScore(spec.run, name, image.name, image.scene, under, metric, value)
                for under, metric, value in found
            )
            progress.update()
    return scores
