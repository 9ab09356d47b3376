from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndr.data.catalogue import load_catalogue
from ndr.data.derived_sets import read_disparity, resolve_cycles
from ndr.data.image_files import pixels_sha256, read_rgb, to_uint8, write_png
from ndr.data.manifest import Manifest, ManifestError
from ndr.data.pairs import PairedSet
from ndr.data.prepare import Places, prepare_set
from ndr.degradations.downsampling import downsample_bicubic
from ndr.degradations.synthesis import synthesise
from ndr.nearest_name import UnknownNameError
from ndr.records.provenance import file_sha256
from ndr.seeds import numpy_generator
from tests.conftest import REPOSITORY
from tests.data.textured_images import textured_image, write_pairs

CONFIG = REPOSITORY / "config" / "datasets.yaml"


def edit(project, old: str, new: str) -> None:
    text = project.config.read_text()
    assert old in text
    project.config.write_text(text.replace(old, new, 1))


def test_rows_files_and_images_agree(project) -> None:
    project.prepare("tiny")
    manifest = project.prepare("tiny_rain")
    names = [row.name for row in manifest.rows]
    assert names == ["apple-1", "apple-2", "bridge-1", "bridge-2", "cloud-1", "cloud-2"]
    assert [row.scene for row in manifest.rows] == ["apple"] * 2 + ["bridge"] * 2 + ["cloud"] * 2
    assert len({row.degraded_pixels_sha256 for row in manifest.rows}) == 6
    for row in manifest.rows:
        assert row.clean.startswith("package:"), "the clean image is not copied"
        path = manifest.path(row.degraded)
        assert file_sha256(path) == row.degraded_sha256
        assert pixels_sha256(read_rgb(path)) == row.degraded_pixels_sha256
        assert pixels_sha256(read_rgb(manifest.path(row.clean))) == row.clean_pixels_sha256
        assert row.parameter_values["rate"] > 0


def test_an_image_is_the_synthesis_of_its_name(project) -> None:
    project.prepare("tiny")
    project.prepare("tiny_rain")
    pairs = PairedSet(project.places.sets, "tiny_rain")
    pair = pairs.read(pairs.index("bridge-2"))
    generator = numpy_generator(9, "synthesise", "tiny_rain", "bridge", 1)
    expected, _ = synthesise("rain", pair.clean, generator)
    np.testing.assert_array_equal(to_uint8(pair.degraded), to_uint8(expected))
    assert np.abs(pair.degraded - pair.clean).max() > 0.02


def test_images_depend_on_seed_and_name_not_on_their_neighbours(project) -> None:
    def hashes(seed: int) -> dict[str, str]:
        for name in ("tiny", "tiny_rain"):
            manifest = prepare_set(project.catalogue, name, project.places, seed)
        return {row.name: row.degraded_pixels_sha256 for row in manifest.rows}

    first = hashes(9)
    assert hashes(9) == first
    other = hashes(10)
    assert all(other[name] != first[name] for name in first)
    # Without the first image, and in another order, the others stay what they were.
    text = project.config.read_text()
    lines = [line for line in text.splitlines() if "apple: photographs" not in line]
    bridge = next(number for number, line in enumerate(lines) if "bridge: photographs" in line)
    lines[bridge : bridge + 2] = reversed(lines[bridge : bridge + 2])
    project.config.write_text("\n".join(lines))
    from ndr.data.sample_photographs import main

    main(["--catalogue", str(project.config), "--write", str(project.config.parent / "manifests")])
    fewer = hashes(9)
    assert list(fewer) == ["cloud-1", "cloud-2", "bridge-1", "bridge-2"]
    assert all(fewer[name] == first[name] for name in fewer)


def test_limit_takes_the_first_images(project) -> None:
    project.prepare("tiny")
    manifest = project.prepare("tiny_haze")
    assert [row.name for row in manifest.rows] == ["apple", "bridge"]
    assert manifest.expected == 2


def test_the_source_must_be_prepared(project) -> None:
    with pytest.raises(FileNotFoundError, match=r"ndr\.data\.prepare --set tiny$"):
        project.prepare("tiny_rain")


def test_a_source_image_that_changed_is_refused(project) -> None:
    project.prepare("tiny")
    write_png(project.package_folder / "images" / "apple.png", textured_image(50))
    with pytest.raises(ManifestError, match=r"apple\.png: its pixels are not those"):
        project.prepare("tiny_rain")
    assert not (project.places.sets / "tiny_rain" / "manifest.csv").exists()


def test_misspelt_degradations_and_parameters_name_the_nearest(project) -> None:
    project.prepare("tiny")
    edit(project, "degradation: rain", "degradation: rian")
    with pytest.raises(UnknownNameError, match="did you mean 'rain'"):
        project.prepare("tiny_rain")
    edit(project, "degradation: rian", "parameters: {angel: 3}, degradation: rain")
    with pytest.raises(UnknownNameError, match="did you mean 'angle'"):
        project.prepare("tiny_rain")


