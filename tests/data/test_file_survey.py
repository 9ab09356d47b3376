from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ndr.data.image_files import (
    AHEAD,
    ImageFileError,
    in_order,
    pixels_sha256,
    read_rgb,
    survey,
    write_png,
)
from ndr.records.provenance import file_sha256
from tests.data.textured_images import textured_image


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        write_png(path, textured_image(number, 30 + number, 40))
    return paths


@pytest.mark.parametrize("workers", [1, 3])
def test_facts_are_those_of_each_file(files: list[Path], workers: int) -> None:
    facts = survey([*files, files[0]], "test", workers=workers)
    assert list(facts) == files
    for number, path in enumerate(files):
        found = facts[path]
        assert found.sha256 == file_sha256(path)
        assert found.bytes == path.stat().st_size
        assert found.pixels_sha256 == pixels_sha256(read_rgb(path))
        assert (found.width, found.height) == (40, 30 + number)


def test_known_files_are_not_decoded_again(files: list[Path]) -> None:
    files[3].write_bytes(b"no image")
    facts = survey(files[:3], "test")
    known = {file_sha256(files[3]): facts[files[0]]}
    assert survey([files[3]], "test", known)[files[3]] is facts[files[0]]
    with pytest.raises(ImageFileError, match=r"3\.png"):
        survey([files[3]], "test")


def test_the_first_bad_file_in_order_is_named(files: list[Path]) -> None:
    for number in (9, 4):
        files[number].write_bytes(files[number].read_bytes()[:200])
    with pytest.raises(ImageFileError, match=r"/4\.png.*truncated or damaged"):
        survey(files, "test", workers=3)


def test_results_come_in_order_and_few_items_are_begun() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            begun.append(item)
        time.sleep(0.002 * (item % 3))
        return item * item

    results = in_order(work, range(200), "test", workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(begun) <= 5 + 2 * AHEAD
    assert list(results) == [number * number for number in range(5, 200)]
