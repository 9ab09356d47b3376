from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ndr.data.catalogue import load_catalogue
from ndr.data.image_files import write_png
from ndr.data.manifest import Manifest, ManifestError
from ndr.data.pairs import PairedSet
from ndr.data.prepare import Places, prepare_set
from ndr.nearest_name import UnknownNameError
from ndr.specs.typed_file import SpecError
from tests.conftest import REPOSITORY
from tests.data.textured_images import textured_image, write_pairs

CONFIG = REPOSITORY / "config" / "datasets.yaml"
SUBSET = """
  clean_part: {kind: subset, title: part, licence: none, from: tiny, without: [tiny_pairs]}
"""


@pytest.fixture
def leaking(project):
    """The second ground truth of tiny_pairs is the image `bridge` of tiny."""
    project.config.write_text(project.config.read_text() + SUBSET)
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (11, 12, 13))
    write_png(originals / "gt" / "norain-12.png", textured_image(1))
    for name in ("tiny", "tiny_pairs"):
        project.prepare(name)
    return project


def test_images_with_the_same_pixels_are_left_out(leaking) -> None:
    manifest = leaking.prepare("clean_part")
    assert [row.name for row in manifest.rows] == ["apple", "cloud"]
    assert manifest.expected == 2
    assert manifest.notes["left_out"] == "1"
    assert "partial_sources" not in manifest.notes
    pair = PairedSet(leaking.places.sets, "clean_part").read(1)
    np.testing.assert_array_equal(np.rint(pair.clean * 255), textured_image(2))


def test_pairs_are_left_out_by_their_clean_image(leaking) -> None:
    text = leaking.config.read_text()
    leaking.config.write_text(
        text.replace("from: tiny, without: [tiny_pairs]", "from: tiny_pairs, without: [tiny]")
    )
    manifest = leaking.prepare("clean_part")
    assert [row.name for row in manifest.rows] == ["rain-11", "rain-13"]
    pair = PairedSet(leaking.places.sets, "clean_part").read(0)
    np.testing.assert_array_equal(np.rint(pair.degraded * 255), textured_image(111))


def test_its_sources_come_first_and_decide_its_identity(leaking) -> None:
    catalogue = leaking.catalogue
    assert catalogue.sources("clean_part") == ["tiny", "tiny_pairs"]
    before = catalogue.identity("clean_part", 9)
    text = leaking.config.read_text()
    leaking.config.write_text(text.replace("expected: 3", "expected: 4"))
    assert leaking.catalogue.identity("clean_part", 9) != before
    leaking.config.write_text(text.replace("title: part", "title: a part"))
    assert leaking.catalogue.identity("clean_part", 9) == before


def test_sources_of_sources_come_first(leaking) -> None:
    text = leaking.config.read_text() + (
        "  rainy_part: {kind: synthesised, title: r, licence: none, from: clean_part,"
        " degradation: rain}\n"
    )
    leaking.config.write_text(text)
    assert leaking.catalogue.sources("rainy_part") == ["tiny", "tiny_pairs", "clean_part"]
    leaking.config.write_text(text.replace("without: [tiny_pairs]", "without: [rainy_part]"))
    with pytest.raises(SpecError, match="'clean_part' is made from itself"):
        _ = leaking.catalogue
    leaking.config.write_text(text.replace("without: [tiny_pairs]", "without: [tiny_pears]"))
    with pytest.raises((SpecError, UnknownNameError), match="did you mean 'tiny_pairs'"):
        _ = leaking.catalogue


def test_a_part_of_a_set_is_said(leaking, caplog: pytest.LogCaptureFixture) -> None:
    (leaking.places.originals / "tiny_pairs" / "gt" / "norain-11.png").unlink()
    (leaking.places.originals / "tiny_pairs" / "rainy" / "rain-11.png").unlink()
    leaking.prepare("tiny_pairs", partial=True)
    manifest = leaking.prepare("clean_part")
    assert manifest.notes["partial_sources"] == "tiny_pairs: 2 of 3 images"
    assert "tiny_pairs: 2 of 3 images" in caplog.text
    assert manifest.expected == 2, "the source itself is complete"


def test_the_number_of_the_catalogue_is_checked(leaking) -> None:
    text = leaking.config.read_text()
    leaking.config.write_text(
        text.replace("without: [tiny_pairs]", "without: [tiny_pairs], expected: 3")
    )
    with pytest.raises(ManifestError, match=r"expected 3 images of 'tiny' .* found 2"):
        leaking.prepare("clean_part")


def test_without_clean_images_there_is_nothing_to_compare(leaking) -> None:
    path = leaking.places.sets / "tiny_pairs" / "manifest.csv"
    manifest = Manifest.read(path)
    empty = {"clean": "", "clean_sha256": "", "clean_pixels_sha256": ""}
    rows = tuple(dataclasses.replace(row, **empty) for row in manifest.rows)
    dataclasses.replace(manifest, rows=rows).write(path)
    with pytest.raises(ManifestError, match="'tiny_pairs' has no clean images to compare"):
        leaking.prepare("clean_part")


def test_nothing_left_is_an_error(leaking) -> None:
    text = leaking.config.read_text()
    leaking.config.write_text(text.replace("without: [tiny_pairs]", "without: [tiny]"))
    with pytest.raises(ManifestError, match="no image of 'tiny' is left; change `without`"):
        leaking.prepare("clean_part")


def test_training_images_of_bsds500_without_the_leak(shared_folder: Path, tmp_path: Path) -> None:
    """29 of the 67 ground truths of Rain100L in BSD400 are among the 362; 333 are left."""
    catalogue = load_catalogue(CONFIG)
    places = Places(tmp_path / "sets", tmp_path / "originals", (shared_folder / "data",))
    for name in catalogue.sources("bsds500_train_no_leak"):
        prepare_set(catalogue, name, places, 9, partial=True)
    manifest = prepare_set(catalogue, "bsds500_train_no_leak", places, 9)
    assert len(manifest.rows) == manifest.expected == 333
    assert manifest.notes["left_out"] == "29"
