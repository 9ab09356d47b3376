"""Pairs that do not belong together, and what else preparation says of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndr.data.folder_set import SetNotFoundError
from ndr.data.image_files import ImageFileError, read_rgb, write_png
from ndr.data.manifest import Manifest
from tests.photograph_files import crop


def scene(number: int) -> np.ndarray:
    """Parts of a photograph that look different, 60 x 80."""
    from skimage.data import astronaut

    top, left = 110 * (number // 4), 100 * (number % 4)
    return np.ascontiguousarray(astronaut()[top : top + 60, left : left + 80])


def hazy(image: np.ndarray) -> np.ndarray:
    return (0.5 * image + 110).astype(np.uint8)


def write_pairs(folder: Path, order: tuple[int, ...]) -> None:
    """Pairs 1, 2, ... of which the degraded image is that of the scene in `order`."""
    for number, shown in enumerate(order, 1):
        write_png(folder / "gt" / f"norain-{number}.png", scene(number))
        write_png(folder / "rainy" / f"rain-{number}.png", hazy(scene(shown)))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ((1, 2, 3), ""),
        ((2, 1, 3), "2 pairs may be swapped, or of other scenes: {}rain-1.png looks like {}no"),
        ((2, 3, 1), "3 pairs may be swapped"),
        ((1, 2, 9), "1 pairs may be swapped, or of other scenes: {}rain-3.png "),
    ],
)
def test_pairs_that_show_other_scenes_are_told(
    project, caplog: pytest.LogCaptureFixture, order: tuple[int, ...], words: str
) -> None:
    folder = project.places.originals / "tiny_pairs"
    write_pairs(folder, order)
    project.prepare("tiny_pairs")
    told = [text for text in caplog.messages if "may be swapped" in text]
    assert len(told) == bool(words)
    for text in told:
        expected = words.replace("{}rain", f"{folder}/rainy/rain").replace(
            "{}no", f"{folder}/gt/no"
        )
        assert expected in text


def test_images_without_contrast_tell_nothing(project, caplog: pytest.LogCaptureFixture) -> None:
    folder = project.places.originals / "tiny_pairs"
    write_pairs(folder, (1, 2, 3))
    write_png(folder / "rainy" / "rain-2.png", np.full((60, 80, 3), 255, np.uint8))
    project.prepare("tiny_pairs")
    assert "may be swapped" not in caplog.text


def test_an_identical_pair_is_told(project, caplog: pytest.LogCaptureFixture) -> None:
    folder = project.places.originals / "tiny_pairs"
    write_pairs(folder, (1, 2, 3))
    write_png(folder / "rainy" / "rain-2.png", scene(2))
    project.prepare("tiny_pairs")
    assert "1 pairs are no pairs" in caplog.text
    assert "rain-2.png has the pixels of its truth" in caplog.text


def test_pictures_that_no_pattern_takes_are_told(project, caplog: pytest.LogCaptureFixture) -> None:
    """Two of three pairs, the third with another ending: with --partial it was left out."""
    folder = project.places.originals / "tiny_pairs"
    write_pairs(folder, (1, 2, 3))
    for path in (folder / "gt" / "norain-3.png", folder / "rainy" / "rain-3.png"):
        path.rename(path.with_suffix(".JPG"))
    (folder / "rainy" / "notes.txt").write_text("-")
    (folder / "rainy" / "._rain-1.jpg").write_text("-")
    project.prepare("tiny_pairs", partial=True)
    (told,) = (text for text in caplog.messages if "match no pattern" in text)
    assert "2 pictures match no pattern of the set (gt/*.png, rainy/*.png)" in told
    assert told.endswith("gt/norain-3.JPG; rainy/rain-3.JPG")


def test_what_lies_there_instead_is_told(project) -> None:
    folder = project.places.originals / "tiny_pairs"
    with pytest.raises(SetNotFoundError, match=r"tiny_pairs \(does not exist\): gt/\*\.png"):
        project.prepare("tiny_pairs")
    (folder / "input").mkdir(parents=True)
    (folder / "Rain.zip").write_bytes(b"-")
    (folder / ".DS_Store").write_bytes(b"-")
    with pytest.raises(SetNotFoundError, match=r"tiny_pairs \(holds Rain\.zip, input/\): gt"):
        project.prepare("tiny_pairs")


def test_truths_with_a_border_are_cut_where_the_catalogue_says_so(project) -> None:
    """As RESIDE publishes SOTS indoor: truths of 640x480, hazy images of 620x460."""
    folder = project.places.originals / "tiny_pairs"
    for number in (1, 2, 3):
        whole = crop(80, 100 + number)
        write_png(folder / "gt" / f"norain-{number}.png", whole)
        write_png(folder / "rainy" / f"rain-{number}.png", hazy(whole[10:-10, 10:-10]))
    with pytest.raises(ImageFileError, match=r"give the set clean_border: 10 in the catalogue"):
        project.prepare("tiny_pairs")
    before = project.catalogue.identity("tiny_pairs", 9)
    text = project.config.read_text().replace("expected: 3", "expected: 3\n    clean_border: 10")
    project.config.write_text(text)
    assert project.catalogue.identity("tiny_pairs", 9) == before
    project.prepare("tiny_pairs")
    manifest = Manifest.read(project.places.sets / "tiny_pairs" / "manifest.csv")
    for number, row in enumerate(manifest.rows, 1):
        assert (row.width, row.height) == (80 + number, 60)
        cut = read_rgb(manifest.path(row.clean))
        np.testing.assert_array_equal(cut, crop(80, 100 + number)[10:-10, 10:-10])
    again = project.prepare("tiny_pairs")  # what is known is not decoded again
    assert again.sha256 == manifest.sha256
