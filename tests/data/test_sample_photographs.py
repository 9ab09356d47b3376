from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PIL import Image

from ndr.data.catalogue import load_catalogue
from ndr.data.image_files import decoder_version, read_rgb, write_png
from ndr.data.manifest import Manifest, ManifestError, PackageFileError
from ndr.data.prepare import Places, prepare_set
from ndr.data.sample_photographs import main
from tests.conftest import REPOSITORY
from tests.data.textured_images import textured_image

CONFIG = REPOSITORY / "config" / "datasets.yaml"


@pytest.mark.parametrize(("name", "count"), [("smoke_train", 2), ("photographs_test", 17)])
def test_the_installed_photographs_are_the_committed_ones(
    tmp_path: Path, name: str, count: int
) -> None:
    catalogue = load_catalogue(CONFIG)
    manifest = prepare_set(catalogue, name, Places(tmp_path), 9)
    assert len(manifest.rows) == count
    assert manifest.sha256 == catalogue.identity(name, 9)
    assert min(min(row.width, row.height) for row in manifest.rows) >= 300
    assert Manifest.read(tmp_path / name / "manifest.csv").sha256 == manifest.sha256
    assert [path.name for path in (tmp_path / name).iterdir()] == ["manifest.csv"], "no copies"


def test_writing_the_manifests_again_changes_nothing(tmp_path: Path) -> None:
    main(["--catalogue", str(CONFIG), "--write", str(tmp_path)])
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [
        *("photographs_test.csv", "photographs_urban_test.csv", "smoke_train.csv"),
    ]
    for name in written:
        committed = Manifest.read(CONFIG.parent / "manifests" / name)
        assert Manifest.read(tmp_path / name).rows == committed.rows


def test_a_changed_photograph_is_refused(project) -> None:
    write_png(project.package_folder / "images" / "bridge.png", textured_image(77, 30, 30))
    with pytest.raises(
        ManifestError, match=r"bridge\.png: expected the photograph of 56x40.*30x30"
    ):
        project.prepare("tiny")
    assert not (project.places.sets / "tiny" / "manifest.csv").exists()


def test_a_missing_photograph_says_what_to_install(project) -> None:
    (project.package_folder / "images" / "cloud.png").unlink()
    with pytest.raises(PackageFileError, match=rf"cloud\.png.*pip install {project.package}==1\.0"):
        project.prepare("tiny")


def test_the_same_pixels_in_another_file_are_taken_with_a_warning(
    project, caplog: pytest.LogCaptureFixture
) -> None:
    path = project.package_folder / "images" / "apple.png"
    Image.fromarray(read_rgb(path)).save(path, compress_level=9)
    with caplog.at_level(logging.WARNING):
        manifest = project.prepare("tiny")
    assert "apple.png: another file" in caplog.text
    assert len(manifest.rows) == 3


def test_another_decoder_is_told_from_another_file(project) -> None:
    """The manifest of a machine that decodes the same file to other pixels."""
    path = project.catalogue.committed_manifest("tiny")
    committed = Manifest.read(path)
    row = committed.rows[0]
    text = path.read_text().replace(row.clean_pixels_sha256, "0" * 64)
    path.write_text(text.replace(decoder_version(), "Pillow 1.0, libjpeg 6"))
    with pytest.raises(ManifestError) as caught:
        project.prepare("tiny")
    message = str(caught.value)
    assert "apple.png: the file is the expected one, but it decodes to other pixels" in message
    assert "Pillow 1.0, libjpeg 6" in message
    assert decoder_version() in message


def test_a_catalogue_with_other_photographs_asks_for_a_new_manifest(project) -> None:
    text = project.config.read_text()
    project.config.write_text(text.replace("bridge: ", "viaduct: "))
    with pytest.raises(
        ManifestError, match=r"apple, bridge, cloud.*apple, viaduct, cloud.*--write"
    ):
        project.prepare("tiny")
