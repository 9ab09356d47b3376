"""Images that a restored clone lacks: which, and what to do about it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ndr.data.manifest import Manifest, location_from
from tests.tiny_sets import write_tiny_set
from tests.workflows.storage.stored_checkout import record, write
from workflows.storage.restore import missing_images


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A checkout with a set whose two images lie beside its manifest."""
    write_tiny_set(tmp_path / "data" / "sets", "made", 2)
    record(tmp_path, "data/sets/made/manifest.csv")
    return tmp_path


def move_images(root: Path, name: str, place: Path) -> None:
    """Let a set's manifest name its images in another folder, as preparing it there would."""
    path = root / "data" / "sets" / name / "manifest.csv"
    shutil.move(path.parent / "clean", place)
    manifest = Manifest.read(path)
    lines = path.read_text()
    for row in manifest.rows:
        moved = location_from(place / Path(row.clean).name, path.parent)
        lines = lines.replace(row.clean, moved)
    path.write_text(lines)
    assert not missing_images(root)


def test_nothing_is_missing(made: Path) -> None:
    assert missing_images(made) == {}


def test_images_in_packages_are_not_looked_for(made: Path) -> None:
    path = made / "data" / "sets" / "made" / "manifest.csv"
    path.write_text(path.read_text().replace("clean/image0.png", "package:no_such/image0.png"))
    assert missing_images(made) == {}


def test_synthesised_images_are_made_again_by_their_own_command(made: Path) -> None:
    shutil.rmtree(made / "data" / "sets" / "made" / "clean")
    (found,) = missing_images(made).items()
    assert found[0] == "made"
    assert found[1].startswith("2 of 2 images are not here, first ")
    assert "made anew, bit for bit, by: make data/sets/made/manifest.csv" in found[1]


def test_downloaded_images_are_fetched_without_a_new_note(made: Path) -> None:
    place = made / "data" / "originals" / "made"
    place.parent.mkdir(parents=True)
    move_images(made, "made", place)
    shutil.rmtree(place)
    advice = missing_images(made)["made"]
    assert "python -m ndr.data.fetch --set made " in advice
    assert "fetched_again.json" in advice


def test_a_mirror_that_is_not_here_is_named(
    made: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("elsewhere") / "mirror"
    move_images(made, "made", place)
    (place / "image1.png").unlink()
    advice = missing_images(made)["made"]
    assert advice.startswith(f"1 of 2 images are not here, first {place / 'image1.png'}. ")
    assert "put the set there too, or a link" in advice
    # A link in its place is enough.
    place.rename(place.with_name("moved"))
    write(place.with_name("moved"), "image1.png", "content")
    place.symlink_to(place.with_name("moved"))
    assert missing_images(made) == {}


def test_a_damaged_manifest_is_said(made: Path) -> None:
    (made / "data" / "sets" / "made" / "manifest.csv").write_text("no manifest")
    assert "prepare the set again" in missing_images(made)["made"]
