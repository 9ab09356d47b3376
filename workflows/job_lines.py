"""What a run of the workflow says: a line per job, the time left, and where it stands.

Snakemake tells its loggers what happens. `watch` listens: on the screen stands one line per job,
the whole text in Snakemake's own log file, and in `logs/<tier>/progress.json` what runs now, which
`python -m workflows.progress` reads from another terminal.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TextIO

from ndr.nearest_name import unknown_name
from ndr.records.record import Record

MOST_LINES = 300
"""Lines about jobs that a run prints; with more jobs not each has one."""
LONG = 60.0
"""Seconds; a job that took longer always has its line."""
LOG_TAIL = 5
"""Lines of its log that a failed job shows."""
NOTHING = "Nothing to be done"
"""Begin of Snakemake's sentence about a run without jobs, which stays on the screen."""
LOGGER = "snakemake.logging"
MISSING = re.compile(r"No rule to produce (\S+)")


def span(seconds: float) -> str:
    """Seconds in the unit that matters.

    >>> span(4.2), span(75), span(7384)
    ('4 s', '1 min', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def short_reason(reason: str) -> str:
    """Why a job runs, without the specs and the long lists of files that Snakemake adds.

    >>> short_reason("Params have changed since last execution: before: '{}' now: '{1}'")
    'Params have changed since last execution'
    >>> short_reason("Missing output files: a, b, c, d; Code has changed since last execution")
    'Missing output files: a, b and 2 more; Code has changed since last execution'
    """
    known = r"(Params have changed since last execution): .*?(?=; Software|\)?$)"
    parts = re.sub(known, r"\1", reason, flags=re.DOTALL).split("; ")
    return "; ".join(map(_short_list, parts))


def _short_list(part: str) -> str:
    head, colon, files = part.partition(": ")
    names = files.split(", ")
    if not colon or len(names) <= 3:
        return part
    return f"{head}: {', '.join(names[:2])} and {len(names) - 2} more"


def job_label(rule: str, wildcards: Mapping[str, str], outputs: Iterable[str]) -> str:
    """A job in words.

    >>> job_label("train_run", {"run": "airnet__noise_rain__seed_0"}, ["a"])
    'train airnet noise_rain'
    >>> job_label("scan_leaks", {}, ["leaks.json"]), job_label("table_05", {}, [])
    ('scan leaks', 'table_05')
    """
    if not list(outputs):
        return rule  # the name of a target
    if not wildcards:
        return rule.replace("_", " ")
    names = (name.removesuffix("__seed_0").replace("__", " ") for name in wildcards.values())
    return " ".join([rule.partition("_")[0], *names])


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that was started and has not ended."""

    label: str
    rule: str
    since: float
    """Seconds since 1970."""
    log: str = ""
    """Its log file; empty where it has none."""


@dataclass(frozen=True, slots=True)
class WorkflowProgress(Record):
    """`logs/<tier>/progress.json`: where the last run of a tier stands."""

    FILE: ClassVar[str] = "file of a workflow's progress"

    process: int
    started: float
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    running: tuple[RunningJob, ...] = ()
    finished: float | None = None
    """When all was over; None while jobs run, or after a kill."""


class TimeLeft:
    """How long the rest takes, by the mean time of each rule's jobs so far."""

    def __init__(self) -> None:
        self.planned: Counter[str] = Counter()
        self._spent: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, rule: str, seconds: float) -> None:
        """A job has ended."""
        self._spent[rule].append(seconds)

    def seconds(self, elapsed: float) -> float | None:
        """Seconds left; None before the first job has ended.

        Rules of which no job has ended are taken to need the mean of all; jobs side by side share
        the time as they did so far.
        """
        every = [seconds for spent in self._spent.values() for seconds in spent]
        if not every or elapsed <= 0:
            return None
        at_once = max(1.0, math.fsum(every) / elapsed)
        mean = math.fsum(every) / len(every)
        left = 0.0
        for rule, count in self.planned.items():
            spent = self._spent.get(rule, [])
            own = math.fsum(spent) / len(spent) if spent else mean
            left += max(0, count - len(spent)) * own
        return left / at_once


