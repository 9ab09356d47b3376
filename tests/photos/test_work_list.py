"""What is read, what is written, and what must never be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ndr.photos.photo_reading import PhotoError
from ndr.photos.work_list import COMPARISON, WorkList, work_list


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.PNG", "deep/c.tif", "deep/er/d.webp", "notes.txt", ".hidden.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"-")
    return tmp_path / "photos"


def targets(work: WorkList, out: Path) -> set[str]:
    return {job.target.relative_to(out).as_posix() for job in work.jobs}


def test_a_folder_keeps_relative_paths(photos: Path, tmp_path: Path) -> None:
    work = work_list([str(photos)], tmp_path / "out")
    assert targets(work, tmp_path / "out") == {"a.jpg", "b.PNG", "deep/c.tif", "deep/er/d.webp"}
    assert work.passed_over == 1  # notes.txt


def test_a_pattern_keeps_paths_from_its_first_wildcard_on(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert targets(work_list([f"{photos}/**/*"], out), out) == {
        "a.jpg", "b.PNG", "deep/c.tif", "deep/er/d.webp",
    }  # fmt: skip
    assert targets(work_list([f"{photos}/deep/*.tif"], out), out) == {"c.tif"}
    assert targets(work_list([f"{photos}/d*/c.tif"], out), out) == {"deep/c.tif"}


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "trip [1].jpg"
    path.write_bytes(b"-")
    assert [job.source for job in work_list([str(path)], tmp_path / "out").jobs] == [path]


def test_one_file_goes_to_a_file_or_into_a_folder(photos: Path, tmp_path: Path) -> None:
    one = str(photos / "a.jpg")
    assert work_list([one], tmp_path / "r.png").jobs[0].target == tmp_path / "r.png"
    assert work_list([one], tmp_path / "r").jobs[0].target == tmp_path / "r" / "a.jpg"
    (tmp_path / "folder.png").mkdir()
    target = work_list([one], tmp_path / "folder.png").jobs[0].target
    assert target == tmp_path / "folder.png" / "a.jpg"


def test_another_format_and_further_pictures(photos: Path, tmp_path: Path) -> None:
    work = work_list([str(photos / "a.jpg")], tmp_path / "out", [COMPARISON], ".png")
    job = work.jobs[0]
    assert job.target == tmp_path / "out" / "a.png"
    assert job.extras == (tmp_path / "out" / "a_compare.png",)


def test_earlier_results_below_the_photographs_are_not_restored_again(photos: Path) -> None:
    out = photos / "restored"
    out.mkdir()
    (out / "a.jpg").write_bytes(b"-")
    assert len(work_list([str(photos)], out).jobs) == 4
    assert len(work_list([f"{photos}/**/*.jpg"], out).jobs) == 1


def test_photographs_in_a_folder_of_the_results_are_found(tmp_path: Path) -> None:
    path = tmp_path / "out" / "originals" / "a.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"-")
    assert len(work_list([str(path.parent)], tmp_path / "out").jobs) == 1


def test_several_photographs_need_a_folder(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="let --out name a folder"):
        work_list([str(photos)], tmp_path / "r.png")
    with pytest.raises(PhotoError, match="let --out name a folder"):
        work_list([str(photos / "a.jpg"), str(photos / "b.PNG")], tmp_path / "r.png")


def test_two_photographs_for_one_file_are_refused(photos: Path, tmp_path: Path) -> None:
    (photos / "a.png").write_bytes(b"-")
    with pytest.raises(PhotoError, match=r"would both become .*a\.webp"):
        work_list([str(photos)], tmp_path / "out", suffix=".webp")


@pytest.mark.parametrize("kind", ["same", "other", "symbolic", "hard", "extra"])
def test_photographs_are_never_targets(photos: Path, tmp_path: Path, kind: str) -> None:
    one = photos / "a.jpg"
    out, inputs, endings = one, [str(one)], []
    if kind == "other":  # the target of one is another of the photographs
        (photos / "a.png").write_bytes(b"-")
        inputs, out = [str(one), str(photos / "a.png")], photos
        with pytest.raises(PhotoError, match="never written over"):
            work_list(inputs, out, suffix=".png")
        return
    if kind == "symbolic":
        out = tmp_path / "link.jpg"
        out.symlink_to(one)
    elif kind == "hard":
        out = tmp_path / "link.jpg"
        os.link(one, out)
    elif kind == "extra":
        (photos / "r_compare.png").write_bytes(b"-")
        inputs, out, endings = [str(photos / "r_compare.png")], photos / "r.png", []
        with pytest.raises(PhotoError, match="never written over"):
            work_list(inputs, out, [COMPARISON])
        return
    with pytest.raises(PhotoError, match="never written over"):
        work_list(inputs, out, endings)


def test_finding_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match="no photographs in"):
        work_list([str(tmp_path / "empty")], tmp_path / "out")
    with pytest.raises(PhotoError, match=r"no photographs in .*\*\.jpg"):
        work_list([f"{tmp_path}/*.jpg"], tmp_path / "out")
    # A file that does not exist is one failure among the others, reported when its turn comes.
    assert len(work_list([str(tmp_path / "absent.png")], tmp_path / "out").jobs) == 1
