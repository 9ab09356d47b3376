"""What the tables of a configuration still need, counted once each, in the tables' order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ndr.records.provenance import EvaluationProvenance
from ndr.records.record import ResultFileError
from workflows import ROOT
from workflows.configuration import CONFIG, suite_config
from workflows.estimate.hours import (
    RunTimes,
    StepCosts,
    checked_card,
    finished_runs,
    read_assumptions,
)
from workflows.estimate.this_machine import known_speed
from workflows.estimate.volumes import DataVolumes, Volume
from workflows.own_sets import suite_catalogue
from workflows.planning import Plan, make_plan
from workflows.report_parts import (
    figure_plan,
    figure_runs,
    figures_of_tables,
    representation_runs,
    sensitivity_plan,
)

log = logging.getLogger(__name__)

WEIGHT_BYTES = 4
BEYOND_TABLES = "beyond_tables"
"""Name of the last estimate: figures, and the comparison of protocols."""


@dataclass(frozen=True, slots=True)
class TableEstimate:
    """What one table needs; what an earlier table needs as well is counted there."""

    table: str
    label: str
    runs: int
    """Trained runs that the table shows."""
    new: int
    """Those that no earlier table shows."""
    left: int
    """Those of the new ones that are not finished."""
    hours: Mapping[str, float]
    """Hours of the runs left, by what they are based on."""
    core_hours: float
    """Hours of the runs left on one core of this machine."""
    uncounted: tuple[str, ...]
    """Runs left whose hours are not known."""
    scores_left: int
    """Evaluations that are not finished."""
    download: Volume
    disk: Volume


@dataclass(frozen=True, slots=True)
class Estimator:
    """Walks through the tables in their order and counts everything once."""

    plan: Plan
    times: RunTimes
    core_times: RunTimes
    """The same without a card."""
    volumes: DataVolumes
    done: Mapping[str, str]
    """Finished trainings, run to the hash of their spec."""
    scored: Mapping[str, str]
    """Finished evaluations, likewise."""
    _seen: set[str] = field(default_factory=set)

    def tables(self) -> list[TableEstimate]:
        """Estimates of the tables of the configuration, and last of what else the page shows."""
        plan = self.plan
        tables = [
            self._part(name, plan.tables[name].label, plan.runs_of_table(name))
            for name in plan.config.tables
        ]
        return [*tables, self._part(BEYOND_TABLES, "figures etc.", self._beyond_tables())]

    def _beyond_tables(self) -> list[str]:
        """Runs that only figures or the comparison of protocols and noise variants show."""
        plan = self.plan
        runs = [*sensitivity_plan(plan).runs, *plan.input_runs, *plan.truth_runs]
        for name in figures_of_tables(plan, plan.config.tables):
            figure = figure_plan(plan, name)
            runs += figure_runs(figure) + representation_runs(figure)
        return runs

    def _first_time(self, kind: str, names: Sequence[str]) -> list[str]:
        """The names that no earlier table asked for."""
        new = [name for name in dict.fromkeys(names) if f"{kind}:{name}" not in self._seen]
        self._seen.update(f"{kind}:{name}" for name in new)
        return new

    def _part(self, name: str, label: str, evaluations: Sequence[str]) -> TableEstimate:
        trainings = [self.plan.evaluations[run].training_run for run in evaluations]
        runs = sorted({run for run in trainings if run is not None})
        new = self._first_time("run", runs)
        left = [
            run
            for run in new
            if run not in self.plan.shipped_runs
            and self.done.get(run) != self.plan.runs[run].sha256()
        ]
        scores = [
            run
            for run in self._first_time("evaluation", evaluations)
            if self.scored.get(run) != self.plan.evaluations[run].sha256()
        ]
        hours: dict[str, float] = {}
        core_hours = 0.0
        uncounted = []
        weights = Volume()
        for run in left:
            time = self.times.of(self.plan.runs[run])
            if time.hours is None:
                uncounted.append(run)
            else:
                hours[time.basis] = hours.get(time.basis, 0.0) + time.hours
            core_hours += self.core_times.of(self.plan.runs[run]).hours or 0.0
            weights += Volume(WEIGHT_BYTES * (time.parameters or 0))
        sets = [name for run in left for name in self.plan.runs[run].sets]
        sets += [name for run in scores for name in self.plan.evaluations[run].sets]
        download, disk = Volume(), weights
        for set_name in self._first_time("set", self.volumes.needed(sets)):
            volume = self.volumes.of(set_name)
            download, disk = download + volume.download, disk + volume.disk
        return TableEstimate(
            table=name,
            label=label,
            runs=len(runs),
            new=len(new),
            left=len(left),
            hours=hours,
            core_hours=core_hours,
            uncounted=tuple(uncounted),
            scores_left=len(scores),
            download=download,
            disk=disk,
        )


def finished_evaluations(results: Path) -> dict[str, str]:
    """Hash of the spec of each finished evaluation, from its provenance."""
    found = {}
    for path in sorted((results / "evaluations").glob("*/per_image.csv")):  # written last of all
        try:
            record = EvaluationProvenance.read(path.with_name("provenance.json"))
        except (FileNotFoundError, ResultFileError) as error:
            log.warning("%s; counts as not scored", error)
        else:
            found[path.parent.name] = record.evaluation_sha256
    return found


def estimate(
    content: Mapping[str, Any], root: Path = ROOT, card: str | None = None
) -> list[TableEstimate]:
    """Estimate the tables of a configuration.

    Args:
        content: `config/config.yaml` with its overrides.
        root: folder of the checkout.
        card: name in `config/costs.yaml`; None: its default.

    Raises:
        UnknownNameError, SpecError: see `make_plan`.
    """
    config = suite_config(content)
    catalogue = suite_catalogue(config, CONFIG / "datasets.yaml")
    plan = make_plan(config, catalogue)
    assumptions = read_assumptions()
    results = root / "results" / config.tier
    finished = finished_runs(results)
    checked = checked_card(root) if card is None else None
    chosen, factor = checked or assumptions.card_named(card), assumptions.step_over_forward
    costs = StepCosts()
    times = RunTimes(plan.runs, finished, costs, chosen, factor)
    here = known_speed(root)
    core = RunTimes(
        plan.runs,
        {run: record for run, record in finished.items() if not record.on_gpu},
        costs,
        here.card if here else assumptions.core,
        factor,
    )
    volumes = DataVolumes(root, catalogue, config.data_mirrors, assumptions.png_share)
    done = {run: record.spec_sha256 for run, record in finished.items()}
    return Estimator(plan, times, core, volumes, done, finished_evaluations(results)).tables()


def total_of(estimates: Sequence[TableEstimate]) -> TableEstimate:
    """The sum over tables; nothing is counted twice."""
    hours: dict[str, float] = {}
    for item in estimates:
        for basis, value in item.hours.items():
            hours[basis] = hours.get(basis, 0.0) + value
    return TableEstimate(
        table="total",
        label="sum",
        runs=sum(item.new for item in estimates),
        new=sum(item.new for item in estimates),
        left=sum(item.left for item in estimates),
        hours=hours,
        core_hours=sum(item.core_hours for item in estimates),
        uncounted=tuple(run for item in estimates for run in item.uncounted),
        scores_left=sum(item.scores_left for item in estimates),
        download=sum((item.download for item in estimates), Volume()),
        disk=sum((item.disk for item in estimates), Volume()),
    )
