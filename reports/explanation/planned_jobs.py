"""The commands behind a result, from Snakemake itself: what `snakemake -n -p` prints."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COSTLY = ("train_run", "evaluate_run")
"""Rules whose commands are wanted even where their results are there."""
_JOB = re.compile(
    r"^(?:local)?rule (?P<rule>\w+):\n(?P<facts>(?: {4}.*\n)*)Shell command: (?P<command>.+)$",
    re.MULTILINE,
)


class DryRunError(RuntimeError):
    """Snakemake could not plan the jobs; the message is its own."""


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One job of the workflow."""

    rule: str
    outputs: tuple[str, ...]
    """Files, relative to the checkout."""
    command: str
    """The shell command as Snakemake runs it; it can be pasted."""
    log: str = ""
    """File that the command writes its messages to; its folder must be there."""

    def finished(self, root: Path) -> bool:
        """Whether all outputs are there."""
        return all((root / output).exists() for output in self.outputs)


def parsed_jobs(output: str) -> list[PlannedJob]:
    """Jobs in what `snakemake -n -p` printed."""
    jobs = []
    for found in _JOB.finditer(output):
        facts = dict(re.findall(r"^ {4}(\w+): (.+)$", found["facts"], re.MULTILINE))
        if "output" in facts:
            outputs = tuple(facts["output"].split(", "))
            log = facts.get("log", "").split(" ")[0]
            jobs.append(PlannedJob(found["rule"], outputs, found["command"].strip(), log))
    return jobs


def planned_jobs(root: Path, targets: Sequence[str], overrides: Sequence[str]) -> list[PlannedJob]:
    """All jobs that `targets` need and that are not done, trainings and evaluations in any case.

    Args:
        root: the checkout.
        targets: files to make.
        overrides: `key=value`, as for `snakemake --config`.

    Raises:
        DryRunError: the workflow cannot be planned.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--cores", "1"]
    command += ["--forcerun", *COSTLY]
    command += ["--config", *overrides] if overrides else []
    result = subprocess.run(
        [*command, "--", *targets], cwd=root, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise DryRunError(f"{result.stdout}{result.stderr}".strip())
    return parsed_jobs(result.stdout + result.stderr)
