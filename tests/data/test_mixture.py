from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ndr.data.image_files import read_rgb
from ndr.data.manifest import ManifestError
from ndr.data.mixture import Mixture, Sample, augmented
from ndr.specs.run_spec import NoiseSpec, Recipe, RunSpec, SettingSpec, TaskSpec
from ndr.specs.typed_file import SpecError
from tests.tiny_sets import write_tiny_set

NOISE = TaskSpec("noise", ("clean_a", "clean_b"), ("0" * 64,) * 2, NoiseSpec((15.0, 25.0, 50.0)))
RAIN = TaskSpec("rain", ("pairs",), ("0" * 64,))


def spec(patch: int = 8, tasks: tuple[TaskSpec, ...] = (NOISE, RAIN), **recipe: object) -> RunSpec:
    return RunSpec(
        "smoke", "dncnn", {}, {}, SettingSpec("noise_rain", tasks),
        Recipe(steps=10, batch=4, patch=patch, learning_rate=1e-3, **recipe), seed=0, suite_seed=9,
    )  # fmt: skip


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    write_tiny_set(tmp_path, "clean_a", 3)
    write_tiny_set(tmp_path, "clean_b", 2, size=(16, 30))
    write_tiny_set(tmp_path, "pairs", 2, paired=True)
    return tmp_path


def equal(left: Sample, right: Sample) -> bool:
    return all(
        np.array_equal(getattr(left, field.name), getattr(right, field.name))
        for field in dataclasses.fields(Sample)
    )


def test_samples_are_patches_with_their_degradation(sets: Path) -> None:
    mixture = Mixture(spec(), sets)
    samples = [mixture.sample(position) for position in range(200)]
    assert Counter(sample.task for sample in samples) == {"noise": 100, "rain": 100}
    assert {sample.image for sample in samples} == {
        "clean_a/image0", "clean_a/image1", "clean_a/image2", "clean_b/image0", "clean_b/image1",
        "pairs/image0", "pairs/image1",
    }  # fmt: skip
    for sample in samples:
        for image in (sample.clean, sample.degraded):
            assert image.shape == (8, 8, 3)
            assert image.dtype == np.float32
            assert image.flags.c_contiguous
            assert 0 <= image.min() <= image.max() <= 1
        if sample.task == "rain":
            assert sample.sigma == 0
            half = np.rint(sample.clean * 255) // 2  # how the tiny set was darkened
            assert np.array_equal(np.rint(sample.degraded * 255), half)
    sigmas = Counter(sample.sigma for sample in samples if sample.task == "noise")
    assert set(sigmas) == {15.0, 25.0, 50.0}
    assert min(sigmas.values()) > 15


def test_noise_has_the_level_that_the_sample_names(sets: Path) -> None:
    task = dataclasses.replace(NOISE, noise=NoiseSpec((5.0, 40.0), variant="float_noclip"))
    mixture = Mixture(spec(patch=16, tasks=(task,)), sets)
    residuals: dict[float, list[np.ndarray]] = {5.0: [], 40.0: []}
    for position in range(60):
        sample = mixture.sample(position)
        residuals[sample.sigma].append(255 * (sample.degraded - sample.clean))
    for sigma, parts in residuals.items():
        assert np.std(parts) == pytest.approx(sigma, rel=0.05)


def test_a_sample_depends_on_nothing_but_spec_and_position(sets: Path) -> None:
    mixture = Mixture(spec(), sets)
    samples = [mixture.sample(position) for position in range(20)]
    again = Mixture(spec(), sets, cache_bytes=0)
    assert all(equal(again.sample(p), samples[p]) for p in (19, 3, 3, 0, 11))
    assert mixture.describe(3) == f"{samples[3].task} {samples[3].image}"
    for other in (
        dataclasses.replace(spec(), seed=1),
        dataclasses.replace(spec(), suite_seed=10),
    ):
        assert not equal(Mixture(other, sets).sample(0), samples[0])
    # Another method, rate or batch sees the same patches: comparisons are paired.
    recipe = dataclasses.replace(spec().recipe, learning_rate=1.0, batch=2)
    other = dataclasses.replace(spec(), method="restormer", recipe=recipe)
    assert equal(Mixture(other, sets).sample(7), samples[7])


def test_crops_lie_everywhere_and_inside_the_image(sets: Path) -> None:
    task = dataclasses.replace(RAIN, sets=("pairs",))
    mixture = Mixture(spec(patch=18, tasks=(task,), augment=()), sets)
    images = [read_rgb(sets / "pairs" / "clean" / f"image{i}.png") for i in range(2)]
    corners = set()
    for position in range(300):
        sample = mixture.sample(position)
        image = images[int(sample.image[-1])]
        crop = np.rint(sample.clean * 255)
        places = [
            (top, left)
            for top in range(24 - 18 + 1)
            for left in range(20 - 18 + 1)
            if np.array_equal(image[top : top + 18, left : left + 18], crop)
        ]
        assert len(places) == 1
        corners.update(places)
    assert corners == {(top, left) for top in range(7) for left in range(3)}


def test_augmentation_treats_both_images_alike_and_reaches_all_eight() -> None:
    clean = np.arange(27.0).reshape(3, 3, 3)
    names = ("horizontal_flip", "vertical_flip", "transpose")
    seen = set()
    for seed in range(100):
        left, right = augmented(clean, clean + 100, names, np.random.default_rng(seed))
        assert np.array_equal(left + 100, right)
        seen.add(left[..., 0].tobytes())
    squares = [np.rot90(clean[..., 0], k) for k in range(4)]
    assert seen == {square.tobytes() for square in squares} | {s.T.tobytes() for s in squares}


def test_small_images_are_reflected_before_the_noise_comes(sets: Path) -> None:
    task = dataclasses.replace(NOISE, sets=("clean_b",), sets_sha256=("0" * 64,))
    mixture = Mixture(spec(patch=20, tasks=(task,), augment=()), sets)  # images are 16 high
    for position in range(6):
        sample = mixture.sample(position)
        assert np.array_equal(sample.clean[16:], sample.clean[14:10:-1])
        assert not np.array_equal(sample.degraded[16:], sample.degraded[14:10:-1])


def test_clean_images_need_noise(sets: Path) -> None:
    with pytest.raises(SpecError, match=r"'haze'.*'clean_a' holds images without a degraded"):
        Mixture(spec(tasks=(TaskSpec("haze", ("clean_a",), ("0" * 64,)),)), sets)
    with pytest.raises(SpecError, match="noise without a level"):
        Mixture(spec(tasks=(dataclasses.replace(NOISE, noise=NoiseSpec(())),)), sets)


def test_missing_and_changed_sets_are_named(sets: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        Mixture(spec(tasks=(dataclasses.replace(RAIN, sets=("absent",)),)), sets)
    changed = sets / "pairs" / "clean" / "image1.png"
    changed.write_bytes((sets / "pairs" / "clean" / "image0.png").read_bytes())
    mixture = Mixture(spec(tasks=(RAIN,)), sets)
    with pytest.raises(ManifestError, match=r"image1\.png"):
        [mixture.sample(position) for position in range(4)]
