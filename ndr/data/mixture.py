"""From a training mix to samples: a pure function of the run's spec and a position.

Position `step * batch + index in the batch` decides everything: which image (`sample_order`),
which crop, which flips, which noise. So neither the number of workers, nor of processes, nor an
interruption changes what is learned from, and two methods trained on one setting with one seed
see the same patches in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ndr.data.pairs import PairedSet
from ndr.data.sample_order import SampleOrder
from ndr.degradations.downsampling import downsample_bicubic
from ndr.degradations.gaussian_noise import add_gaussian_noise
from ndr.seeds import numpy_generator
from ndr.specs.run_spec import RunSpec, SettingSpec, TaskSpec
from ndr.specs.typed_file import SpecError

CACHE_BYTES = 512 * 2**20
"""Decoded images that a process keeps, over all sets of a mix."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One training pair, RGB, nominally in [0, 1].

    `clean` is float32 (patch, patch, 3); `degraded` is as large, or half as large where the
    setting asks for super-resolution by 2. `sigma` (0..255 scale) is 0 where no noise was added.
    `image` is `set/name`.
    """

    position: int
    task: str
    image: str
    sigma: float
    degraded: np.ndarray
    clean: np.ndarray


class _TaskImages:
    """The images of a task: those of its sets, one after the other."""

    def __init__(self, task: TaskSpec, sets: dict[str, PairedSet]) -> None:
        self.task = task
        self._sets = [(name, sets[name]) for name in task.sets]
        self._ends = np.cumsum([len(pairs) for _, pairs in self._sets])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def locate(self, index: int) -> tuple[str, PairedSet, int]:
        """Name of the set, the set, and the index in it."""
        which = int(np.searchsorted(self._ends, index, side="right"))
        name, pairs = self._sets[which]
        return name, pairs, index - (int(self._ends[which]) - len(pairs))


class Mixture:
    """All samples of a training, by position."""

    def __init__(
        self, spec: RunSpec, sets_folder: str | Path, cache_bytes: int = CACHE_BYTES
    ) -> None:
        """Open the prepared sets of the mix; `cache_bytes` of decoded images over all of them.

        Raises:
            SpecError: a task without images, or with neither degraded images nor noise; a patch
                that the setting's scale does not divide.
            FileNotFoundError: a set is not prepared.
            ManifestError: a set was prepared as something else than the spec says.
        """
        if spec.recipe.patch % spec.setting.scale:
            raise SpecError(
                f"recipe: expected a patch that the scale {spec.setting.scale} of setting "
                f"{spec.setting.name!r} divides, found {spec.recipe.patch}"
            )
        self.spec = spec
        identities = {
            name: identity
            for task in spec.setting.tasks
            for name, identity in zip(task.sets, task.sets_sha256, strict=True)
        }
        share = cache_bytes // max(1, len(identities))
        sets = {
            name: PairedSet(Path(sets_folder), name, cache_bytes=share, identity=identity)
            for name, identity in sorted(identities.items())
        }
        manifests = "".join(f"{name} {pairs.manifest.sha256}\n" for name, pairs in sets.items())
        self.data_sha256 = hashlib.sha256(manifests.encode()).hexdigest()
        """Hash of the manifests, and so of every image file of the mix."""
        self._tasks = [_TaskImages(task, sets) for task in spec.setting.tasks]
        for task in spec.setting.tasks:
            _check_degraded(task, spec.setting, sets)
        self._order = SampleOrder(
            spec.setting, [len(images) for images in self._tasks], spec.suite_seed, spec.seed
        )

    def describe(self, position: int) -> str:
        """Task and image at a position, for messages; reads no image."""
        draw = self._order.draw(position)
        images = self._tasks[draw.task]
        name, pairs, index = images.locate(draw.image)
        return f"{images.task.name} {name}/{pairs.rows[index].name}"

    def sample(self, position: int) -> Sample:
        """The sample at `position`.

        The draws come from one generator, always in this order: sigma, top, left, one per
        augmentation, noise. An image smaller than the patch is reflected at its right and bottom
        edge, as `Method.restore` does; noise comes after that, so that it is never mirrored.
        White noise on the crop and on the whole image (NDR-Restore's own code) are the same in
        distribution. `NoiseSpec.seeding` concerns test images: here each visit draws anew. The
        reduction by 2 of a setting with `scale` 2 comes last, or before the noise, as `x2_order`
        says; a pair that was published at half the size is taken as it is.

        Raises:
            FileNotFoundError, ManifestError, ImageFileError: a file of the set is gone, changed
                or damaged; the message names it.
        """
        spec = self.spec
        draw = self._order.draw(position)
        images = self._tasks[draw.task]
        noise = images.task.noise
        generator = numpy_generator(spec.suite_seed, "sample", spec.seed, position)
        sigma = 0.0
        if noise is not None:
            drawn = noise.sigmas[generator.integers(len(noise.sigmas))]
            # The level is drawn even where the balance fixes it, so that crops do not depend on it.
            sigma = drawn if draw.sigma is None else draw.sigma
        set_name, pairs, index = images.locate(draw.image)
        clean, degraded = _random_crop(pairs, index, spec.recipe.patch, generator)
        clean, degraded = augmented(clean, degraded, spec.recipe.augment, generator)
        reduced = pairs.scale < spec.setting.scale
        if reduced and spec.setting.x2_order == "down_then_degrade":
            degraded, reduced = downsample_bicubic(degraded), False
        if noise is not None:
            degraded = add_gaussian_noise(degraded, sigma, noise.variant, generator)
        if reduced:
            degraded = downsample_bicubic(np.clip(degraded, 0, 1))
        return Sample(
            position,
            images.task.name,
            f"{set_name}/{pairs.rows[index].name}",
            sigma,
            np.ascontiguousarray(degraded, dtype=np.float32),
            np.ascontiguousarray(clean, dtype=np.float32),
        )


def _check_degraded(task: TaskSpec, setting: SettingSpec, sets: dict[str, PairedSet]) -> None:
    """Refuse what cannot be trained on, such as clean images that nothing would degrade."""
    if task.noise is not None and not task.noise.sigmas:
        raise SpecError(f"task {task.name!r}: noise without a level; name at least one sigma")
    for name in task.sets:
        rows, scale = sets[name].rows, sets[name].scale
        if scale not in (1, setting.scale):
            raise SpecError(
                f"task {task.name!r}: the degraded images of set {name!r} are 1/{scale} as large "
                f"as the clean ones, but the setting {setting.name!r} has scale {setting.scale}"
            )
        if any(not row.clean for row in rows):
            raise SpecError(
                f"task {task.name!r}: set {name!r} holds photographs without ground truth; they "
                "can be restored, not trained on"
            )
        if task.noise is None and setting.scale == 1 and any(not row.degraded for row in rows):
            raise SpecError(
                f"task {task.name!r}: set {name!r} holds images without a degraded version, and "
                "the task adds no noise; name a set of pairs, or give the task its noise"
            )


def _random_crop(
    pairs: PairedSet, index: int, patch: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A uniformly placed patch of the clean and of the degraded image (clean where there is none).

    The second is smaller by the set's scale.
    """
    small = patch // pairs.scale
    height, width = pairs.size(index)
    top = int(generator.integers(max(height - small, 0) + 1))
    left = int(generator.integers(max(width - small, 0) + 1))
    pair = pairs.read_crop(index, top, left, min(height, small), min(width, small))
    assert pair.clean is not None  # see _check_degraded
    clean = reflected(pair.clean, patch)
    return clean, clean if pair.degraded is None else reflected(pair.degraded, small)


def reflected(image: np.ndarray, patch: int) -> np.ndarray:
    """Reflect an (H, W, 3) image at its right and bottom edge until it is `patch` wide and high.

    >>> reflected(np.arange(3.0).reshape(1, 3, 1), 5)[0, :, 0].tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    missing = [(0, max(patch - length, 0)) for length in image.shape[:2]]
    if not any(after for _, after in missing):
        return image
    return np.pad(image, [*missing, (0, 0)], mode="reflect")


def augmented(
    clean: np.ndarray, degraded: np.ndarray, names: Sequence[str], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Flip and transpose two square images alike, each with probability 0.5 (docs/protocols.md).

    One draw is made per name, in the order of the names.
    """
    for name in names:
        if generator.random() >= 0.5:
            continue
        if name == "horizontal_flip":
            clean, degraded = clean[:, ::-1], degraded[:, ::-1]
        elif name == "vertical_flip":
            clean, degraded = clean[::-1], degraded[::-1]
        elif name == "transpose":
            clean, degraded = clean.transpose(1, 0, 2), degraded.transpose(1, 0, 2)
        else:
            raise SpecError(f"unknown augmentation {name!r}")
    return clean, degraded