def test_parameters_of_the_entry_reach_the_synthesis(project) -> None:
    edit(project, "degradation: haze", "parameters: {beta: 0.16}, degradation: haze")
    project.prepare("tiny")
    assert {row.parameter_values["beta"] for row in project.prepare("tiny_haze").rows} == {0.16}


# ---- Half the size ----


def test_half_size_pictures_keep_their_full_size_target(project) -> None:
    project.prepare("tiny")
    edit(project, "degradation: rain,\n     variants: 2", "degradation: down_x2")
    manifest = project.prepare("tiny_rain")
    assert manifest.notes["scale"] == "2"
    assert [row.clean.split(":")[0] for row in manifest.rows] == ["package"] * 3
    pairs = PairedSet(project.places.sets, "tiny_rain")
    pair = pairs.read(1)
    np.testing.assert_array_equal(np.rint(pair.clean * 255), textured_image(1))
    np.testing.assert_array_equal(to_uint8(pair.degraded), to_uint8(downsample_bicubic(pair.clean)))


def test_odd_sides_are_cut_off_the_clean_image_too(project) -> None:
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    for folder, stem, seed in (("gt", "norain", 8), ("rainy", "rain", 9)):
        path = project.places.originals / "tiny_pairs" / folder / f"{stem}-2.png"
        write_png(path, textured_image(seed, 41, 55))
    edit(
        project,
        "from: tiny, degradation: rain,\n     variants: 2",
        "from: tiny_pairs, degradation: down_x2, apply_to: degraded",
    )
    project.prepare("tiny_pairs")
    manifest = project.prepare("tiny_rain")
    sizes = [(row.width, row.height) for row in manifest.rows]
    assert sizes == [(56, 40), (54, 40), (56, 40)]
    assert manifest.rows[1].clean == "clean/rain-2.png"
    assert manifest.rows[0].clean == "../../originals/tiny_pairs/gt/norain-1.png"
    pairs = PairedSet(project.places.sets, "tiny_rain")
    pair = pairs.read(1)
    np.testing.assert_array_equal(np.rint(pair.clean * 255), textured_image(8, 41, 55)[:40, :54])
    rainy = textured_image(9, 41, 55)[:40, :54].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(to_uint8(pair.degraded), to_uint8(downsample_bicubic(rainy)))


# ---- What is degraded, and with what ----


def test_degraded_pictures_are_degraded_further(project) -> None:
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    project.prepare("tiny_pairs")
    edit(
        project,
        "from: tiny, degradation: rain,\n     variants: 2",
        "from: tiny_pairs, degradation: noise, parameters: {sigma: 5}, apply_to: degraded",
    )
    project.prepare("tiny_rain")
    pairs = PairedSet(project.places.sets, "tiny_rain")
    pair = pairs.read(0)
    np.testing.assert_array_equal(np.rint(pair.clean * 255), textured_image(1))
    added = pair.degraded * 255 - textured_image(101)
    assert abs(added.std() - 5) < 0.3
    assert abs(added.mean()) < 0.3


def test_a_picture_without_the_image_to_degrade_is_named(project) -> None:
    project.prepare("tiny")
    edit(project, "degradation: rain", "apply_to: degraded, degradation: rain")
    with pytest.raises(ManifestError, match="'apple' has no degraded image to degrade"):
        project.prepare("tiny_rain")


def test_half_size_pairs_are_not_degraded_further(project) -> None:
    project.prepare("tiny")
    edit(project, "degradation: rain,\n     variants: 2", "degradation: down_x2")
    edit(
        project,
        "from: tiny, degradation: haze",
        "from: tiny_rain, apply_to: degraded, degradation: noise",
    )
    project.prepare("tiny_rain")
    with pytest.raises(ManifestError, match="'tiny_rain' are 1/2 as large"):
        project.prepare("tiny_haze")


def test_the_noise_level_goes_by_the_index(project) -> None:
    edit(
        project,
        "degradation: rain,\n     variants: 2",
        "degradation: noise, parameters: {sigma_cycle: [15, 25, 50]}",
    )
    project.prepare("tiny")
    manifest = project.prepare("tiny_rain")
    assert [row.parameter_values["sigma"] for row in manifest.rows] == [15, 25, 50]
    assert manifest.rows[1].name == "bridge"


def test_versions_of_an_image_take_the_values_in_turn(project) -> None:
    edit(
        project,
        "degradation: rain,\n     variants: 2",
        "degradation: noise, variants: 2, parameters: {sigma_cycle: [5, 10]}",
    )
    project.prepare("tiny")
    manifest = project.prepare("tiny_rain")
    assert [row.parameter_values["sigma"] for row in manifest.rows] == [5, 10] * 3


