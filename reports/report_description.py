"""What the workflow tells the page beside its tables."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ndr.run_spec import CanonicalSpec

REDO_COMMAND = "snakemake --cores all {run} --config tier={tier}"


@dataclass(frozen=True, slots=True)
class ReportDescription(CanonicalSpec):
    """The page's tier, its texts, and the controls whose pictures it shows."""

    tier: str
    tier_note: str
    """What the tier is, in a sentence or two."""
    comparable_with_paper: bool
    """Whether the tier's numbers may be compared with the paper's."""
    attributions: tuple[str, ...]
    """Lines that the licences of the images demand."""
    input_run: str
    """Run of the control whose pictures are the degraded inputs."""
    truth_run: str
    """Run of the control whose pictures are the ground truth."""
    balance: str = ""
    """How the tasks of a training mix are balanced."""
    noise_variant: str = ""
    redo_command: str = REDO_COMMAND
    """Command that redoes a run; `{run}` and `{tier}` are filled in."""
    expected_training_seconds: float | None = None

    def redo(self, run: str) -> str:
        """The command that redoes `run`."""
        return self.redo_command.format(run=shlex.quote(run), tier=shlex.quote(self.tier))
