"""Kill a running suite again and again: `python -m tests.force.kills --kills 5 --seed 1`.

The suite runs in a copy of the checkout. At moments drawn from the seed, as shares of
the time that an undisturbed run takes, its whole process group gets SIGKILL; then the same command
is given again, and nothing else is done. Each copy is killed until its share of the kills is spent,
then finished, and what it has made is compared with what an undisturbed run makes: the same files
with the same bytes, apart from times that were measured.
Prints what it found; the exit status is 1 where a copy differs.

`--undisturbed FOLDER --pace START JOBS` takes a finished copy from an earlier call (`--keep FOLDER`
keeps them, and the call prints the pace).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.project_copy import NO_NETWORK, PROGRAM, copy_project

TIER = "smoke"
MADE = (f"results/{TIER}", "data/sets", "resume", "reports/all_tables.html", "reports/assets")
"""What a run leaves, apart from its logs and Snakemake's own records."""
MEASURED = frozenset(
    {
        *("started", "wall_seconds", "processor_seconds", "restore_seconds", "seconds"),
        *("seconds_per_step", "seconds_per_megapixel", "training_seconds", "peak_memory_mib"),
        "resumed_at",
    }
)
"""Fields of JSON files, columns of CSV files: measured times and memory, and where a training went
on."""
SHOW_TIMES = (
    *(f"results/{TIER}/claims.json", f"results/{TIER}/figures/figure_time.*"),
    *("reports/all_tables.html", "reports/assets/*"),
)
"""What shows measured times: two runs' can be compared only when made from the same ones."""
FAST_COPIES = 3
"""Copies in a row that may end before their first kill."""
IN_START = 0.2
"""Share of the kills that may hit the start, before any job."""


@dataclass
class Outcome:
    """What became of one copy."""

    kills: int = 0
    starts: int = 0
    stale_locks: int = 0
    """Kills after which Snakemake's own lock lay there."""
    halves: int = 0
    """Kills after which temporary files lay there."""
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pace:
    """Seconds of an undisturbed run: until its jobs were planned, and from there to its end."""

    start: float
    jobs: float

    def moment(self, kills: int, chance: random.Random) -> tuple[str, float]:
        """Draw when to kill: since when, and how long after it.

        How fast a machine is differs by ten: a moment is a share of what the run took undisturbed.
        Jobs that a killed run has finished stay, so that `kills` of them are spread over the run.
        """
        if chance.random() < IN_START:
            return "its start", chance.uniform(0.0, self.start)
        return "its first job", chance.uniform(0.0, 2.0 / (kills + 1)) * self.jobs


def _command(targets: Sequence[str], settings: Sequence[str]) -> list[str]:
    words = [sys.executable, "-m", "snakemake", "--cores", "2", *targets]
    return [*words, "--config", f"tier={TIER}", *settings]


def _start(folder: Path, command: Sequence[str]) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **NO_NETWORK, "PYTHONPATH": str(folder), "PATH": path}
    environment.pop("SNAKEMAKE_PROFILE", None)
    with (folder / "printed.log").open("ab") as printed:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end_of_log(folder: Path) -> str:
    return (folder / "printed.log").read_text(encoding="utf-8", errors="replace")[-1500:]


def _finish(folder: Path, command: Sequence[str]) -> str | None:
    """Run to the end; what is wrong, if anything."""
    return _ended_well(folder, _start(folder, command))


def _ended_well(folder: Path, process: subprocess.Popen[bytes]) -> str | None:
    status = process.wait()
    return None if status == 0 else f"exit status {status}:\n{_end_of_log(folder)}"


