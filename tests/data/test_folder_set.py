from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ndr.data import image_files
from ndr.data.catalogue import load_catalogue
from ndr.data.folder_set import CountError, PublishedListError, SetNotFoundError, lines_sha256
from ndr.data.image_files import ImageFileError, decoder_version, write_png
from ndr.data.manifest import Manifest, ManifestError
from ndr.data.pairing import PairingError
from ndr.data.pairs import PairedSet
from ndr.data.prepare import Places, commit_manifest, main, prepare_set
from tests.conftest import REPOSITORY
from tests.data.textured_images import textured_image, write_pairs

CONFIG = REPOSITORY / "config" / "datasets.yaml"


def test_a_published_layout_is_read_in_place(project) -> None:
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (1, 2, 10))
    manifest = project.prepare("tiny_pairs")
    assert [row.name for row in manifest.rows] == ["rain-1", "rain-2", "rain-10"]
    assert manifest.rows[2].clean == "../../originals/tiny_pairs/gt/norain-10.png"
    assert manifest.expected == 3
    pair = PairedSet(project.places.sets, "tiny_pairs").read(2)
    np.testing.assert_array_equal(np.rint(pair.clean * 255), textured_image(10))
    np.testing.assert_array_equal(np.rint(pair.degraded * 255), textured_image(110))


def test_a_mirror_is_read_and_the_originals_come_first(project) -> None:
    mirror = project.root / "mirror" / "pairs"
    write_pairs(mirror, "test/clean", "test/degraded", (1, 2, 3))
    first = project.prepare("tiny_pairs").rows[0]
    assert first.clean == (mirror / "test/clean/norain-1.png").relative_to(
        project.root
    ).as_posix().join(["../../", ""])
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    assert "originals" in project.prepare("tiny_pairs").rows[0].clean


def test_a_set_that_is_nowhere_says_where_to_put_it(project) -> None:
    with pytest.raises(SetNotFoundError) as caught:
        project.prepare("tiny_pairs")
    message = str(caught.value)
    for words in (
        str(project.places.originals / "tiny_pairs"),
        "gt/*.png, rainy/*.png",
        str(project.root / "mirror" / "pairs"),
        "https://example.org/pairs",
        "downloads nothing",
        "place the files",
    ):
        assert words in message


def test_files_that_did_not_change_are_not_decoded_again(
    project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    first = project.prepare("tiny_pairs")
    decoded: list[str] = []
    decode = image_files._read_image
    monkeypatch.setattr(
        image_files,
        "_read_image",
        lambda path, content, **options: decoded.append(path.name) or decode(path, content),
    )
    assert project.prepare("tiny_pairs").text() == first.text()
    assert decoded == []
    write_png(project.places.originals / "tiny_pairs" / "rainy" / "rain-2.png", textured_image(7))
    changed = project.prepare("tiny_pairs")
    assert decoded == ["rain-2.png"]
    assert changed.rows[1].degraded_pixels_sha256 != first.rows[1].degraded_pixels_sha256


def test_counts_are_checked(project) -> None:
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (1, 2))
    with pytest.raises(CountError, match=r"expected 3 images, found 2.*--partial"):
        project.prepare("tiny_pairs")
    partial = project.prepare("tiny_pairs", partial=True)
    assert (len(partial.rows), partial.expected) == (2, 3)
    manifest = project.places.sets / "tiny_pairs" / "manifest.csv"
    assert Manifest.read(manifest).expected == 3
    write_pairs(originals, "gt", "rainy", (3, 4))
    for allowed in (False, True):
        with pytest.raises(CountError, match=r"expected 3 images, found 4; remove"):
            project.prepare("tiny_pairs", partial=allowed)
    assert not manifest.exists(), "a set that is wrong keeps no manifest of its past"


def test_clean_images_are_counted_too(project) -> None:
    text = project.config.read_text()
    project.config.write_text(text.replace("expected: 3", "expected: 3\n    expected_clean: 2"))
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    with pytest.raises(CountError, match="expected 2 clean images, found 3"):
        project.prepare("tiny_pairs")


