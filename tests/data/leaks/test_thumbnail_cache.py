"""The cache gives back what was put in, survives damage, and never shows half a file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from ndr.data.leaks.scanned_set import ThumbnailCache


def made(*numbers: int) -> dict[str, np.ndarray]:
    return {f"{n:064x}": np.full((64, 64), n, dtype=np.uint8) for n in numbers}


def test_thumbnails_come_back(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "cache")
    cache.add(made(1, 200))
    cache.add(made(3))
    cache.add({})
    again = ThumbnailCache(tmp_path / "cache")
    for key, small in made(1, 200, 3).items():
        assert key in again
        assert np.array_equal(again[key], small)
    assert next(iter(made(4))) not in again
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_a_damaged_file_is_left_out(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ThumbnailCache(tmp_path)
    cache.add(made(1))
    (first,) = tmp_path.iterdir()
    cache.add(made(2))
    content = first.read_bytes()
    if damage == "other":
        with first.open("wb") as file:
            np.savez(file, keys=np.zeros((1, 3)), thumbnails=np.zeros((2, 2)))
    else:
        first.write_bytes(
            {"cut": content[: len(content) // 2], "empty": b"", "text": b"no archive"}[damage]
        )
    with caplog.at_level(logging.WARNING):
        again = ThumbnailCache(tmp_path)
    assert first.name in caplog.text
    assert [next(iter(made(n))) in again for n in (1, 2)] == [False, True]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ThumbnailCache(tmp_path)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        cache.add(made(1))
    assert not list(tmp_path.iterdir())
