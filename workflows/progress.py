"""Where a run of the workflow stands: `python -m workflows.progress`, from another terminal.

Prints the jobs that run, the step of each training and the time that it has left, and the end of
the whole, of a run of the workflow or of `make trained-weights`. It reads
`logs/<tier>/progress.json`, which these keep, and the logs of the jobs.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ndr.records.record import ResultFileError
from workflows.job_lines import RunningJob, WorkflowProgress, span

STEP = re.compile(r"step (\d+) of (\d+), .*?, (\d[\d:]*) left")
TAIL = 65_536
"""Bytes of a log that are read, from its end."""


def last_step(log: Path) -> str:
    """The last step that a training's log tells, with the time left; empty where it tells none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    found = list(STEP.finditer(text))
    if not found:
        return ""
    done, steps, left = found[-1].groups()
    return f"step {int(done):,} of {int(steps):,}, {left} left"


def alive(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _job_line(job: RunningJob, root: Path, now: float) -> str:
    step = last_step(root / job.log) if job.log else ""
    return f"  {job.label}, {span(now - job.since)}" + (f": {step}" if step else "")


def progress_lines(progress: WorkflowProgress, root: Path, now: float) -> Iterator[str]:
    """Where a run stands.

    Args:
        progress: of the run.
        root: the folder in which it runs.
        now: seconds since 1970.
    """
    share = f"{progress.done} of {progress.total} jobs"
    if progress.finished is not None:
        ago = span(now - progress.finished)
        yield f"finished {ago} ago, after {span(progress.finished - progress.started)}: {share}"
        return
    if not alive(progress.process):
        yield f"ended before its end: {share}; run it again, it goes on where it stopped"
        return
    left = progress.seconds_left
    end = "" if left is None else time.strftime(", about %H:%M", time.localtime(now + left))
    rest = f", about {span(left)} left" if left is not None else ""
    yield f"{share} in {span(now - progress.started)}{rest}{end}"
    for job in progress.running:
        yield _job_line(job, root, now)


def progress_files(root: Path, tier: str | None) -> list[Path]:
    """Files of the tiers that were run, the newest first."""
    found = root.glob(f"logs/{tier or '*'}/progress.json")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit code 2: nothing was run, or the file is damaged."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.progress", description="Print where a run of the workflow stands."
    )
    parser.add_argument("--tier", help="default: the one that was run last")
    parser.add_argument("--watch", action="store_true", help="again and again, until it ends")
    arguments = parser.parse_args(argv)
    while True:
        files = progress_files(Path(), arguments.tier)
        if not files:
            where = f"logs/{arguments.tier or '<tier>'}/progress.json"
            print(f"no workflow was run here: {where} is not there", file=sys.stderr)
            return 2
        try:
            progress = WorkflowProgress.read(files[0])
        except ResultFileError as error:
            print(error, file=sys.stderr)
            return 2
        tier = files[0].parent.name
        lines = progress_lines(progress, Path(), time.time())
        print("\n".join([f"tier {tier}:", *lines]), flush=True)
        if not arguments.watch or progress.finished is not None or not alive(progress.process):
            return 0
        time.sleep(5)


if __name__ == "__main__":
    sys.exit(main())
