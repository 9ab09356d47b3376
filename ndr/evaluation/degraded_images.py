"""The images of a test set as a method gets them: degraded input, truth, and what is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndr.data.pairs import PairedSet
from ndr.degradations.gaussian_noise import add_gaussian_noise
from ndr.seeds import numpy_generator
from ndr.specs.run_spec import EvaluationSpec, NoiseSpec, TestSetSpec
from ndr.specs.typed_file import SpecError

Image = NDArray[np.float32]

DECODED_BYTES = 512 * 2**20
"""Decoded files that a process keeps, over all sets of its first run."""
KEPT_BYTES = 512 * 2**20
"""Degraded images that a process keeps for its later runs."""


class EvaluationError(ValueError):
    """A test set that does not fit the method or the spec, or a result that is no image."""


@dataclass(frozen=True, slots=True)
class DegradedImage:
    """One image of a test set.

    `degraded` (H, W, 3) and `clean` (scale * H, scale * W, 3) are RGB, nominally in [0, 1];
    `clean` is None where the test set has no ground truth. `sigma` is the noise level on the
    0..255 scale, None where no noise was added.
    """

    name: str
    scene: str
    degraded: Image
    clean: Image | None
    sigma: float | None

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
        return self.degraded.nbytes + (0 if self.clean is None else self.clean.nbytes)

    def frozen(self) -> DegradedImage:
        """A copy that nobody can write to, and that holds no more than its own pixels."""
        clean = None if self.clean is None else _frozen(self.clean)
        return replace(self, degraded=_frozen(self.degraded), clean=clean)


def _frozen(image: Image) -> Image:
    image = image.copy()
    image.flags.writeable = False
    return image


_Content = tuple[str, str, NoiseSpec | None, int | None, bool, int]


def content_of(test_set: TestSetSpec, suite_seed: int) -> _Content:
    """All that decides the pixels of a test set, beside the scale of its method."""
    return (
        *(test_set.set, test_set.set_sha256, test_set.noise),
        *(test_set.crop, test_set.reference, suite_seed),
    )


class KeptImages:
    """Degraded images that later runs of this process take too, up to a number of bytes.

    Noise is drawn for whole photographs, and the runs of a table share their test sets.
    """

    def __init__(self, runs: Iterable[EvaluationSpec], limit_bytes: int = KEPT_BYTES) -> None:
        """Plan what is worth keeping for the evaluations that will come, in any order."""
        self._to_come = Counter(content for run in runs for content in self._contents(run))
        self._images: dict[tuple[_Content, int, int], DegradedImage] = {}
        self._free_bytes = limit_bytes

    @staticmethod
    def _contents(run: EvaluationSpec) -> set[_Content]:
        return {content_of(test_set, run.suite_seed) for test_set in run.test_sets}

    def image(
        self, content: _Content, scale: int, index: int, make: Callable[[int], DegradedImage]
    ) -> DegradedImage:
        """The image as it was kept, else as `make` gives it for its index."""
        key = content, scale, index
        if key in self._images:
            return self._images[key]
        image = make(index)
        if self._to_come[content] > 1 and image.nbytes <= self._free_bytes:
            image = self._images[key] = image.frozen()
            self._free_bytes -= image.nbytes
        return image

    def run_ended(self, run: EvaluationSpec) -> None:
        """Forget what no later run takes."""
        self._to_come -= Counter(self._contents(run))
        for key in [key for key in self._images if not self._to_come[key[0]]]:
            self._free_bytes += self._images.pop(key).nbytes


class PreparedSets:
    """The prepared sets that the runs of this process are evaluated on, each opened once.

    Several test sets may be one prepared set with several noise levels.
    """

    def __init__(self, folder: str | Path, runs: Sequence[EvaluationSpec]) -> None:
        """Open nothing yet; `runs` are the evaluations that will come, in any order."""
        self._folder = Path(folder)
        self._opened: dict[tuple[str, str], PairedSet] = {}
        sets = {(test_set.set, test_set.set_sha256) for run in runs for test_set in run.test_sets}
        self._cache_bytes = DECODED_BYTES // max(1, len(sets))
        self.kept = KeptImages(runs)

    def pairs(self, test_set: TestSetSpec) -> PairedSet:
        """The prepared set behind a test set.

        Raises:
            FileNotFoundError: it is not prepared.
            ManifestError: it was prepared as something else than the spec says.
        """
        name, identity = test_set.set, test_set.set_sha256
        if (name, identity) not in self._opened:
            pairs = PairedSet(self._folder, name, self._cache_bytes, identity)
            self._opened[name, identity] = pairs
        return self._opened[name, identity]

    def images(self, run: EvaluationSpec, test_set: TestSetSpec, scale: int) -> DegradedImages:
        """A test set of a run, for a method of that scale; see `DegradedImages`."""
        return DegradedImages(test_set, self.pairs(test_set), run.suite_seed, scale, self.kept)


class DegradedImages:
    """A test set: images of its prepared set in manifest order, degraded as the spec says.

    Noise is drawn for the whole image from a generator of its own, so it depends on neither the
    crop nor the other images. It is added to the degraded image of the pair where there is one,
    and to the clean image otherwise.
    """

    def __init__(
        self,
        spec: TestSetSpec,
        pairs: PairedSet,
        suite_seed: int,
        scale: int = 1,
        kept: KeptImages | None = None,
    ) -> None:
        """Check the test set against its prepared set.

        Args:
            spec: the test set.
            pairs: the prepared set that it names.
            suite_seed: seed that the noise is derived from.
            scale: size of the truth over the size of the input (`MethodInfo.scale`).
            kept: images that are shared with other runs; None: all are made anew.

        Raises:
            SpecError: not exactly one noise level, a crop that `scale` does not divide, or less
                than one image.
        """
        if spec.noise is not None and len(spec.noise.sigmas) != 1:
            raise SpecError(
                f"test set {spec.name!r}: expected one noise level, found {spec.noise.sigmas}; "
                "define one test set per level"
            )
        if spec.crop is not None and (spec.crop < 1 or spec.crop % scale):
            raise SpecError(
                f"test set {spec.name!r}: expected a crop that is a multiple of the scale {scale}, "
                f"found {spec.crop}"
            )
        if spec.first_images is not None and spec.first_images < 1:
            raise SpecError(
                f"test set {spec.name!r}: expected first_images of at least 1, or null for all, "
                f"found {spec.first_images}"
            )
        self.spec = spec
        self._pairs = pairs
        self._suite_seed = suite_seed
        self._scale = scale
        self._kept = kept or KeptImages(())
        members = self._members()
        self._left_out = len(pairs) - len(members)
        self._indices = members[: spec.first_images]

    def _members(self) -> list[int]:
        """Indices of the images that belong to the test set."""
        name = self.spec.parameter
        if name is None:
            return list(range(len(self._pairs)))
        values = [row.parameter_values.get(name) for row in self._pairs.rows]
        chosen = [i for i, value in enumerate(values) if value in self.spec.parameter_values]
        if not chosen:
            raise EvaluationError(
                f"test set {self.spec.name!r}: expected images of set {self.spec.set!r} with "
                f"{name} among {list(self.spec.parameter_values)}, found only "
                f"{sorted({str(value) for value in values})}"
            )
        return chosen

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def total(self) -> int:
        """Images of the complete test set, those that are left out here or missing included."""
        return self._pairs.manifest.expected - self._left_out

    @property
    def content(self) -> tuple[_Content, tuple[int, ...]]:
        """All that decides the degraded images of a test set, whether the truth is seen or not."""
        judged = replace(self.spec, reference=True)
        return content_of(judged, self._suite_seed), tuple(self._indices)

    def __iter__(self) -> Iterator[DegradedImage]:
        content = content_of(self.spec, self._suite_seed)
        for index in self._indices:
            yield self._kept.image(content, self._scale, index, self._read)

    def _read(self, index: int) -> DegradedImage:
        pair = self._pairs.read(index)
        noise = self.spec.noise
        if pair.degraded is None and noise is None:
            raise EvaluationError(
                f"test set {self.spec.name!r}, image {pair.name!r}: set {self.spec.set!r} has no "
                "degraded images and the test set adds no noise; give the test set a noise level"
            )
        clean = pair.clean if self.spec.reference else None
        degraded = pair.clean if pair.degraded is None else pair.degraded
        assert degraded is not None  # every row of a manifest names an image
        if clean is not None:
            expected = (self._scale * degraded.shape[0], self._scale * degraded.shape[1], 3)
            if clean.shape != expected:
                raise EvaluationError(
                    f"test set {self.spec.name!r}, image {pair.name!r}: expected a clean image of "
                    f"{expected[1]} x {expected[0]} pixels, {self._scale} times the degraded "
                    f"image's, found {clean.shape[1]} x {clean.shape[0]}; evaluate a method of "
                    f"scale {self._scale} on a set of that scale"
                )
        elif self.spec.reference:
            raise EvaluationError(
                f"test set {self.spec.name!r}, image {pair.name!r}: set {self.spec.set!r} has no "
                "ground truth; give the test set reference: false"
            )
        if noise is not None:
            degraded = noisy(degraded, noise, self._suite_seed, self.spec.set, pair.name)
        if self.spec.crop is not None:
            degraded, clean = centre_crop(degraded, clean, self.spec.crop, self._scale)
        return DegradedImage(
            pair.name, pair.scene, degraded, clean, None if noise is None else noise.sigmas[0]
        )


def noisy(image: Image, noise: NoiseSpec, suite_seed: int, set_name: str, name: str) -> Image:
    """Add the test set's noise to one image.

    With seeding `image_name` the generator is derived from the suite's seed, the set, the image's
    name and the level. With `zero_per_image` it is NumPy's legacy generator with seed 0 for each
    image, as in the public tests of FFDNet and Restormer. The result leaves [0, 1] where the
    variant does not clip.

    >>> grey = np.full((8, 8, 3), 0.5, np.float32)
    >>> spec = NoiseSpec(sigmas=(25.0,), variant="float_noclip", seeding="zero_per_image")
    >>> round(float(noisy(grey, spec, 9, "set", "a")[0, 0, 0]), 6)  # 0.5 + 1.764052 * 25 / 255
    0.672946
    """
    (sigma,) = noise.sigmas
    generator: np.random.Generator | np.random.RandomState
    if noise.seeding == "zero_per_image":
        generator = np.random.RandomState(0)
    else:
        # Levels are written as in the configuration: 25 and 25.0 are one level.
        level = int(sigma) if float(sigma).is_integer() else repr(float(sigma))
        generator = numpy_generator(suite_seed, "noise", set_name, name, level)
    return add_gaussian_noise(image, sigma, noise.variant, generator)


def centre_crop(
    degraded: Image, clean: Image | None, side: int, scale: int = 1
) -> tuple[Image, Image | None]:
    """Cut the same centre out of a pair; views of both images.

    `side` is in pixels of the clean image, a multiple of the scale; where the image is smaller it
    is taken whole.

    >>> small, large = centre_crop(np.zeros((20, 30, 3)), np.zeros((40, 60, 3)), 32, scale=2)
    >>> small.shape, large.shape
    ((16, 16, 3), (32, 32, 3))
    """
    height, width = (min(length, side // scale) for length in degraded.shape[:2])
    top, left = (degraded.shape[0] - height) // 2, (degraded.shape[1] - width) // 2
    if clean is not None:
        clean = clean[scale * top : scale * (top + height), scale * left : scale * (left + width)]
    return degraded[top : top + height, left : left + width], clean