class JobLines(logging.Handler):
    """Listens to Snakemake's events.

    Args:
        path: where the progress is kept.
        stream: where lines go; None leaves the screen to Snakemake's own handler.
        targets: names that may be asked for.
        closing: lines that end a run that succeeded, or that had nothing to do.
    """

    def __init__(
        self,
        path: Path,
        stream: TextIO | None,
        targets: Callable[[], Iterable[str]],
        closing: Callable[[], Iterable[str]],
    ) -> None:
        super().__init__(logging.INFO)
        self._path, self._stream = path, stream
        self._targets, self._closing = targets, closing
        self._jobs: dict[int, RunningJob] = {}
        self._ended: list[tuple[str, float]] = []
        self._time = TimeLeft()
        self._state = WorkflowProgress(os.getpid(), time.time())

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message."""
        try:
            event = str(getattr(record, "event", None) or "")
            listener = getattr(self, f"_{event}", None)
            if listener is not None:
                listener(record.__dict__)
            elif record.levelno >= logging.WARNING:
                self._say(record.getMessage())
            elif not event and str(record.msg).startswith(NOTHING):
                self._say(str(record.msg))
                self.close_run()
        except Exception:
            self.handleError(record)

    def _say(self, text: str) -> None:
        if self._stream is not None and text:
            print(text, file=self._stream, flush=True)

    def _keep(self, **facts: Any) -> None:
        left = self._time.seconds(time.time() - self._state.started)
        running = tuple(self._jobs.values())
        self._state = replace(self._state, running=running, seconds_left=left, **facts)
        self._state.write(self._path)

    def _run_info(self, facts: Mapping[str, Any]) -> None:
        stats = dict(facts["stats"])
        total = stats.pop("total", sum(stats.values()))
        self._time.planned.update(stats)
        counts = ", ".join(f"{count} {rule}" for rule, count in stats.items())
        jobs = "1 job" if total == 1 else f"{total} jobs"
        logs = [file for file in map(self._whole_log, logging.getLogger(LOGGER).handlers) if file]
        self._say(f"{jobs}: {counts}; the whole log: {', '.join(logs)}")
        self._keep(total=total)

    @staticmethod
    def _whole_log(handler: logging.Handler) -> str:
        """The file of a handler, relative to the folder of the run; empty for others."""
        path = getattr(handler, "baseFilename", "")
        return os.path.relpath(path) if path else ""

    def _job_info(self, facts: Mapping[str, Any]) -> None:
        rule, logs = facts["rule_name"], list(facts["log"] or ())
        label = job_label(rule, dict(facts["wildcards"] or {}), facts["output"] or ())
        log = logs[0].split(" ")[0] if logs else ""
        self._jobs[facts["jobid"]] = RunningJob(label, rule, time.time(), log)
        self._keep()

    def _job_finished(self, facts: Mapping[str, Any]) -> None:
        job = self._jobs.pop(facts["job_id"], None)
        if job is not None:
            seconds = time.time() - job.since
            self._time.add(job.rule, seconds)
            self._ended.append((job.label, seconds))

    def _progress(self, facts: Mapping[str, Any]) -> None:
        done, total = facts["done"], facts["total"]
        self._keep(done=done, total=total)
        each = max(1, math.ceil(total / MOST_LINES))
        left = self._state.seconds_left
        rest = f", about {span(left)} left" if left and done < total else ""
        for label, seconds in self._ended:
            if done % each == 0 or done == total or seconds >= LONG:
                self._say(f"[{done}/{total}] {label} {span(seconds)}{rest}")
        self._ended.clear()

    def _job_error(self, facts: Mapping[str, Any]) -> None:
        job = self._jobs.pop(facts["jobid"], None)
        label = job.label if job else facts["rule_name"]
        log = job.log if job else ""
        self._say(f"failed: {label}" + (f"; its log is {log}" if log else ""))
        if log and Path(log).is_file():
            lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
            for line in lines[-LOG_TAIL:]:
                self._say(f"    {line}")
        self._keep()

    def _error(self, facts: Mapping[str, Any]) -> None:
        text = str(facts["msg"])
        missing = MISSING.search(text) if facts.get("exception") == "MissingRuleException" else None
        if missing:
            known = self._targets()
            text = str(unknown_name("target", missing[1], known, "`snakemake --list` names all"))
        self._say(text)

    def close_run(self) -> None:
        """All is over, and well."""
        for line in self._closing():
            self._say(line)
        self._jobs.clear()
        self._keep(finished=time.time())


class ShortReasons(logging.Filter):
    """Takes specs out of the reasons that Snakemake prints, on the screen and in its log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the message pass, with a short reason."""
        reason = getattr(record, "reason", None)
        if isinstance(reason, str):
            record.reason = short_reason(reason)
        return True


def watch(
    workflow: Any,
    tier: str,
    closing: Callable[[], Iterable[str]],
) -> JobLines | None:
    """Listen to a run of the workflow, and leave its lines to `JobLines`.

    Who asks Snakemake for more (`--verbose`, `--printshellcmds`, a dry run) or for less (`--quiet`)
    gets its own text.

    Args:
        workflow: Snakemake's, while its Snakefile is read.
        tier: whose progress is kept.
        closing: lines that end a run.

    Returns:
        None for a dry run, and for the Snakemake of a single job on a cluster.
    """
    from snakemake.logging import logger
    from snakemake_interface_executor_plugins.settings import ExecMode

    if not any(isinstance(each, ShortReasons) for each in logger.filters):
        logger.addFilter(ShortReasons())
    output = workflow.output_settings
    if output.dryrun or workflow.exec_mode != ExecMode.DEFAULT:
        return None
    own = [handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"]
    wants_more = output.verbose or output.printshellcmds or output.debug_dag or output.quiet
    stream = None if wants_more or not own else getattr(own[0], "stream", None)
    if stream is not None:
        for handler in own:
            logger.removeHandler(handler)

    def targets() -> list[str]:
        names = [rule.name for rule in workflow.rules]
        return [*names, "reports/all_tables.html"]

    lines = JobLines(Path("logs") / tier / "progress.json", stream, targets, closing)
    logger.addHandler(lines)
    return lines
