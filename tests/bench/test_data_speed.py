from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.data_speed import (
    EPOCH_NAMES,
    GROWTH_MIB,
    SMALL,
    best_seconds,
    epoch_memory,
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


def test_memory_of_a_worker_stays_flat(tmp_path: Path) -> None:
    _, growth = epoch_memory(tmp_path, 3000)
    assert growth.value <= GROWTH_MIB * 3000 / EPOCH_NAMES + 2


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
    for word in ("JPG: verified over read", "PNG: over plain Pillow", "MiB gained since"):
        assert any(word in measure for measure in record["measured"])
