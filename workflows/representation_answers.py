"""What the rules ask about the degradation representation, answered per wildcard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ndr.method import method_class
from ndr.nearest_name import unknown_name
from ndr.run_spec import RunSpec
from ndr.source_fingerprint import source_fingerprint
from workflows.planning import Plan

METHOD, SETTING = "ndr_restore", "noise_rain_haze"
CHANGES: tuple[dict[str, Any], ...] = ({}, {"lambda_degrad": 0})
"""The runs of the report's section: as published, and without the degradation loss."""
FIGURE_IMAGES = 4
"""Images per test set whose inner maps are kept for the figures."""


class RepresentationAnswers:
    """Which runs are looked at, and how, in the shape that Snakemake's rules take.

    Args:
        plan: the plan of the suite.
        results: `results/<tier>`.
    """

    def __init__(self, plan: Plan, results: str) -> None:
        self._plan = plan
        self._results = results

    def _training(self, run: str) -> RunSpec:
        if run not in self._plan.runs:
            raise unknown_name("trained run", run, self._plan.runs)
        return self._plan.runs[run]

    def snapshots(self, wildcards: Any) -> str:
        """Snapshots of D that the training kept."""
        return f"{self._results}/runs/{wildcards.run}/representation.safetensors"

    def figure_images(self, wildcards: Any) -> int:
        """How many images per test set leave their maps: none of runs that no figure shows."""
        changes = self._training(wildcards.run).changes
        return FIGURE_IMAGES if not changes.keys() - {"upscale"} else 0

    def fingerprint(self, wildcards: Any) -> str:
        """Hash of the code that looks at a run."""
        method = self._training(wildcards.run).method
        return source_fingerprint("ndr.represent", method_class(method).__module__)

    def runs_of_tables(self, tables: Iterable[str]) -> list[str]:
        """Runs that the section on D shows, of those that the tables ask for, main run first."""
        asked = {run for table in tables for run in self._plan.runs_of_table(table)}
        seed = self._plan.config.seeds[0]
        return [
            run
            for changes in CHANGES
            for run, spec in self._plan.runs.items()
            if run in asked
            and (spec.method, spec.setting.name, spec.seed) == (METHOD, SETTING, seed)
            and spec.changes == changes
        ]

    @property
    def of_report(self) -> list[str]:
        """Numbers that the report's section shows."""
        runs = self.runs_of_tables(self._plan.config.tables)
        return [f"{self._results}/representation/{run}.json" for run in runs]