def test_cycles_of_a_step_are_resolved_at_their_depth() -> None:
    given = {"noise": {"sigma_cycle": [15, 25, 50], "variant": "float_clip"}, "rain": {"rate": 5}}
    expected = {"noise": {"sigma": 50, "variant": "float_clip"}, "rain": {"rate": 5}}
    assert resolve_cycles(given, 5) == expected


def test_mixed_and_exposure_sets_of_the_catalogue(tmp_path: Path) -> None:
    catalogue, places = load_catalogue(CONFIG), Places(tmp_path)
    prepare_set(catalogue, "photographs_test", places, 9)
    mixed = prepare_set(catalogue, "smoke_mixed_test", places, 9)
    values = [row.parameter_values for row in mixed.rows]
    assert [value["noise"]["sigma"] for value in values] == [15, 25]
    assert all(value["rain"]["rate"] > 0 and value["haze"]["beta"] > 0 for value in values)
    exposed = prepare_set(catalogue, "smoke_exposure_test", places, 9)
    levels = [row.parameter_values["ev"] for row in exposed.rows]
    assert levels == [-1.5, -1, 0, 1, 1.5] * 2
    pairs = PairedSet(tmp_path, "smoke_exposure_test")
    means = [float(pairs.read(index).degraded.mean()) for index in range(5)]
    assert means == sorted(means)


# ---- Measured depth ----


def test_disparity_of_an_image_that_is_not_there_is_refused(project) -> None:
    disparity = "disparity: {aple: {file: x/y.npz, sha256: '" + "0" * 64 + "'}}, "
    edit(project, "degradation: haze", disparity + "degradation: haze")
    project.prepare("tiny")
    with pytest.raises(UnknownNameError, match="did you mean 'apple'"):
        project.prepare("tiny_haze")


def test_disparity_is_checked(project) -> None:
    path = project.package_folder / "disparity.npz"
    np.savez(path, np.full((40, 56), 20.0))
    location, sha256 = f"{project.package}/disparity.npz", file_sha256(path)
    assert read_disparity(location, sha256, (40, 56)).dtype == np.float32
    with pytest.raises(ManifestError, match="expected the hash 000000"):
        read_disparity(location, "0" * 64, (40, 56))
    with pytest.raises(ManifestError, match=r"shape \(41, 56\), found \[\(40, 56\)\]"):
        read_disparity(location, sha256, (41, 56))


def test_the_motorcycle_is_hazed_by_its_measured_depth(tmp_path: Path) -> None:
    catalogue = load_catalogue(CONFIG)
    places = Places(tmp_path)
    prepare_set(catalogue, "photographs_test", places, 9)
    manifest = prepare_set(catalogue, "photographs_haze_test", places, 9)
    depths = {row.name: row.parameter_values["depth"] for row in manifest.rows}
    assert depths.pop("motorcycle_left") == "disparity"
    assert set(depths.values()) == {"generated"}

    # Koschmieder: where it is near, less is lost. t = (I - A) / (J - A), A is in the manifest.
    pairs = PairedSet(tmp_path, "photographs_haze_test")
    index = pairs.index("motorcycle_left")
    pair, airlight = pairs.read(index), pairs.rows[index].parameter_values["airlight"]
    with np.errstate(divide="ignore", invalid="ignore"):
        transmission = (pair.degraded - airlight) / (pair.clean - airlight)
    entry = catalogue.entry("photographs_haze_test").disparity["motorcycle_left"]
    disparity = read_disparity(entry.file, entry.sha256, pair.clean.shape[:2])
    known = np.isfinite(disparity) & (np.abs(pair.clean - airlight).min(axis=2) > 0.2)
    optical_depth = -np.log(np.clip(transmission[known].mean(axis=1), 1e-3, None))
    inverse = 1 / (disparity[known] + entry.offset)
    assert np.corrcoef(optical_depth, inverse)[0, 1] > 0.99


def test_a_catalogue_set_is_made_from_a_folder_set_too(project) -> None:
    write_pairs(project.root / "mirror" / "pairs", "test/clean", "test/degraded", (1, 2))
    edit(project, "from: tiny, degradation: rain", "from: tiny_pairs, degradation: rain")
    project.prepare("tiny_pairs", partial=True)
    manifest = project.prepare("tiny_rain")
    assert len(manifest.rows) == 4
    assert manifest.expected == 6, "2 of 3 images, two variants each"
    read = Manifest.read(project.places.sets / "tiny_rain" / "manifest.csv")
    assert read.expected == 6
    assert PairedSet(project.places.sets, "tiny_rain").read(3).name == "rain-2-2"
