"""What a run says on the screen, what it keeps for another terminal, and what that shows."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.project_copy import copy_project, run_in
from workflows.job_lines import JobLines, ShortReasons, TimeLeft, WorkflowProgress
from workflows.kept_progress import KeptProgress
from workflows.progress import last_step, main, progress_lines

RUN = "airnet__noise_rain__seed_0"


class Told:
    """A run of the workflow, told to `JobLines` as Snakemake tells it."""

    def __init__(self, folder: Path, closing: Iterable[str] = ("results/smoke/x.md",)) -> None:
        self.stream = io.StringIO()
        self.path = folder / "logs" / "smoke" / "progress.json"
        self.lines = JobLines(self.path, self.stream, lambda: ["table_05"], lambda: closing)
        self.logger = logging.Logger("told")
        self.logger.addHandler(self.lines)

    def event(self, name: str, message: str | None = None, **facts: Any) -> None:
        self.logger.info(message, extra={"event": name, **facts})

    def start(self, number: int, rule: str = "train_run", log: str = "") -> None:
        self.event(
            "job_info",
            jobid=number,
            rule_name=rule,
            wildcards={"run": RUN},
            output=["out"],
            log=[f"{log} (check log file(s) for error details)"] if log else [],
        )

    def end(self, number: int, done: int, total: int) -> None:
        self.event("job_finished", job_id=number)
        self.event("progress", done=done, total=total)

    def said(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_each_job_has_one_line_with_the_time_left(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.event("run_info", "Job stats:", stats={"train_run": 2, "evaluate_run": 1, "total": 3})
    told.start(1)
    told.end(1, 1, 3)
    told.start(2, "evaluate_run")
    told.end(2, 2, 3)
    told.start(3)
    told.end(3, 3, 3)
    first, *jobs = told.said()
    assert first.startswith("3 jobs: 2 train_run, 1 evaluate_run; the whole log: ")
    assert [line.split("] ")[0] for line in jobs] == ["[1/3", "[2/3", "[3/3"]
    assert jobs[0].startswith("[1/3] train airnet noise_rain 0 s")
    assert "left" not in jobs[-1]


def test_snakemakes_own_text_stays_in_its_log(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for text in ("Building DAG of jobs...", "Using shell: /bin/bash", "Select jobs to execute..."):
        told.logger.info(text)
    told.event("shellcmd", "python -m ndr.train --spec-json '{...}'")
    told.event("workflow_started", "SNAKEMAKE")
    assert told.said() == []
    told.logger.warning("something is odd")
    assert told.said() == ["something is odd"]


def test_a_failed_job_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("\n".join(f"line {number}" for number in range(9)))
    told = Told(tmp_path)
    told.start(1, log=str(log))
    told.event("job_error", jobid=1, rule_name="train_run")
    head, *tail = told.said()
    assert head == f"failed: train airnet noise_rain; its log is {log}"
    assert [line.strip() for line in tail] == [f"line {number}" for number in range(4, 9)]
    assert WorkflowProgress.read(told.path).running == ()


def test_a_misspelt_target_gets_the_nearest_names(tmp_path: Path) -> None:
    told = Told(tmp_path)
    message = "MissingRuleException:\nNo rule to produce table_5 (if you use input functions ...)."
    told.event("error", message, exception="MissingRuleException")
    told.event("error", "WorkflowError:\nsomething else", exception="WorkflowError")
    assert told.said() == [
        "unknown target 'table_5': did you mean 'table_05'?",
        "WorkflowError:",
        "something else",
    ]


@pytest.mark.parametrize("nothing_to_do", [False, True])
def test_a_run_ends_with_what_was_asked_for(tmp_path: Path, nothing_to_do: bool) -> None:
    told = Told(tmp_path)
    if nothing_to_do:
        told.logger.info("Nothing to be done (all requested files are present and up to date).")
    else:
        told.lines.close_run()
    assert told.said()[-1] == "results/smoke/x.md"
    assert WorkflowProgress.read(told.path).finished is not None


def test_many_jobs_print_no_more_lines_than_a_reader_reads(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for number in range(1, 1001):
        told.start(number)
        told.end(number, number, 1000)
    assert 200 <= len(told.said()) <= 300
    assert told.said()[-1].startswith("[1000/1000]")


def test_the_time_left_follows_each_rules_own_jobs() -> None:
    left = TimeLeft()
    left.planned.update({"train_run": 11, "evaluate_run": 10})
    assert left.seconds(1.0) is None
    left.add("train_run", 60.0)
    for _ in range(5):
        left.add("evaluate_run", 2.0)
    # Ten trainings of a minute and five scores of two seconds, one after the other.
    assert left.seconds(70.0) == pytest.approx(610.0)
    assert left.seconds(35.0) == pytest.approx(305.0)  # two at a time, as so far


def test_reasons_never_hold_a_spec(caplog: pytest.LogCaptureFixture) -> None:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, "", None, None)
    record.reason = (
        "Missing output files: a; Params have changed since last execution: "
        """before: "'{\\"method\\": \\"ndr\\"}'" now: "'{\\"method\\": \\"ndr\\", \\"x\\": 1}'"; """
        "Software environment definition has changed since last execution"
    )
    assert ShortReasons().filter(record) is True
    assert record.reason == (
        "Missing output files: a; Params have changed since last execution; "
        "Software environment definition has changed since last execution"
    )


def test_progress_shows_jobs_steps_and_the_end(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "smoke" / "train" / "run.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "12:00:01 INFO step 100 of 8000, restore 0.1 total 0.2, rate 0.002, 1:10:00 left\n"
        "12:00:09 INFO step 250 of 8000, restore 0.1 total 0.2, rate 0.002, 1:02:03 left\n"
    )
    assert last_step(log) == "step 250 of 8,000, 1:02:03 left"
    assert last_step(tmp_path / "none.log") == ""
    told = Told(tmp_path)
    told.event("run_info", "Job stats:", stats={"train_run": 2, "total": 2})
    told.start(1)
    told.end(1, 1, 2)
    told.start(2, log="logs/smoke/train/run.log")
    progress = WorkflowProgress.read(told.path)
    first, job = progress_lines(progress, tmp_path, time.time())
    assert first.startswith("1 of 2 jobs in 0 s, about ")
    assert job == "  train airnet noise_rain, 0 s: step 250 of 8,000, 1:02:03 left"


def test_trainings_side_by_side_are_told_with_their_steps(tmp_path: Path) -> None:
    kept = KeptProgress(tmp_path / "logs" / "small" / "progress.json", 3)
    one, two = (tmp_path / "logs" / "small" / "train" / f"{name}.log" for name in ("a", "b"))
    one.parent.mkdir()
    one.write_text("21:41:31 INFO step 1514 of 5000, restore 0.07, rate 0.0016, 1:30:20 left\n")

    def told() -> list[str]:
        progress = WorkflowProgress.read(tmp_path / "logs" / "small" / "progress.json")
        return list(progress_lines(progress, tmp_path, time.time()))

    with kept.running("train a", one), kept.running("train b", two):
        first, *jobs = told()
        assert first == "0 of 3 jobs in 0 s"
        assert jobs == ["  train a, 0 s: step 1,514 of 5,000, 1:30:20 left", "  train b, 0 s"]
    kept.count(60.0)
    (line,) = told()
    assert line.startswith("1 of 3 jobs in 0 s, about ")
    kept.finish()
    assert told() == ["finished 0 s ago, after 0 s: 1 of 3 jobs"]


def test_progress_of_what_was_killed_or_has_ended(tmp_path: Path) -> None:
    gone = WorkflowProgress(process=2**22 + 1, started=100.0, done=3, total=9)
    (line,) = progress_lines(gone, tmp_path, 200.0)
    assert line.startswith("ended before its end: 3 of 9 jobs")
    over = WorkflowProgress(os.getpid(), 100.0, 9, 9, finished=160.0)
    (line,) = progress_lines(over, tmp_path, 220.0)
    assert line == "finished 1 min ago, after 1 min: 9 of 9 jobs"


def test_the_command_reads_the_newest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert "no workflow was run here" in capsys.readouterr().err
    for age, tier in enumerate(("quick", "smoke")):
        path = tmp_path / "logs" / tier / "progress.json"
        WorkflowProgress(os.getpid(), 100.0, 1, 1, finished=110.0).write(path)
        os.utime(path, (1000 - age, 1000 - age))
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("tier quick:\nfinished ")
    assert main(["--tier", "smoke"]) == 0
    assert capsys.readouterr().out.startswith("tier smoke:")
    path.write_text("{")
    assert main(["--tier", "smoke"]) == 2
    assert "run again" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_is_quiet_and_its_log_whole(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    target = "results/smoke/network_layout.json"
    options = ["--config", "tier=smoke", "device=cpu"]
    ran = run_in(project, [*command, target, *options])
    told = (ran.stdout + ran.stderr).splitlines()
    lines = [line for line in told if "onfig" not in line and "profile" not in line]
    assert ran.returncode == 0, ran.stderr
    assert len(lines) == 3, lines
    first, job, last = lines
    assert first.startswith("1 job: 1 trace_network; the whole log: .snakemake/log/")
    assert job.startswith("[1/1] trace network ")
    assert last == target
    log = (project / first.rpartition(": ")[2]).read_text(encoding="utf-8")
    assert "rule trace_network:" in log
    assert "reason: Missing output files" in log
    misspelt = run_in(project, [*command, "table_5", *options])
    assert misspelt.returncode != 0
    assert "unknown target 'table_5': did you mean 'table_05'" in misspelt.stderr
    wanted = run_in(project, [*command, "--dry-run", "--forceall", target, *options])
    assert "Job stats:" in wanted.stdout + wanted.stderr  # a dry run speaks as Snakemake does
