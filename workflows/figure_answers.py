"""What the rules ask about figures, answered per wildcard."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ndr.nearest_name import unknown_name
from ndr.run_spec import run_id
from ndr.source_fingerprint import source_fingerprint
from workflows.figure_plan import FigurePlan
from workflows.figure_planning import (
    NETWORK_LAYOUT,
    figure_plan,
    figure_runs,
    figures_of_tables,
    representation_runs,
)
from workflows.planning import Plan

DRAWN_NETWORK = ("ndr_restore", "noise_rain_haze")
"""Method and setting of the network that Figures 2, 3 and 6 draw."""


class FigureAnswers:
    """The figures of one configuration in the shape that Snakemake's rules take.

    Args:
        plan: the plan of the suite.
        results: `results/<tier>`.
        evaluation_results: the files that the evaluations of runs leave.
    """

    def __init__(
        self, plan: Plan, results: str, evaluation_results: Callable[[list[str]], list[str]]
    ) -> None:
        self._plan = plan
        self._results = results
        self._evaluation_results = evaluation_results

    @functools.cached_property
    def _figures(self) -> dict[str, FigurePlan]:
        return {name: figure_plan(self._plan, name) for name in self._plan.all_figures}

    def _figure(self, name: str) -> FigurePlan:
        if name not in self._figures:
            raise unknown_name("figure", name, self._figures)
        return self._figures[name]

    @property
    def names(self) -> list[str]:
        """All figures of the suite."""
        return list(self._figures)

    @property
    def plots(self) -> list[str]:
        """Figures that are also written as an SVG."""
        return [name for name, figure in self._figures.items() if figure.has_svg]

    @property
    def pictures(self) -> list[str]:
        """Figures that are written as a PNG alone."""
        return [name for name, figure in self._figures.items() if not figure.has_svg]

    def inputs(self, wildcards: Any) -> list[str]:
        """Files that a figure is drawn from."""
        figure = self._figure(wildcards.figure)
        runs = figure_runs(figure)
        folders = [
            f"{self._results}/evaluations/{run}/pictures"
            for run in runs
            if figure.kind in ("picture_grid", "residuals")
        ]
        tensors = [
            f"{self._results}/representation/{run}.npz" for run in representation_runs(figure)
        ]
        layout = [f"{self._results}/{NETWORK_LAYOUT}"] if figure.kind == "network_drawing" else []
        return self._evaluation_results(runs) + folders + tensors + layout

    def plan(self, wildcards: Any) -> str:
        """The figure plan as canonical JSON."""
        return self._figure(wildcards.figure).canonical_json()

    def fingerprint(self, wildcards: Any) -> str:
        """Hash of the code that draws a figure."""
        kind = self._figure(wildcards.figure).kind
        return source_fingerprint("reports.figures.draw", f"reports.figures.{kind}")

    @property
    def of_report(self) -> list[str]:
        """Records of the figures that need no training beyond those of the report's tables."""
        names = figures_of_tables(self._plan, self._plan.config.tables)
        return [f"{self._results}/figures/{name}.json" for name in names]

    @property
    def network_spec(self) -> str:
        """Spec of the network that is drawn, as canonical JSON."""
        method, setting = DRAWN_NETWORK
        run = run_id(method, setting, {}, self._plan.config.seeds[0])
        return self._plan.runs[run].canonical_json()