def _finish_timed(folder: Path, command: Sequence[str]) -> tuple[str | None, Pace]:
    """Run to the end undisturbed; what is wrong, and how long its parts take on this machine."""
    began = time.monotonic()
    process = _start(folder, command)
    _wait_for_jobs(folder, process)
    planned = time.monotonic()
    problem = _ended_well(folder, process)
    return problem, Pace(planned - began, time.monotonic() - planned)


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while _group_lives(process.pid):
        time.sleep(0.01)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for_jobs(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until Snakemake has planned and locked; it may also have ended by then."""
    # A killed run's lock goes before the run's own one is written.
    began, locks = time.time(), folder / ".snakemake" / "locks"
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            if any(path.stat().st_mtime >= began for path in locks.iterdir()):
                return
        time.sleep(0.1)


def _temporary(folder: Path) -> list[Path]:
    """Files that were being written."""
    found = (path for top in MADE for path in (folder / top).rglob(".*.partial*"))
    return sorted(path.relative_to(folder) for path in found)


def kill_and_finish(
    folder: Path,
    command: Sequence[str],
    kills: int,
    pace: Pace,
    chance: random.Random,
) -> Outcome:
    """Run a command, kill it `kills` times at most, and let it end.

    Args:
        folder: a copy of the project.
        command: that makes the results; the same each time.
        kills: wanted; fewer where the run ends before.
        pace: of an undisturbed run.
        chance: for the moments.
    """
    outcome, began = Outcome(), time.monotonic()
    while outcome.kills < kills:
        process, outcome.starts = _start(folder, command), outcome.starts + 1
        since, seconds = pace.moment(kills, chance)
        if since != "its start":
            _wait_for_jobs(folder, process)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            outcome.kills += 1
            locked = any((folder / ".snakemake" / "locks").glob("*"))
            halves = len(_temporary(folder))
            outcome.stale_locks += locked
            outcome.halves += bool(halves)
            left = f"locked: {locked}; halves: {halves}"
            print(f"kill {outcome.kills} {seconds:.1f} s after {since}; {left}", flush=True)
            continue
        if status != 0:
            outcome.findings.append(f"start {outcome.starts} ended with {status}:")
            outcome.findings.append(_end_of_log(folder))
        break
    else:
        outcome.starts += 1
        problem = _finish(folder, command)
        if problem:
            outcome.findings.append(problem)
    outcome.seconds = time.monotonic() - began
    outcome.findings += [f"left half-written: {path}" for path in _temporary(folder)]
    return outcome


def _files(folder: Path) -> Iterator[Path]:
    for top in MADE:
        path = folder / top
        found = [path] if path.is_file() else path.rglob("*")
        yield from (each.relative_to(folder) for each in found if each.is_file())


def _without_measured(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = ((key, each) for key, each in value.items() if key not in MEASURED)
        return {key: _without_measured(each) for key, each in kept}
    return [_without_measured(each) for each in value] if isinstance(value, list) else value


def _content(path: Path) -> Any:
    content = path.read_bytes()
    if path.suffix == ".json":
        return _without_measured(json.loads(content))
    if path.suffix == ".csv":
        rows = csv.DictReader(content.decode().splitlines())
        return [_without_measured(row) for row in rows]
    return content


def differences(undisturbed: Path, other: Path) -> list[str]:
    """Files that only one of two copies has, or that differ by more than measured times."""
    ours, theirs = set(_files(undisturbed)), set(_files(other))
    found = [f"missing: {path}" for path in sorted(ours - theirs)]
    found += [f"only after kills: {path}" for path in sorted(theirs - ours)]
    for path in sorted(ours & theirs):
        if _content(undisturbed / path) != _content(other / path):
            found.append(f"differs: {path}")
    return found


def _exchange_measured(undisturbed: Path, folder: Path) -> None:
    """Give a copy the measured times of the undisturbed one, and take away what shows its own."""
    for suffix in ("json", "csv"):
        for path in sorted((undisturbed / "results").rglob(f"*.{suffix}")):
            theirs = folder / path.relative_to(undisturbed)
            if theirs.is_file() and _content(theirs) == _content(path):
                shutil.copyfile(path, theirs)
    for pattern in SHOW_TIMES:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def compared(undisturbed: Path, folder: Path, command: Sequence[str]) -> list[str]:
    """What differs in a finished copy; what shows measured times is made anew from the same ones.

    Args:
        undisturbed: a finished copy that was never killed.
        folder: a finished copy; its measured times are exchanged.
        command: that makes the results.
    """
    shown = {path for pattern in SHOW_TIMES for path in undisturbed.glob(pattern)}
    beside = {path.relative_to(undisturbed).as_posix() for path in shown}
    found = differences(undisturbed, folder)
    real = [line for line in found if not any(name in line for name in beside)]
    if real or not found:
        return real
    _exchange_measured(undisturbed, folder)
    problem = _finish(folder, command)
    return [problem] if problem else differences(undisturbed, folder)


def _new_copy(folder: Path) -> Path:
    return copy_project(folder, (*PROGRAM, "weights"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.force.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="over all copies")
    parser.add_argument("--per-copy", type=int, default=10, help="most kills of one copy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", help="default: the whole report")
    parser.add_argument("--config", nargs="*", default=(), help="further settings, e.g. tables=...")
    parser.add_argument("--undisturbed", type=Path, help="a finished copy")
    parser.add_argument(
        "--pace",
        type=float,
        nargs=2,
        metavar=("START", "JOBS"),
        help="seconds of the undisturbed run, as an earlier call printed them",
    )
    parser.add_argument("--keep", type=Path, help="folder for the copies; they stay")
    options = parser.parse_args(argv)
    if (options.undisturbed is None) != (options.pace is None):
        parser.error("--undisturbed and --pace belong together")
    command = _command(options.target or ["reports/all_tables.html"], options.config)
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        top = options.keep or Path(temporary)
        if options.undisturbed is not None:
            return _all_copies(top, options.undisturbed, command, Pace(*options.pace), options)
        undisturbed = _new_copy(top / "undisturbed")
        problem, pace = _finish_timed(undisturbed, command)
        if problem:
            print(f"the undisturbed run: {problem}")
            return 1
        print(f"undisturbed: --pace {pace.start:.1f} {pace.jobs:.1f}", flush=True)
        return _all_copies(top, undisturbed, command, pace, options)


def _all_copies(
    top: Path, undisturbed: Path, command: Sequence[str], pace: Pace, options: argparse.Namespace
) -> int:
    copies, total, findings, unkilled = 0, 0, 0, 0
    while total < options.kills:
        wanted = min(options.per_copy, options.kills - total)
        chance = random.Random(f"{options.seed}/{copies}")
        folder = _new_copy(top / f"killed_{copies}")
        outcome = kill_and_finish(folder, command, wanted, pace, chance)
        found = [*outcome.findings, *compared(undisturbed, folder, command)]
        copies, total, findings = copies + 1, total + outcome.kills, findings + len(found)
        print(
            f"copy {copies}: {outcome.kills} kills in {outcome.seconds:.0f} s, "
            f"{outcome.stale_locks} left a lock, {outcome.halves} left halves; "
            f"{len(found)} findings",
            *found,
            sep="\n",
            flush=True,
        )
        unkilled = 0 if outcome.kills else unkilled + 1
        if unkilled == FAST_COPIES:
            print(f"{unkilled} copies ended before their first kill: is --pace of another machine?")
            return 1
    print(f"{total} kills, {copies} copies, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