@pytest.mark.parametrize(
    ("numbers", "complete"), [((1, 2), 3), ((1, 2, 3), 3), ((1, 2, 3, 4), 5), ((1, 2, 3, 4, 5), 5)]
)
def test_copies_of_two_sizes_are_complete(project, numbers: tuple[int, ...], complete: int) -> None:
    """As MSEC, of which 17,675 and 17,680 training images are in use."""
    text = project.config.read_text()
    project.config.write_text(text.replace("expected: 3", "expected: 3\n    also_expected: [5]"))
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", numbers)
    if len(numbers) == complete:
        assert project.prepare("tiny_pairs").expected == complete
        return
    with pytest.raises(CountError, match=f"expected {complete} images, found {len(numbers)}"):
        project.prepare("tiny_pairs")
    assert project.prepare("tiny_pairs", partial=True).expected == complete


def test_a_complete_set_is_compared_with_the_published_list(project) -> None:
    lines = lines_sha256(["rain/1.png", "rain/2.png", "rain/3.png"])
    entry = f"published_list: {{line: 'rain/{{key}}.png', sha256: {lines}, source: a list}}"
    text = project.config.read_text()
    project.config.write_text(text.replace("expected: 3", f"expected: 3\n    {entry}"))
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (1, 4))
    project.prepare("tiny_pairs", partial=True)
    write_pairs(originals, "gt", "rainy", (2,))
    with pytest.raises(PublishedListError, match=r"not those of a list: .*'rain/4\.png'"):
        project.prepare("tiny_pairs")
    for folder, stem in (("gt", "norain"), ("rainy", "rain")):
        (originals / folder / f"{stem}-4.png").rename(originals / folder / f"{stem}-3.png")
    assert len(project.prepare("tiny_pairs").rows) == 3


def test_a_missing_partner_is_named_even_for_a_partial_set(project) -> None:
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (1, 2, 3))
    (originals / "gt" / "norain-2.png").unlink()
    with pytest.raises(PairingError, match=r"rain-2\.png: its clean partner '2' is missing"):
        project.prepare("tiny_pairs", partial=True)


