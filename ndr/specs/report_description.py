"""What the workflow tells the page beside its tables."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ndr.specs.typed_file import CanonicalSpec


@dataclass(frozen=True, slots=True)
class TestSetSource:
    """The prepared set that a test set of the tables is made from."""

    __test__ = False  # no test class, whatever pytest thinks of the name

    test_set: str
    prepared_set: str


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
    input_runs: tuple[str, ...]
    """Runs of the controls whose pictures are the degraded inputs, one per scale."""
    truth_runs: tuple[str, ...]
    """Runs of the controls whose pictures are the ground truth, one per scale."""
    balance: str = ""
    """How the tasks of a training mix are balanced."""
    noise_variant: str = ""
    licences: tuple[str, ...] = ()
    """Packages under terms of their own, a line each."""
    sources: tuple[TestSetSource, ...] = ()
    """Needed to look up test sets in what the leak scan found."""
    weights: tuple[str, ...] = ()
    """Where the networks' weights come from: `shipped`, `retrained`, `official_weights`."""

    def prepared_set(self, test_set: str) -> str | None:
        """The prepared set behind a test set; None where the description does not say."""
        return next((s.prepared_set for s in self.sources if s.test_set == test_set), None)

    def redo(self, run: str) -> str:
        """The command that redoes `run`."""
        return f"snakemake --cores all {shlex.quote(run)} --config tier={shlex.quote(self.tier)}"
