"""Pairs of two sizes (super-resolution), and photographs without ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndr.data.catalogue import load_catalogue
from ndr.data.image_files import ImageFileError, write_png
from ndr.data.manifest import Manifest
from ndr.data.pairs import PairedSet
from ndr.data.prepare import Places, prepare_set
from ndr.specs.typed_file import SpecError
from tests.data.textured_images import textured_image

CATALOGUE = """
sets:
  halves:
    kind: folder
    title: halves
    licence: none
    expected: 2
    scale: 2
    published: [nowhere]
    layouts:
      - {clean: ["clean/*"], degraded: ["half/*"], clean_name: '(?P<key>.+)',
         degraded_name: '(?P<key>.+)x2'}
  real:
    kind: folder
    title: real
    licence: none
    reference: false
    expected: 3
    published: [nowhere]
    layouts: [{degraded: ["*.png"], degraded_name: '(?P<key>.+)'}]
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "datasets.yaml").write_text(CATALOGUE)
    originals = tmp_path / "originals"
    for seed, name in enumerate(("a", "b")):
        write_png(originals / "halves" / "clean" / f"{name}.png", textured_image(seed, 40, 56))
        write_png(originals / "halves" / "half" / f"{name}x2.png", textured_image(seed, 20, 28))
        write_png(originals / "real" / f"street {name}.png", textured_image(seed + 5, 30, 20))
    return Places(tmp_path / "sets", originals)


def prepare(places: Places, name: str, partial: bool = False) -> PairedSet:
    catalogue = load_catalogue(places.sets.parent / "datasets.yaml")
    prepare_set(catalogue, name, places, 9, partial=partial)
    return PairedSet(places.sets, name)


def test_sizes_of_a_pair_differ_by_the_scale(places: Places) -> None:
    pairs = prepare(places, "halves")
    assert pairs.scale == 2
    row = pairs.rows[0]
    assert (row.width, row.height) == (56, 40)
    assert pairs.size(0) == (20, 28), "of the degraded image: crops are counted in its pixels"
    pair = pairs.read(0)
    assert pair.clean.shape == (40, 56, 3)
    assert pair.degraded.shape == (20, 28, 3)


@pytest.mark.parametrize(("top", "left", "size"), [(0, 0, 20), (3, 5, 8), (12, 20, 8)])
def test_the_clean_crop_is_twice_as_large(places: Places, top: int, left: int, size: int) -> None:
    pairs = prepare(places, "halves")
    whole, crop = pairs.read(1), pairs.read_crop(1, top, left, size)
    np.testing.assert_array_equal(
        crop.degraded, whole.degraded[top : top + size, left : left + size]
    )
    np.testing.assert_array_equal(
        crop.clean,
        whole.clean[2 * top : 2 * (top + size), 2 * left : 2 * (left + size)],
    )
    with pytest.raises(ValueError, match=r"a of 'halves': expected a crop inside 28x20"):
        pairs.read_crop(0, 13, 0, 8)


def test_another_ratio_is_refused(places: Places) -> None:
    write_png(places.originals / "halves" / "half" / "bx2.png", textured_image(1, 20, 27))
    with pytest.raises(ImageFileError, match=r"bx2\.png: expected 1/2 of the 56x40 .* found 27x20"):
        prepare(places, "halves")


def test_photographs_have_no_clean_image(places: Places) -> None:
    pairs = prepare(places, "real", partial=True)
    assert pairs.names == ("street_a", "street_b")
    assert pairs.manifest.expected == 3
    assert pairs.size(0) == (30, 20)
    pair, crop = pairs.read(1), pairs.read_crop(1, 2, 3, 10)
    assert pair.clean is None
    assert crop.clean is None
    np.testing.assert_array_equal(np.rint(pair.degraded * 255), textured_image(6, 30, 20))
    np.testing.assert_array_equal(crop.degraded, pair.degraded[2:12, 3:13])
    read = Manifest.read(places.sets / "real" / "manifest.csv")
    assert read.rows[0].clean == read.rows[0].clean_sha256 == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reference: false", "reference: true", "a layout names clean images where there is"),
        ('degraded: ["*.png"]', 'clean: ["*.png"]', "clean and clean_name stand together"),
        ('degraded: ["*.png"], degraded_name', "clean_name", "expected globs of clean or of"),
        ("reference: false", "scale: 2\\n    reference: false", "it needs pairs"),
        ("expected: 3", "terms: waterloo", r"unknown licence 'waterloo'"),
    ],
)
def test_contradictions_are_named(places: Places, old: str, new: str, message: str) -> None:
    new = new.replace("\\n", "\n")
    if "terms" in new:
        new += "\n    expected: 3"
    text = CATALOGUE.replace(old, new)
    assert text != CATALOGUE
    (places.sets.parent / "datasets.yaml").write_text(text)
    with pytest.raises(SpecError, match=message):
        load_catalogue(places.sets.parent / "datasets.yaml")
