"""Bytes of image sets: what is to be downloaded, what it takes on the disk, what is not known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ndr.data.catalogue import Catalogue, load_catalogue
from tests.tiny_sets import write_tiny_set
from workflows.estimate.volumes import DataVolumes, SetVolume, Volume

CATALOGUE = """
sets:
  free: &folder
    kind: folder
    title: a set
    licence: none
    expected: 2
    layouts: [{dataset: mirrored, clean: ["*.png"], clean_name: "(?P<key>.+)"}]
    published: [somewhere]
    downloads:
      - {file: one.zip, bytes: 1000, sources: [{manual: place it}]}
      - {file: both.zip, shared: true, bytes: 500, sources: [{manual: place it}]}
  same_file:
    <<: *folder
    downloads: [{file: both.zip, shared: true, bytes: 500, sources: [{manual: place it}]}]
  of_unknown_size:
    <<: *folder
    downloads: [{file: three.zip, sources: [{manual: place it}]}]
  without_source: {<<: *folder, downloads: []}
  hazy: {kind: synthesised, title: t, licence: none, from: free, degradation: haze, variants: 2}
  odd: {kind: synthesised, title: t, licence: none, from: free, degradation: rain, limit: 1}
"""
SHARES = {"haze": 0.5, "other": 0.25}


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    path = tmp_path / "config" / "datasets.yaml"
    path.parent.mkdir()
    path.write_text(CATALOGUE)
    return load_catalogue(path)


def volumes(root: Path, catalogue: Catalogue, *mirrors: Path) -> DataVolumes:
    return DataVolumes(root, catalogue, tuple(map(str, mirrors)), SHARES)


def test_downloads_are_added_and_a_shared_file_counts_once(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    found = volumes(tmp_path, catalogue)
    assert found.of("free") == SetVolume(Volume(1500), Volume(3000))
    assert found.of("same_file") == SetVolume()
    assert volumes(tmp_path, catalogue).of("same_file").download == Volume(500)


def test_what_is_not_known_is_named(tmp_path: Path, catalogue: Catalogue) -> None:
    for name in ("of_unknown_size", "without_source"):
        assert volumes(tmp_path, catalogue).of(name).download == Volume(0, frozenset({name}))
    total = Volume(5) + Volume(7, frozenset({"a"})) + Volume(0, frozenset({"a", "b"}))
    assert total == Volume(12, frozenset({"a", "b"}))


def test_what_is_here_needs_nothing(tmp_path: Path, catalogue: Catalogue) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "mirrored").mkdir(parents=True)
    assert volumes(tmp_path, catalogue, mirror).of("free") != SetVolume()  # an empty folder
    (mirror / "mirrored" / "image.png").touch()
    assert volumes(tmp_path, catalogue, mirror).of("free") == SetVolume()
    write_tiny_set(tmp_path / "data" / "sets", "without_source", 1)
    assert volumes(tmp_path, catalogue).of("without_source") == SetVolume()


def test_synthesised_images_are_reckoned_from_the_sizes_of_their_sources(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    found = volumes(tmp_path, catalogue)
    assert found.of("hazy").disk == Volume(0, frozenset({"hazy"}))
    manifest = write_tiny_set(tmp_path / "made", "free", 2, size=(24, 20))
    catalogue.manifests.mkdir()
    shutil.copy(manifest, catalogue.committed_manifest("free"))
    pixels = 24 * 20 * 3
    assert found.of("hazy").disk == Volume(2 * 2 * pixels // 2)
    assert found.of("odd").disk == Volume(pixels // 4)


def test_sources_are_needed_too_each_once(tmp_path: Path, catalogue: Catalogue) -> None:
    assert volumes(tmp_path, catalogue).needed(["hazy", "odd", "hazy"]) == ["free", "hazy", "odd"]
