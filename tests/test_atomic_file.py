"""Nothing half-written under a final name."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ndr.atomic_file import atomic_path, remove_leftovers, usual_mode, write_json, write_text


def test_file_appears_complete_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.json"
    write_json(target, {"b": 1, "a": 2})
    assert target.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert list(target.parent.iterdir()) == [target]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_nan_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "result.json", {"psnr": float("nan")})
    assert not list(tmp_path.iterdir())


def test_full_disk_names_the_file(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(OSError, match=r"cannot write .*large\.txt") as caught:
            write_text(tmp_path / "large.txt", "x" * 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())


def test_threads_keep_the_umask_of_the_process() -> None:
    """Pictures of a page are written by several threads."""
    interval = sys.getswitchinterval()
    usual = os.umask(0o027)
    sys.setswitchinterval(1e-9)
    try:
        with ThreadPoolExecutor(16) as pool:
            found = pool.map(lambda _: {usual_mode() for _ in range(1000)}, range(200))
            modes = set().union(*found)
    finally:
        sys.setswitchinterval(interval)
        left = os.umask(usual)
    assert left == 0o027
    assert modes == {0o640}


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a" / "scores.v2.csv") as left:
        pass
    left.write_text("half")
    kept = [
        tmp_path / "a" / name for name in ("scores.v2.csv", ".hidden", "b.partial", ".b.partial")
    ]
    for path in kept:
        path.write_text("whole")
    assert remove_leftovers(tmp_path) == [left]
    assert sorted((tmp_path / "a").iterdir()) == sorted(kept)
    assert remove_leftovers(tmp_path / "nowhere") == []
