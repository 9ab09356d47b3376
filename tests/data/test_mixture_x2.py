from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.data.image_files import pixels_sha256, read_rgb
from ndr.data.manifest import Manifest
from ndr.data.mixture import Mixture, Sample
from ndr.degradations.downsampling import downsample_bicubic
from ndr.records.provenance import file_sha256
from ndr.specs.run_spec import NoiseSpec, Recipe, RunSpec, SettingSpec, TaskSpec
from ndr.specs.typed_file import SpecError
from tests.tiny_sets import TINY_IDENTITY, write_tiny_set

NOISE = TaskSpec("noise", ("clean",), (TINY_IDENTITY,), NoiseSpec((25.0,)))
RAIN = TaskSpec("rain", ("pairs",), (TINY_IDENTITY,))
DOWN = TaskSpec("down_x2", ("clean",), (TINY_IDENTITY,))
HALVES = TaskSpec("down_x2", ("halves",), (TINY_IDENTITY,))


def mixture(sets: Path, task: TaskSpec, patch: int = 12, **setting: object) -> Mixture:
    spec = RunSpec(
        "smoke", "dncnn", {}, {}, SettingSpec("x2", (task,), **{"scale": 2, **setting}),
        Recipe(steps=4, batch=2, patch=patch, learning_rate=1e-3), seed=0, suite_seed=9,
    )  # fmt: skip
    return Mixture(spec, sets)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    write_tiny_set(tmp_path, "clean", 2)
    write_tiny_set(tmp_path, "pairs", 2, paired=True)
    path = write_tiny_set(tmp_path, "halves", 2, paired=True)
    manifest = Manifest.read(path)
    rows = []
    for row in manifest.rows:  # the published small images are darker by 7 levels: to know them
        clean = read_rgb(path.parent / row.clean)
        small = downsample_bicubic(clean.astype(np.float32) / 255)
        small = np.rint(255 * small).astype(np.uint8) - 7
        Image.fromarray(small).save(path.parent / row.degraded)
        hashes = {
            "degraded_sha256": file_sha256(path.parent / row.degraded),
            "degraded_pixels_sha256": pixels_sha256(small),
        }
        rows.append(dataclasses.replace(row, **hashes))
    notes = {**manifest.notes, "scale": "2"}
    dataclasses.replace(manifest, rows=tuple(rows), notes=notes).write(path)
    return tmp_path


def first_samples(samples: Mixture) -> list[Sample]:
    return [samples.sample(position) for position in range(8)]


def test_the_degraded_patch_is_half_as_large(sets: Path) -> None:
    for task in (NOISE, RAIN, DOWN, HALVES):
        for sample in first_samples(mixture(sets, task)):
            assert sample.clean.shape == (12, 12, 3)
            assert sample.degraded.shape == (6, 6, 3)


def test_given_degradations_are_reduced_and_rounded_to_8_bits(sets: Path) -> None:
    for task, factor in ((DOWN, 1), (RAIN, 2)):
        for sample in first_samples(mixture(sets, task)):
            full = np.rint(255 * sample.clean) // factor / np.float32(255)
            expected = downsample_bicubic(full.astype(np.float32))
            np.testing.assert_allclose(sample.degraded, expected, atol=1e-6)


def test_noise_comes_before_or_after_the_reduction(sets: Path) -> None:
    residuals = {}
    for order in ("degrade_then_down", "down_then_degrade"):
        parts = []
        for sample in first_samples(mixture(sets, NOISE, patch=20, x2_order=order)):
            parts.append(sample.degraded - downsample_bicubic(sample.clean))
        residuals[order] = 255 * np.std(parts)
    # The bicubic kernel of factor 2 leaves 0.404 of the deviation of white noise.
    assert residuals["down_then_degrade"] == pytest.approx(25, rel=0.08)
    assert residuals["degrade_then_down"] == pytest.approx(25 * 0.404, rel=0.08)


def test_published_small_images_are_taken_as_they_are(sets: Path) -> None:
    for sample in first_samples(mixture(sets, HALVES, patch=20)):
        expected = downsample_bicubic(sample.clean) - np.float32(7 / 255)
        inner = (slice(2, -2), slice(2, -2))  # the crop's own border is mirrored, the image's not
        np.testing.assert_allclose(sample.degraded[inner], expected[inner], atol=1.01 / 255)


def test_scales_that_do_not_fit_are_refused(sets: Path) -> None:
    with pytest.raises(SpecError, match=r"patch that the scale 2 .* divides, found 13"):
        mixture(sets, DOWN, patch=13)
    with pytest.raises(SpecError, match=r"'halves' are 1/2 as large.*scale 1"):
        mixture(sets, HALVES, scale=1)
    with pytest.raises(SpecError, match="without a degraded version"):
        mixture(sets, DOWN, scale=1)
