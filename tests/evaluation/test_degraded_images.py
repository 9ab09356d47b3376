"""Test sets: noise by name, crops, subsets, sizes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ndr.data.manifest import Manifest
from ndr.data.pairs import Pair, PairedSet
from ndr.evaluation.degraded_images import DegradedImages, EvaluationError, noisy
from ndr.seeds import numpy_generator
from ndr.specs.run_spec import NoiseSpec, TestSetSpec
from ndr.specs.typed_file import SpecError
from tests.tiny_sets import write_tiny_set

NOISE = NoiseSpec((25.0,))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "clean", 3, (24, 20))
    write_tiny_set(folder, "pairs", 3, (24, 20), paired=True)
    return folder


def images(sets: Path, name: str, **changes: Any) -> DegradedImages:
    seed = changes.pop("suite_seed", 9)
    scale = changes.pop("scale", 1)
    spec = TestSetSpec("test_set", "noise", name, "0" * 64, **changes)
    return DegradedImages(spec, PairedSet(sets, name), seed, scale)


def test_pairs_are_read_in_the_order_of_the_manifest(sets: Path) -> None:
    test_set = images(sets, "pairs")
    read = list(test_set)
    assert [image.name for image in read] == ["image0", "image1", "image2"]
    assert len(test_set) == test_set.total == 3
    for image, pair in zip(read, map(PairedSet(sets, "pairs").read, range(3)), strict=True):
        np.testing.assert_array_equal(image.clean, pair.clean)
        np.testing.assert_array_equal(image.degraded, pair.degraded)
        assert (image.scene, image.sigma) == (pair.scene, None)


def test_noise_depends_on_names_and_level_only(sets: Path) -> None:
    first = [image.degraded for image in images(sets, "clean", noise=NOISE)]
    again = [image.degraded for image in images(sets, "clean", noise=NOISE, first_images=2)]
    assert len(again) == 2
    for one, other in zip(first, again, strict=False):
        np.testing.assert_array_equal(one, other)
    others = {
        "level": images(sets, "clean", noise=NoiseSpec((50.0,))),
        "seed": images(sets, "clean", noise=NOISE, suite_seed=10),
        "set": images(sets, "pairs", noise=NOISE),
    }
    for name, test_set in others.items():
        image = next(iter(test_set))
        drawn = (image.degraded - image.clean) / image.sigma
        before = (first[0] - image.clean) / 25
        assert not np.allclose(drawn, before, atol=1e-4), name


def test_each_image_has_noise_of_its_own(sets: Path) -> None:
    noise = NoiseSpec((25.0,), "float_noclip")
    drawn = [image.degraded - image.clean for image in images(sets, "clean", noise=noise)]
    assert abs(np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1]) < 0.1
    assert np.std(drawn) == pytest.approx(25 / 255, rel=0.05)
    legacy = NoiseSpec((25.0,), "float_noclip", "zero_per_image")
    for image in images(sets, "clean", noise=legacy):
        expected = np.random.RandomState(0).randn(24, 20, 3) * 25 / 255
        np.testing.assert_allclose(image.degraded - image.clean, expected, atol=1e-6)


def test_level_25_is_one_level_however_it_is_written() -> None:
    grey = np.full((8, 8, 3), 0.5, np.float32)
    as_integer = noisy(grey, NoiseSpec((25,)), 9, "set", "a")
    np.testing.assert_array_equal(as_integer, noisy(grey, NoiseSpec((25.0,)), 9, "set", "a"))
    generator = numpy_generator(9, "noise", "set", "a", 25)
    drawn = generator.standard_normal(grey.shape, dtype=np.float32)
    np.testing.assert_allclose(as_integer, np.clip(0.5 + drawn * 25 / 255, 0, 1), atol=1e-6)


def test_noise_comes_on_top_of_a_degraded_image(sets: Path) -> None:
    legacy = NoiseSpec((5.0,), "float_noclip", "zero_per_image")
    image = next(iter(images(sets, "pairs", noise=legacy)))
    pair = PairedSet(sets, "pairs").read(0)
    assert pair.degraded is not None
    expected = pair.degraded + np.random.RandomState(0).randn(24, 20, 3) * 5 / 255
    np.testing.assert_allclose(image.degraded, expected, atol=1e-6)


def test_the_crop_is_cut_out_of_the_whole_noisy_image(sets: Path) -> None:
    whole = next(iter(images(sets, "clean", noise=NOISE)))
    cropped = next(iter(images(sets, "clean", noise=NOISE, crop=16)))
    np.testing.assert_array_equal(cropped.degraded, whole.degraded[4:20, 2:18])
    np.testing.assert_array_equal(cropped.clean, whole.clean[4:20, 2:18])
    larger = next(iter(images(sets, "clean", noise=NOISE, crop=22)))
    np.testing.assert_array_equal(larger.degraded, whole.degraded[1:23])


@dataclass
class HalvedPairs:
    """Pairs as a set for doubled resolution holds them: half the size on the degraded side."""

    sizes: tuple[tuple[int, int], tuple[int, int]]
    names: tuple[str, ...] = ("a",)

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> Pair:
        degraded, clean = (
            np.arange(h * w * 3, dtype=np.float32).reshape(h, w, 3) / (h * w * 3)
            for h, w in self.sizes
        )
        return Pair("a", "a", clean, degraded)


def test_scale_two_takes_halved_images() -> None:
    spec = TestSetSpec("x2", "down_x2", "halved", "0" * 64)
    pairs: Any = HalvedPairs(((15, 20), (30, 40)))
    image = next(iter(DegradedImages(spec, pairs, 9, scale=2)))
    assert image.degraded.shape == (15, 20, 3)
    assert image.clean.shape == (30, 40, 3)
    cropped_spec = TestSetSpec("x2", "down_x2", "halved", "0" * 64, crop=16)
    cropped = next(iter(DegradedImages(cropped_spec, pairs, 9, scale=2)))
    np.testing.assert_array_equal(cropped.degraded, image.degraded[3:11, 6:14])
    np.testing.assert_array_equal(cropped.clean, image.clean[6:22, 12:28])


def test_sizes_that_do_not_fit_the_method_are_named(sets: Path) -> None:
    with pytest.raises(
        EvaluationError, match=r"image 'image0': expected a clean image of 40 x 48 pixels.* 20 x 24"
    ):
        next(iter(images(sets, "pairs", scale=2)))
    halved: Any = HalvedPairs(((15, 20), (30, 40)))
    spec = TestSetSpec("x2", "down_x2", "halved", "0" * 64)
    with pytest.raises(EvaluationError, match=r"20 x 15 pixels, 1 times.* found 40 x 30"):
        next(iter(DegradedImages(spec, halved, 9, scale=1)))


def test_contradictions_are_refused(sets: Path) -> None:
    with pytest.raises(SpecError, match="one noise level"):
        images(sets, "clean", noise=NoiseSpec((15.0, 25.0)))
    with pytest.raises(SpecError, match="multiple of the scale 2, found 15"):
        images(sets, "pairs", crop=15, scale=2)
    with pytest.raises(SpecError, match="first_images of at least 1"):
        images(sets, "pairs", first_images=0)
    with pytest.raises(EvaluationError, match="has no degraded images"):
        next(iter(images(sets, "clean")))


def test_a_larger_subset_than_the_set_is_the_set(sets: Path) -> None:
    assert len(images(sets, "pairs", first_images=10)) == 3


@pytest.fixture(scope="module")
def exposures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs whose manifest says at which exposure value they were made."""
    folder = tmp_path_factory.mktemp("exposures")
    path = write_tiny_set(folder, "pairs", 3, (24, 20), paired=True)
    manifest = Manifest.read(path)
    values = ('{"ev": -1.5}', '{"ev": 0}', '{"ev": 1}')
    rows = tuple(
        dataclasses.replace(row, parameters=value)
        for row, value in zip(manifest.rows, values, strict=True)
    )
    notes = {**manifest.notes, "expected": "10"}
    dataclasses.replace(manifest, rows=rows, notes=notes).write(path)
    return folder


def test_a_test_set_may_be_the_images_of_some_parameters(exposures: Path) -> None:
    over = images(exposures, "pairs", parameter="ev", parameter_values=(0.0, 1.0, 1.5))
    assert [image.name for image in over] == ["image1", "image2"]
    assert (len(over), over.total) == (2, 9)
    first = images(exposures, "pairs", parameter="ev", parameter_values=(0.0, 1.0), first_images=1)
    assert [image.name for image in first] == ["image1"]
    with pytest.raises(EvaluationError, match=r"ev among \[1.5\].*'-1.5', '0', '1'"):
        images(exposures, "pairs", parameter="ev", parameter_values=(1.5,))
    with pytest.raises(SpecError, match="parameter and parameter_values stand together"):
        images(exposures, "pairs", parameter="ev")


def test_without_reference_the_truth_is_not_read(sets: Path) -> None:
    for image in images(sets, "pairs", reference=False, crop=8):
        assert image.clean is None
        assert image.degraded.shape == (8, 8, 3)
