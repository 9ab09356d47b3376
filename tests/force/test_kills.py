"""What the tool of kills calls equal, and what it finds."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from tests.force.kills import IN_START, Pace, differences, kill_and_finish

PAGE = "reports/all_tables.html"
CARELESS = """\
import pathlib, time
half = pathlib.Path("results/smoke/.a.abcdefgh.partial.txt")
if not half.exists():
    half.parent.mkdir(parents=True)
    half.write_text("half")
    time.sleep(3600)
"""


def write(folder: Path, **facts: object) -> Path:
    result = folder / "results" / "smoke" / "provenance.json"
    result.parent.mkdir(parents=True)
    result.write_text(json.dumps({"job": {"wall_seconds": 1.5}, "steps": 3, **facts}))
    (folder / "reports").mkdir()
    (folder / PAGE).write_text("page")
    return folder


def test_measured_times_are_no_difference(tmp_path: Path) -> None:
    first = write(tmp_path / "a")
    assert differences(first, write(tmp_path / "b", job={"wall_seconds": 2.5})) == []
    assert differences(first, write(tmp_path / "c", steps=4)) == [
        "differs: results/smoke/provenance.json"
    ]


def test_the_seconds_of_a_curve_are_no_difference(tmp_path: Path) -> None:
    folders = [write(tmp_path / name) for name in "abc"]
    for folder, line in zip(folders, ("1,0.5,2.25", "1,0.5,3.5", "1,0.4,2.25"), strict=True):
        (folder / "results" / "smoke" / "curve.csv").write_text(f"step,total,seconds\n{line}\n")
    assert differences(folders[0], folders[1]) == []
    assert differences(folders[0], folders[2]) == ["differs: results/smoke/curve.csv"]


def test_missing_and_further_files_are_differences(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    (second / PAGE).unlink()
    (second / "results" / "smoke" / "x.csv").write_text("")
    assert differences(first, second) == [
        f"missing: {PAGE}",
        "only after kills: results/smoke/x.csv",
    ]


def test_halves_that_nobody_takes_away_are_found(tmp_path: Path) -> None:
    """A command that is killed once, then ends well, and leaves what it was writing."""
    command = [sys.executable, "-c", CARELESS]
    outcome = kill_and_finish(tmp_path, command, 2, Pace(12.0, 60.0), random.Random(1))
    assert (outcome.kills, outcome.starts, outcome.halves) == (1, 2, 1)
    assert outcome.findings == ["left half-written: results/smoke/.a.abcdefgh.partial.txt"]


def test_moments_follow_the_pace_of_the_machine() -> None:
    chance = random.Random(3)
    drawn = [Pace(4.0, 20.0).moment(3, chance) for _ in range(500)]
    starts = [seconds for since, seconds in drawn if since == "its start"]
    jobs = [seconds for since, seconds in drawn if since == "its first job"]
    assert len(starts) + len(jobs) == 500
    assert abs(len(starts) / 500 - IN_START) < 0.06
    assert 0.0 <= min(starts) < 0.4
    assert 3.6 < max(starts) <= 4.0
    assert 0.0 <= min(jobs) < 1.0
    assert 9.0 < max(jobs) <= 20.0 * 2 / (3 + 1)


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room')"]
    outcome = kill_and_finish(tmp_path, command, 1, Pace(60.0, 60.0), random.Random(1))
    assert outcome.kills == 0
    assert outcome.findings == ["start 1 ended with 1:", "no room\n"]