def test_bad_files_are_named(project) -> None:
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (1, 2, 3))
    write_png(originals / "rainy" / "rain-2.png", textured_image(5, 40, 55))
    with pytest.raises(ImageFileError, match=r"rain-2\.png: expected 56x40 .* found 55x40; take"):
        project.prepare("tiny_pairs")
    content = (originals / "rainy" / "rain-1.png").read_bytes()
    (originals / "rainy" / "rain-2.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageFileError, match=r"rain-2\.png.*truncated or damaged"):
        project.prepare("tiny_pairs")
    assert not (project.places.sets / "tiny_pairs" / "manifest.csv").exists()


def test_identical_ground_truths_are_one_scene(project) -> None:
    """As 9 ground truths of Rain100L, which stand there under two numbers."""
    originals = project.places.originals / "tiny_pairs"
    write_pairs(originals, "gt", "rainy", (1, 2, 3))
    write_png(originals / "gt" / "norain-3.png", textured_image(1))
    scenes = {row.name: row.scene for row in project.prepare("tiny_pairs").rows}
    assert scenes == {"rain-1": "1", "rain-2": "2", "rain-3": "1"}


# ---- Committed manifests of published sets ----


@pytest.fixture
def committed(project):
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    path = commit_manifest(project.catalogue, "tiny_pairs", project.places)
    assert path == project.catalogue.committed_manifest("tiny_pairs")
    assert project.catalogue.identity("tiny_pairs", 9) == Manifest.read(path).sha256
    assert Manifest.read(path).rows[0].clean == "norain-1.png"
    return project


def test_images_are_known_by_their_pixels(committed) -> None:
    """Another numbering and other compression: the names, hence the noise, stay the same."""
    originals = committed.places.originals / "tiny_pairs"
    for old, new in ((1, 31), (2, 12), (3, 23)):
        for folder, stem in (("gt", "norain"), ("rainy", "rain")):
            path = originals / folder / f"{stem}-{old}.png"
            Image.open(path).save(originals / folder / f"{stem}-{new}.png", compress_level=9)
            path.unlink()
    rows = committed.prepare("tiny_pairs").rows
    assert [row.name for row in rows] == ["rain-1", "rain-2", "rain-3"]
    assert [Path(row.clean).name for row in rows] == [f"norain-{n}.png" for n in (31, 12, 23)]


def test_another_image_is_none_of_the_committed(committed) -> None:
    originals = committed.places.originals / "tiny_pairs"
    write_png(originals / "gt" / "norain-2.png", textured_image(44))
    with pytest.raises(ManifestError, match=r"norain-2\.png: none of the images of .*replace it"):
        committed.prepare("tiny_pairs")


def test_another_decoder_is_named(committed) -> None:
    path = committed.catalogue.committed_manifest("tiny_pairs")
    row = Manifest.read(path).rows[0]
    text = path.read_text().replace(decoder_version(), "Pillow 1.0, libjpeg 6b")
    path.write_text(text.replace(row.clean_pixels_sha256, "0" * 64))
    with pytest.raises(ManifestError, match=r"norain-1\.png.*decodes to other pixels.*Pillow"):
        committed.prepare("tiny_pairs")


def test_a_part_of_a_larger_set_is_chosen_by_the_committed_names(committed) -> None:
    text = committed.config.read_text()
    committed.config.write_text(
        text.replace("expected: 3", "expected: 3\n    only_committed: true")
    )
    write_pairs(committed.places.originals / "tiny_pairs", "gt", "rainy", (4, 5))
    names = [row.name for row in committed.prepare("tiny_pairs").rows]
    assert names == ["rain-1", "rain-2", "rain-3"]


def test_only_published_sets_are_committed_from_files(project) -> None:
    with pytest.raises(ValueError, match="only published sets"):
        commit_manifest(project.catalogue, "tiny_rain", project.places)


# ---- The real sets, where there are any ----


@pytest.mark.parametrize(
    ("name", "count", "scenes"),
    [
        ("cbsd68", 68, 68),
        ("rain100l_test", 56, 53),
        ("rain100l_train", 5, 5),
        ("bsds500_val", 32, 32),
        ("set5", 5, 5),
        ("sots_indoor_train", 6, 3),
        ("sots_indoor_test", 12, 12),
        ("ccnoise", 5, 5),
        ("rni15", 10, 10),
        ("div2k_crops", 10, 10),
        ("msec_examples", 15, 15),
        ("sots_outdoor", 5, 5),
    ],
)
def test_real_sets(shared_folder: Path, tmp_path: Path, name: str, count: int, scenes: int) -> None:
    catalogue = load_catalogue(CONFIG)
    places = Places(tmp_path / "sets", tmp_path / "originals", (shared_folder / "data",))
    complete = count == catalogue.entry(name).expected
    if not complete:
        with pytest.raises(CountError, match=rf"found {count}"):
            prepare_set(catalogue, name, places, 9)
    manifest = prepare_set(catalogue, name, places, 9, partial=not complete)
    assert len(manifest.rows) == count
    assert len({row.scene for row in manifest.rows}) == scenes
    assert manifest.expected == catalogue.entry(name).expected
    pairs = PairedSet(places.sets, name)
    pair = pairs.read(0)
    clean_only = name in ("cbsd68", "bsds500_val", "set5", "div2k_crops")
    assert (pair.degraded is None) == clean_only
    assert (pair.clean is None) == (not catalogue.entry(name).reference)
    if pair.degraded is not None and pair.clean is not None:
        assert 0.001 < np.square(pair.degraded - pair.clean).mean() ** 0.5 < 0.3


def test_command_prepares_and_reports(project, capsys: pytest.CaptureFixture[str]) -> None:
    write_pairs(project.root / "mirror" / "pairs", "test/clean", "test/degraded", (1, 2))
    arguments = ["--set", "tiny_pairs", "--catalogue", str(project.config), "--suite-seed", "9"]
    arguments += ["--sets", str(project.places.sets), "--mirror", str(project.root / "mirror")]
    with pytest.raises(SystemExit, match=r"tiny_pairs: .*expected 3 images, found 2"):
        main(arguments)
    main([*arguments, "--partial"])
    assert "tiny_pairs: 2 of 3 images" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="did you mean 'tiny_pairs'"):
        main([*arguments[:1], "tiny_pair", *arguments[2:]])
