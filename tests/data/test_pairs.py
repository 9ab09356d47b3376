from __future__ import annotations

import dataclasses
import multiprocessing
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ndr.data.image_files import ImageFileError, read_rgb, write_png
from ndr.data.manifest import Manifest, ManifestError
from ndr.data.pairs import PairedSet
from ndr.nearest_name import UnknownNameError
from ndr.records.provenance import file_sha256
from tests.data.textured_images import textured_image, write_pairs

IMAGE_BYTES = 40 * 56 * 3


@pytest.fixture
def prepared(project):
    write_pairs(project.places.originals / "tiny_pairs", "gt", "rainy", (1, 2, 3))
    project.prepare("tiny_pairs")
    project.prepare("tiny")
    return project


def open_pairs(prepared, **options: Any) -> PairedSet:
    return PairedSet(prepared.places.sets, "tiny_pairs", **options)


def test_a_pair_is_its_files_divided_by_255(prepared) -> None:
    pairs = open_pairs(prepared)
    assert len(pairs) == 3
    assert pairs.names == ("rain-1", "rain-2", "rain-3")
    assert pairs.size(1) == (40, 56)
    pair = pairs.read(pairs.index("rain-2"))
    assert (pair.name, pair.scene) == ("rain-2", "2")
    for image, seed in ((pair.clean, 2), (pair.degraded, 102)):
        assert image.dtype == np.float32
        np.testing.assert_array_equal(
            image, textured_image(seed).astype(np.float32) / np.float32(255)
        )


def test_a_set_that_was_prepared_as_something_else_is_refused(prepared) -> None:
    catalogue = prepared.catalogue
    wanted = catalogue.identity("tiny_pairs", 9)
    assert open_pairs(prepared, identity=wanted).manifest.notes["identity"] == wanted
    with pytest.raises(ManifestError, match=f"prepared as {wanted}, but {'0' * 64} is wanted"):
        open_pairs(prepared, identity="0" * 64)


def test_clean_sets_have_no_degraded_images(prepared) -> None:
    pair = PairedSet(prepared.places.sets, "tiny").read(0)
    assert pair.degraded is None
    np.testing.assert_array_equal(np.rint(pair.clean * 255), textured_image(0))


@pytest.mark.parametrize(
    ("top", "left", "size"), [(0, 0, 40), (3, 7, 16), (24, 40, 16), (0, 55, 1)]
)
def test_a_crop_is_a_window_of_both_images(prepared, top: int, left: int, size: int) -> None:
    pairs = open_pairs(prepared)
    whole, crop = pairs.read(1), pairs.read_crop(1, top, left, size)
    window = (slice(top, top + size), slice(left, left + size))
    np.testing.assert_array_equal(crop.clean, whole.clean[window])
    np.testing.assert_array_equal(crop.degraded, whole.degraded[window])


@pytest.mark.parametrize(
    ("top", "left", "size"), [(-1, 0, 8), (0, -1, 8), (33, 0, 8), (0, 49, 8), (0, 0, 41), (0, 0, 0)]
)
def test_crops_outside_the_image_are_refused(prepared, top: int, left: int, size: int) -> None:
    with pytest.raises(ValueError, match="rain-1 of 'tiny_pairs': expected a crop inside 56x40"):
        open_pairs(prepared).read_crop(0, top, left, size)


def test_what_is_read_can_be_changed_without_harm(prepared) -> None:
    pairs = open_pairs(prepared)
    first = pairs.read(0)
    kept = first.clean.copy()
    first.clean[:] = 0
    first.degraded[:] = 0
    pairs.read_crop(0, 0, 0, 8).clean[:] = 0
    np.testing.assert_array_equal(pairs.read(0).clean, kept)


def test_unknown_images_name_the_nearest(prepared) -> None:
    with pytest.raises(UnknownNameError, match="'rain-1'"):
        open_pairs(prepared).index("rain-11")
    with pytest.raises(IndexError):
        open_pairs(prepared).read(3)


# ---- The cache ----


@pytest.mark.parametrize("images", [0, 1, 2.5, 100])
def test_the_cache_keeps_its_limit(prepared, images: float) -> None:
    limit = int(images * IMAGE_BYTES)
    pairs = open_pairs(prepared, cache_bytes=limit)
    expected = [open_pairs(prepared).read(index).clean for index in range(3)]
    for index in (0, 1, 2, 1, 0, 2, 2):
        np.testing.assert_array_equal(pairs.read(index).clean, expected[index])
        assert pairs.cache.used_bytes <= limit
    assert pairs.cache.used_bytes == min(6, int(images)) * IMAGE_BYTES


