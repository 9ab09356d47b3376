"""What each job starts with and asks a scheduler for: processes, cards, memory, minutes.

On one machine memory and minutes limit nothing. A cluster ends a job that needs more, and starts
it again with more (`retries` in profiles/slurm): both grow with each attempt, and a training goes
on from its last state.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

from ndr.specs.typed_file import SpecError
from workflows.estimate.hours import (
    CostAssumptions,
    RunTimes,
    StepCosts,
    finished_runs,
    read_assumptions,
)
from workflows.planning import Plan

MARGIN = 3
"""Minutes of a training over those expected of it: cards differ, and file systems stall."""
START = 30
"""Minutes beside the steps: PyTorch's start, the images' first reading."""


class JobResources:
    """What the jobs of one plan start with and ask for.

    Args:
        plan: all runs.
        results: where finished ones are, `results/<tier>`.

    Raises:
        SpecError: a batch that cannot be divided among the processes of a training.
    """

    def __init__(self, plan: Plan, results: Path) -> None:
        self._plan, self._results = plan, results
        self.training_processes = plan.config.gpus_per_run or 1
        """Processes that train a run together, each on a card of its own where there are any."""
        for run, spec in plan.runs.items() if self.training_processes > 1 else ():
            if spec.recipe.batch % self.training_processes:
                raise SpecError(
                    f"gpus_per_run: expected a divisor of the batch of {spec.recipe.batch} images "
                    f"({run}), found {self.training_processes}"
                )

    # ---- Cards ----

    @functools.cached_property
    def gpus(self) -> int:
        """Cards that a job of one process asks for: one where it will use one.

        Where the configuration names a number of cards, this machine need not have any.
        """
        import torch

        config = self._plan.config
        if config.device == "cpu":
            return 0
        asked = config.device == "cuda" or config.gpus_per_run is not None
        return int(asked or torch.cuda.is_available())

    @property
    def training_gpus(self) -> int:
        """Cards that a training asks for."""
        return self.gpus * self.training_processes

    @property
    def command(self) -> list[str]:
        """What starts a module: Python, with a card of its own where there are any."""
        return _on_cards(self.gpus)

    @property
    def training_command(self) -> list[str]:
        """What starts the module of a training, once for each of its processes."""
        command = _on_cards(self.training_gpus)
        if self.training_processes > 1:
            number = str(self.training_processes)
            command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", number]
        return command

    # ---- Memory and minutes ----

    @functools.cached_property
    def _assumptions(self) -> CostAssumptions:
        return read_assumptions()

    @functools.cached_property
    def _times(self) -> RunTimes:
        assumptions = self._assumptions
        return RunTimes(
            self._plan.runs,
            finished_runs(self._results),
            StepCosts(seconds=0),
            assumptions.card_named(None) if self.gpus else assumptions.core,
            assumptions.step_over_forward,
        )

    def memory(self, attempt: int = 1) -> int:
        """Memory of a job of one process, in MB."""
        return self._assumptions.demands[self._plan.config.tier].memory_mb * attempt

    def training_memory(self, attempt: int = 1) -> int:
        """Memory of a training, in MB, all its processes together."""
        return self.memory(attempt) * self.training_processes

    def minutes(self, attempt: int = 1) -> int:
        """Minutes of any job but a training."""
        return self._assumptions.demands[self._plan.config.tier].minutes * attempt

    def training_minutes(self, run: str, attempt: int = 1) -> int:
        """Minutes of a training, from what `python -m workflows.estimate` expects of it.

        One that cannot be counted asks for the tier's longest.
        """
        longest = self._assumptions.demands[self._plan.config.tier].training_minutes
        hours = self._times.of(self._plan.runs[run]).hours
        if hours is None:
            return longest * attempt
        minutes = START + math.ceil(MARGIN * 60 * hours / self.training_processes)
        return min(minutes, longest) * attempt


def _on_cards(count: int) -> list[str]:
    cards = ["python", "-m", "workflows.cards", "--cards", str(count)]
    return [*(cards if count else []), "python"]
