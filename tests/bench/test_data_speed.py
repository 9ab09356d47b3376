from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
import pytest

from bench.data_speed import (
    SMALL,
    best_seconds,
    main,
    picture,
    write_files,
    write_set,
)
from ndr.data.pairs import PairedSet


def test_names_are_links_of_few_images(tmp_path: Path) -> None:
    paths = write_files(tmp_path / "a", "png", 60, SMALL)
    assert len({path.stat().st_ino for path in paths}) == 24
    write_set(tmp_path / "sets", "a", paths[:2], paths[2:], SMALL)
    pairs = PairedSet(tmp_path / "sets", "a")
    assert len(pairs) == 58
    for index, (clean, degraded) in {0: (0, 2), 28: (0, 6), 29: (1, 7), 57: (1, 11)}.items():
        pair = pairs.read(index)
        np.testing.assert_array_equal(np.rint(pair.clean * 255), picture(clean, SMALL))
        np.testing.assert_array_equal(np.rint(pair.degraded * 255), picture(degraded, SMALL))


def test_the_best_round_of_each_counts() -> None:
    ticks = iter([0, 3, 3, 10, 10, 11, 11, 20])
    best = best_seconds({"a": int, "b": int}, 2, lambda: next(ticks))
    assert best == {"a": 1, "b": 7}


def epoch(folder: Path, names: int) -> PairedSet:
    clean = write_files(folder / "clean", "jpg", names // 30, SMALL)
    degraded = write_files(folder / "degraded", "jpg", names, SMALL)
    write_set(folder / "sets", "epoch", clean, degraded, SMALL)
    return PairedSet(folder / "sets", "epoch", cache_bytes=2**20)


def objects_of(pairs: PairedSet) -> int:
    """Python objects that are reached from a set, but for modules and classes."""
    found: dict[int, object] = {}
    waiting: list[object] = [pairs]
    while waiting:
        one = waiting.pop()
        if id(one) not in found and not isinstance(one, type | ModuleType | FunctionType):
            found[id(one)] = one
            waiting += gc.get_referents(one)
    return len(found)


def test_memory_of_a_worker_stays_flat(tmp_path: Path) -> None:
    """A forked worker copies the pages of all objects that it looks at, and keeps what it makes.

    So a set is as many objects however many rows it has, and reading leaves nothing behind.
    """
    few, pairs = (epoch(tmp_path / str(names), names) for names in (300, 3000))
    assert objects_of(pairs) == objects_of(few)
    held = []
    for part in np.split(np.random.default_rng(0).permutation(3000), [300]):
        for index in part.tolist():
            pairs.read_crop(index, 0, 0, 32)
        gc.collect()
        held.append(sys.getallocatedblocks())
    assert pairs.cache.used_bytes <= 2**20
    # Bytes would be luck: Python's table of interned names may double meanwhile, to megabytes.
    # Lists of free objects fill by some hundred; one object kept of each row would be 2,700.
    assert held[1] - held[0] < 1000


def test_the_command_prints_and_writes_all_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "speed.json"
    options = ["--files", "26", "--patches", "4", "--epoch", "40", "--rounds", "1"]
    code = main([*options, "--out", str(out)])
    record = json.loads(out.read_text())
    text = capsys.readouterr().out
    assert record["limits_hold"] == (code == 0) == ("MISSED" not in text)
    for measure, value in record["measured"].items():
        assert measure in text
        assert np.isfinite(value)
    for word in (
        "JPG: verified over read",
        "PNG: over plain Pillow",
        "MiB gained since",
        "ssim: s per",
    ):
        assert any(word in measure for measure in record["measured"])
