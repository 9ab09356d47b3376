"""Views of clean test pictures, each under the same degradations: the picture tells no class.

Beside the types of degradations, views are made at several strengths of each (doses), and under
some that no training has.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from ndr.data.image_files import to_uint8
from ndr.data.pairs import PairedSet
from ndr.degradations.downsampling import downsample_bicubic
from ndr.degradations.synthesis import apply_sequence, x2_steps
from ndr.evaluation.degraded_images import EvaluationError
from ndr.records.representation import CLEAN
from ndr.seeds import numpy_generator
from ndr.specs.run_spec import EvaluationSpec, TestSetSpec

PICTURES = 32
"""At most: the first of the set."""
VIEWS = 16
"""Views in all where pictures are few; one each of more pictures."""
VIEWS_PER_PICTURE = 4
"""At most: the quarters of the picture's centre."""
CENTRE = 256
"""Side of the centre of a picture that is degraded, at most."""
VIEW_SIDE = 64
"""Side of a view in pixels of the clean picture, at most."""
SIDE_MULTIPLE = 16
"""Of the clean view: so that half of it is a multiple of 8 too."""

TYPES = ("noise", "rain", "haze")
"""Degradation types; `noise` is that of sigma 25."""
WEAK_NOISE = "noise_15"
"""Noise that is hard to tell from sigma 25."""
SIGMAS = {"noise": 25.0, WEAK_NOISE: 15.0}
CONDITIONS = (*TYPES, WEAK_NOISE)
DOSES: Mapping[str, tuple[float, ...]] = {
    "noise": (5.0, 15.0, 25.0, 35.0, 50.0),
    "rain": (5.0, 10.0, 25.0, 50.0),
    "haze": (0.04, 0.08, 0.12, 0.16, 0.2),
}
"""Sigma of 255, mm/h, and beta. Everything else that is drawn is the same for all doses."""
DOSE_PARAMETERS = {"noise": "sigma", "rain": "rate", "haze": "beta"}
BLUR, JPEG = "blur", "JPEG"
UNSEEN: Mapping[str, str] = {
    "noise of sigma 35": "noise 35",
    "Gaussian blur, deviation 2": BLUR,
    "JPEG, quality 20": JPEG,
}
"""Degradations that no training has, by their names in words."""
BLUR_DEVIATION, JPEG_QUALITY = 2.0, 20


def dose_condition(kind: str, dose: float) -> str:
    """Name of a condition.

    >>> dose_condition("noise", 35.0)
    'noise 35'
    """
    return f"{kind} {dose:g}"


ALL_CONDITIONS = (
    *CONDITIONS,
    CLEAN,
    *(dose_condition(kind, dose) for kind, doses in DOSES.items() for dose in doses),
    *(BLUR, JPEG),
)


@dataclass(frozen=True, slots=True)
class Views:
    """V views of P pictures, in the order of the pictures; all of one size.

    `clean` is float32 (V, scale * h, scale * w, 3), `reference` (V, h, w, 3) the same at the size
    of the degraded views: itself, or reduced by 2. `degraded` holds (V, h, w, 3) per condition.
    """

    set: str
    """Prepared set that the pictures are of."""
    pictures: tuple[str, ...]
    """Scene of each view."""
    per_picture: int
    clean: NDArray[np.float32]
    reference: NDArray[np.float32]
    degraded: dict[str, NDArray[np.float32]]

    @property
    def side(self) -> int:
        """Side of the clean views."""
        return self.clean.shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' scenes, each once."""
        return tuple(dict.fromkeys(self.pictures))

    def first_of_each(self) -> Views:
        """One view of each picture, where several would cost more than they tell."""
        chosen = np.arange(0, len(self.pictures), self.per_picture)
        return Views(
            self.set,
            tuple(self.pictures[index] for index in chosen),
            1,
            self.clean[chosen],
            self.reference[chosen],
            {name: images[chosen] for name, images in self.degraded.items()},
        )

    def other_picture(self) -> NDArray[np.intp]:
        """For each view the index of the view of the next picture at the same place."""
        count = len(self.pictures)
        return np.roll(np.arange(count), -self.per_picture)


def source_of_pictures(spec: EvaluationSpec) -> TestSetSpec:
    """The first test set with ground truth: its clean pictures are degraded anew.

    Raises:
        EvaluationError: no test set has ground truth.
    """
    for test_set in spec.test_sets:
        if test_set.reference:
            return test_set
    raise EvaluationError(
        f"{spec.run}: the representation needs clean pictures, but no test set has ground truth; "
        "add a test set with a reference"
    )


