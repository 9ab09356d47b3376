"""Where jobs stand that run side by side without Snakemake, for `python -m workflows.progress`."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflows.job_lines import RunningJob, TimeLeft, WorkflowProgress

JOB = "job"
"""All jobs are of one kind: the time left follows their mean."""


class KeptProgress:
    """Keeps the file `progress.json` of jobs in threads.

    Args:
        path: of the file.
        total: jobs in all.
    """

    def __init__(self, path: Path, total: int) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._running: list[RunningJob] = []
        self._time = TimeLeft()
        self._time.planned[JOB] = total
        self._state = WorkflowProgress(os.getpid(), time.time(), total=total)
        self._keep()

    def _keep(self, **facts: Any) -> None:
        left = self._time.seconds(time.time() - self._state.started)
        running = tuple(self._running)
        self._state = replace(self._state, running=running, seconds_left=left, **facts)
        self._state.write(self._path)

    @contextlib.contextmanager
    def running(self, label: str, log: Path) -> Iterator[None]:
        """While one part of a job runs: its name, and the log that tells its steps."""
        job = RunningJob(label, JOB, time.time(), str(log))
        with self._lock:
            self._running.append(job)
            self._keep()
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(job)
                self._keep()

    def count(self, seconds: float) -> None:
        """A job has ended, after so many seconds."""
        with self._lock:
            self._time.add(JOB, seconds)
            self._keep(done=self._state.done + 1)

    def finish(self) -> None:
        """All jobs have ended."""
        with self._lock:
            self._keep(finished=time.time())