def test_the_image_used_longest_ago_goes_first(prepared) -> None:
    pairs = open_pairs(prepared, cache_bytes=4 * IMAGE_BYTES)
    for index in (0, 1, 0, 2):
        pairs.read(index)
    held = [pairs.cache.get(row.clean) is not None for row in pairs.rows]
    assert held == [True, False, True]


def test_cached_images_are_not_read_again(prepared) -> None:
    pairs = open_pairs(prepared)
    expected = pairs.read(0)
    (prepared.places.originals / "tiny_pairs" / "gt" / "norain-1.png").unlink()
    np.testing.assert_array_equal(pairs.read(0).clean, expected.clean)
    with pytest.raises(FileNotFoundError, match=r"norain-1\.png.*is gone; delete .* and run again"):
        open_pairs(prepared).read(0)


def test_a_negative_limit_is_refused(prepared) -> None:
    with pytest.raises(ValueError, match="expected bytes"):
        open_pairs(prepared, cache_bytes=-1)


def test_memory_stays_flat_without_a_cache(prepared) -> None:
    pairs = open_pairs(prepared, cache_bytes=IMAGE_BYTES)

    def held_after(reads: int) -> int:
        for position in range(reads):
            pairs.read_crop(position % 3, 0, 0, 16)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = held_after(30)
        late = held_after(300)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # CPython's caches of attribute names grow by some bytes; kept images would be 300.
    assert late - early < 10 * IMAGE_BYTES
    assert peak < 2**20


# ---- Files that changed ----


def test_a_changed_file_is_refused_with_both_hashes(prepared) -> None:
    path = prepared.places.originals / "tiny_pairs" / "rainy" / "rain-2.png"
    row = open_pairs(prepared).rows[1]
    write_png(path, textured_image(60))
    with pytest.raises(ManifestError) as caught:
        open_pairs(prepared).read(1)
    message = str(caught.value)
    for words in ("rain-2.png", row.degraded_sha256, file_sha256(path), "delete", "tiny_pairs"):
        assert words in message


def test_a_size_that_contradicts_the_manifest_is_refused(prepared) -> None:
    path = prepared.places.sets / "tiny_pairs" / "manifest.csv"
    manifest = Manifest.read(path)
    rows = (dataclasses.replace(manifest.rows[0], width=57), *manifest.rows[1:])
    dataclasses.replace(manifest, rows=rows).write(path)
    with pytest.raises(ImageFileError, match="expected 57x40 pixels, found 56x40"):
        open_pairs(prepared).read(0)


# ---- Workers ----


def checksum(pairs: PairedSet, index: int) -> float:
    pair = pairs.read(index)
    return float(pair.clean.sum() + 2 * pair.degraded.sum())


def test_threads_share_a_set(prepared) -> None:
    expected = [checksum(open_pairs(prepared), index) for index in range(3)]
    pairs = open_pairs(prepared, cache_bytes=3 * IMAGE_BYTES)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda position: checksum(pairs, position % 3), range(240)))
    assert found == [expected[position % 3] for position in range(240)]
    assert pairs.cache.used_bytes <= 3 * IMAGE_BYTES


def _read_in_worker(pairs: PairedSet, results: multiprocessing.SimpleQueue) -> None:
    results.put((os.getpid(), [checksum(pairs, index) for index in range(3)]))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_read_a_set(prepared, method: str) -> None:
    pairs = open_pairs(prepared)
    expected = [checksum(pairs, index) for index in range(3)]
    context = multiprocessing.get_context(method)
    results = context.SimpleQueue()
    # Another thread of the parent holds the lock at the moment of the fork.
    with pairs.cache._lock:
        if method == "fork":
            worker = context.Process(target=_read_in_worker, args=(pairs, results))
            worker.start()
    if method == "spawn":
        worker = context.Process(target=_read_in_worker, args=(pairs, results))
        worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    process, found = results.get()
    assert process != os.getpid()
    assert found == expected


def test_a_pickled_set_leaves_its_images_behind(prepared) -> None:
    pairs = open_pairs(prepared)
    for index in range(3):
        pairs.read(index)
    content = pickle.dumps(pairs)
    assert len(content) < IMAGE_BYTES
    copy = pickle.loads(content)
    assert copy.cache.used_bytes == 0
    assert copy.cache.limit_bytes == pairs.cache.limit_bytes
    assert checksum(copy, 2) == checksum(pairs, 2)


def test_files_are_where_the_manifest_says(prepared) -> None:
    pairs = open_pairs(prepared)
    path = pairs.manifest.path(pairs.rows[0].clean)
    assert (
        path.resolve()
        == (Path(prepared.places.originals) / "tiny_pairs" / "gt" / "norain-1.png").resolve()
    )
    np.testing.assert_array_equal(read_rgb(path), textured_image(1))