def _clean_pictures(pairs: PairedSet) -> dict[str, NDArray[np.float32]]:
    """One clean picture per scene, of the first scenes of the set, cut to their centre."""
    scenes: dict[str, int] = {}
    for index, row in enumerate(pairs.rows):
        if row.clean and len(scenes) < PICTURES:
            scenes.setdefault(row.scene, index)
    pictures = {}
    for scene, index in scenes.items():
        clean = pairs.read(index).clean
        assert clean is not None  # rows without a clean image are left out above
        height, width = (min(CENTRE, n) // SIDE_MULTIPLE * SIDE_MULTIPLE for n in clean.shape[:2])
        if min(height, width) < SIDE_MULTIPLE:
            continue  # nothing of it can go through the network
        top, left = (clean.shape[0] - height) // 2, (clean.shape[1] - width) // 2
        pictures[scene] = np.ascontiguousarray(clean[top : top + height, left : left + width])
    return pictures


def degraded_picture(
    clean: NDArray[np.float32],
    condition: str,
    scene: str,
    suite_seed: int,
    *,
    noise_variant: str = "float_clip",
    x2_order: str | None = None,
) -> NDArray[np.float32]:
    """One clean picture (H, W, 3) under one of `ALL_CONDITIONS`, drawn for its scene.

    `x2_order` is the order of degradation and reduction by 2; None: nothing is reduced. The result
    is not rounded to 8 bits, under no condition but JPEG: rounding would tell.

    >>> grey = np.full((32, 32, 3), 0.5, np.float32)
    >>> degraded_picture(grey, "noise_15", "a", 9, x2_order="degrade_then_down").shape
    (16, 16, 3)
    """
    if condition in (CLEAN, BLUR, JPEG):
        changed = {CLEAN: lambda image: image, BLUR: _blurred, JPEG: _compressed}[condition]
        if x2_order == "down_then_degrade":
            return changed(downsample_bicubic(clean, 2, round_8_bits=False))
        made = changed(clean)
        return made if x2_order is None else downsample_bicubic(made, 2, round_8_bits=False)
    kind, _, dose = condition.partition(" ")
    parameters: dict[str, dict[str, Any]] = {}
    if kind in SIGMAS:
        parameters["noise"] = {"sigma": SIGMAS[kind], "variant": noise_variant}
        kind = "noise"
    if dose:
        parameters.setdefault(kind, {})[DOSE_PARAMETERS[kind]] = float(dose)
    steps: Sequence[str] = (kind,)
    if x2_order is not None:
        steps = x2_steps(steps, x2_order)
        parameters["down"] = {"round_8_bits": False}
    # Equal draws for all doses of a kind: only its strength changes.
    key = f"dose of {kind}" if dose else condition
    generator = numpy_generator(suite_seed, "representation", key, scene)
    return apply_sequence(clean, steps, generator, parameters=parameters)[0]


def _blurred(image: NDArray[np.float32]) -> NDArray[np.float32]:
    deviations = (BLUR_DEVIATION, BLUR_DEVIATION, 0.0)
    return gaussian_filter(image, deviations, mode="reflect").astype(np.float32)


def _compressed(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture as a JPEG file gives it back."""
    file = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file), dtype=np.float32) / np.float32(255)


def _corners(height: int, width: int, side: int, count: int) -> list[tuple[int, int]]:
    """Upper left corners of `count` views that do not overlap: the centre, or outer corners."""
    if count == 1:
        places = [((height - side) // 2, (width - side) // 2)]
    else:
        bottom, right = height - side, width - side
        places = [(0, 0), (bottom, right), (0, right), (bottom, 0)][:count]
    # Views of a degraded picture of half the size begin at whole pixels of it.
    return [(top // 2 * 2, left // 2 * 2) for top, left in places]


def make_views(
    pairs: PairedSet,
    suite_seed: int,
    *,
    scale: int = 1,
    noise_variant: str = "float_clip",
    x2_order: str = "degrade_then_down",
) -> Views:
    """Cut views out of the clean pictures of a set and out of their degraded versions.

    Whole centres are degraded and cut afterwards, so that rain and haze are those of a picture.
    With scale 2, for a network that enlarges, degraded views have half the side; `noise_variant`
    and `x2_order` are those of the run.

    Raises:
        EvaluationError: no picture is large enough.
    """
    pictures = _clean_pictures(pairs)
    if not pictures:
        raise EvaluationError(
            f"set {pairs.name!r}: expected clean pictures of at least {SIDE_MULTIPLE} pixels a "
            "side, found none; prepare the set again"
        )
    per_picture = min(VIEWS_PER_PICTURE, max(1, VIEWS // len(pictures)))
    smallest = min(min(picture.shape[:2]) for picture in pictures.values())
    if smallest // 2 < SIDE_MULTIPLE:
        per_picture = 1
    side = min(VIEW_SIDE, smallest // (1 if per_picture == 1 else 2))
    side = side // SIDE_MULTIPLE * SIDE_MULTIPLE
    clean, reference = [], []
    degraded: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ALL_CONDITIONS}
    for scene, picture in pictures.items():
        small = downsample_bicubic(picture, scale, round_8_bits=False) if scale > 1 else picture
        versions = {
            name: degraded_picture(
                picture,
                name,
                scene,
                suite_seed,
                noise_variant=noise_variant,
                x2_order=x2_order if scale > 1 else None,
            )
            for name in ALL_CONDITIONS
        }
        height, width = picture.shape[:2]
        for top, left in _corners(height, width, side, per_picture):
            clean.append(picture[top : top + side, left : left + side])
            window = np.s_[
                top // scale : (top + side) // scale, left // scale : (left + side) // scale
            ]
            reference.append(small[window])
            for name, version in versions.items():
                degraded[name].append(version[window])
    scenes = tuple(scene for scene in pictures for _ in range(per_picture))
    stacked = {name: np.stack(images) for name, images in degraded.items()}
    return Views(pairs.name, scenes, per_picture, np.stack(clean), np.stack(reference), stacked)
