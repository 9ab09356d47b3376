"""The explanation of one cell, as sections of text."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.provenance import (
    Job,
    TrainingProvenance,
    evaluation_folder,
    evaluation_provenance,
    run_folder,
    training_provenance,
)
from ndr.specs.run_spec import TestSetSpec
from ndr.specs.typed_file import plain
from reports.analysis.origin import commit_text, machine_text, versions_text
from reports.explanation.cell_choice import COSTLY, Choice, PlannedJob, spec_lines
from reports.number_format import counted, difference_text, duration_text, metric_text, unit
from reports.tables.assembly import assemble_table
from workflows.suite import Suite
from workflows.targets import PlannedCell

Section = tuple[str, Iterable[str]]
"""A heading and its lines."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explains the cell of a choice.

    Attributes:
        suite: the plan.
        choice: the cell.
        jobs: what Snakemake would run for it (`planned_jobs`).
        root: the checkout.
        overrides: `key=value` for `--config` in the printed commands.
    """

    suite: Suite
    choice: Choice
    jobs: Sequence[PlannedJob]
    root: Path
    overrides: Sequence[str]

    @property
    def _results(self) -> Path:
        return self.root / self.suite.results

    @property
    def _runs(self) -> tuple[str, ...]:
        return self.choice.cell.row.runs

    def sections(self) -> Iterator[Section]:
        """All sections, in the order in which a reader asks."""
        yield "Number", self._numbers()
        if self.choice.others:
            settings = [f"--setting {cell.setting}" for cell in self.choice.others]
            yield "Also of this method and test set", settings
        for run in self._runs:
            yield f"Run {run}", self._run_lines(run)
        yield "Test set", self._test_set_lines()
        for run in self._runs:
            training = self.suite.plan.evaluations[run].training_run
            if training is not None:
                spec = self.suite.plan.runs[training]
                yield f"Training spec {spec.sha256()}", spec_lines(dataclasses.asdict(spec))
        yield "Redo", self._redo_lines()
        yield "The same by single commands, as Snakemake runs them", self._commands()

    def _commands(self) -> Iterator[str]:
        # Snakemake makes the folders of logs itself.
        folders = sorted({str(Path(job.log).parent) for job in self.jobs if job.log})
        if folders:
            yield shlex.join(["mkdir", "-p", *folders])
        yield from (job.command for job in self.jobs)

    def _numbers(self) -> Iterator[str]:
        cell = self.choice.cell
        found = measured_cell(cell, self._results)
        if found.status == t.NOT_RUN:
            yield self._still_to_do()
        yield from cell_numbers(cell, self._results)
        protocol = cell.row.protocol or cell.table.protocol
        paper = cell.column.paper_column
        number = f"the paper's number is of {paper}" if paper else "the paper has no such set"
        yield f"protocol {protocol}; {number}"

    def _still_to_do(self) -> str:
        left = [job for job in self.jobs if not job.finished(self.root)]
        counts = [
            counted(sum(job.rule == rule for job in left), noun)
            for rule, noun in (
                ("train_run", "training"),
                ("evaluate_run", "evaluation"),
                ("prepare_set", "set preparation"),
            )
        ]
        return f"not run yet: this would run {', '.join(counts)}"

    def _run_lines(self, run: str) -> Iterator[str]:
        spec = self.suite.plan.evaluations[run]
        path = evaluation_folder(self._results, run) / "per_image.csv"
        yield f"values: {self._relative(path)}"
        job = evaluation_provenance(self._results, run)
        if job is not None:
            yield f"source: {job.source.replace('_', ' ')}"
            checkpoint = job.checkpoint_sha256
            yield f"checkpoint: sha256 {checkpoint}" if checkpoint else "checkpoint: none"
            yield from _job_lines("evaluation", job)
            if job.evaluation_sha256 != spec.sha256():
                yield "evaluation: of another spec than the configuration's now; redo it"
        else:
            yield "evaluation: not run yet"
        if spec.training_run is None:
            yield "training: none"
            return
        checkpoint_file = run_folder(self._results, spec.training_run) / "checkpoint.safetensors"
        yield f"checkpoint file: {self._relative(checkpoint_file)}"
        training = training_provenance(self._results, spec.training_run)
        if training is not None:
            yield from self._training_lines(training, spec.training_run)
        else:
            yield "training: not run yet"

    def _training_lines(self, job: TrainingProvenance, run: str) -> Iterator[str]:
        steps = f"{job.steps_done} of {job.steps_planned} steps"
        yield f"training: {steps}, {job.parameters} parameters"
        yield from _job_lines("training", job)
        yield f"training: code fingerprint {job.source_fingerprint}"
        if job.source_fingerprint != self.suite.training_fingerprint(run):
            yield "training: the code has changed since; Snakemake will train again"
        if job.spec_sha256 != self.suite.plan.runs[run].sha256():
            yield "training: of another spec than the configuration's now; Snakemake will train it"

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _test_set_lines(self) -> Iterator[str]:
        cell = self.choice.cell
        if cell.row.run is None:
            return
        (spec,) = [
            test_set
            for test_set in self.suite.plan.evaluations[cell.row.run].test_sets
            if test_set.name == cell.column.test_set
        ]
        in_place = f", in place of {paper}" if (paper := cell.column.paper_column) else ""
        yield f"{spec.name} ({cell.column.label}){in_place}"
        yield from self._images(cell.row.run, spec)
        yield from _degradation_lines(spec)
        yield from self._prepared_lines(spec.set)

    def _images(self, run: str, spec: TestSetSpec) -> Iterator[str]:
        job = evaluation_provenance(self._results, run)
        if job is not None and spec.name in job.images:
            n, total = job.images[spec.name]
            yield f"images: {n} of {total}"
        elif spec.first_images is not None:
            yield f"images: at most the first {spec.first_images} of the set"

    def _prepared_lines(self, name: str) -> Iterator[str]:
        identity = self.suite.set_identity(name)
        yield f"prepared set: data/sets/{name}/manifest.csv, identity {identity}"
        for source in [name, *reversed(self.suite.catalogue.sources(name))]:
            entry = self.suite.catalogue.entry(source)
            content = plain(entry)
            wanted = ("kind", "from", "degradation", "variants", "parameters", "title", "licence")
            facts = {key: content[key] for key in wanted if content.get(key)}
            yield from spec_lines(facts, f"{source}.")

    def _redo_lines(self) -> Iterator[str]:
        name, results = self.choice.cell.name, self.suite.results
        config = ["--config", *self.overrides] if self.overrides else []
        whole = ["snakemake", "--cores", "all"]

        def anew(target: str, *rules: str) -> str:
            return f"  {shlex.join([*whole, '--forcerun', *rules, *config, '--', target])}"

        yield "all of it, from what is there:"
        yield f"  {shlex.join([*whole, name, *config])}"
        yield "all of it anew:"
        yield anew(name, *COSTLY)
        for run in self._runs:
            training = self.suite.plan.evaluations[run].training_run
            if training is not None:
                yield "the training alone, anew:"
                yield anew(f"{results}/runs/{training}/checkpoint.safetensors", "train_run")
            yield "the evaluation alone, anew:"
            yield anew(f"{results}/evaluations/{run}/per_image.csv", "evaluate_run")


def measured_cell(cell: PlannedCell, results: Path) -> t.Cell:
    """A planned cell with its numbers, from the files below `results` (`results/<tier>`)."""
    table = assemble_table(dataclasses.replace(cell.table, rows=(cell.row,)), results)
    (column,) = [c.key for c in table.columns if c.test_set == cell.column.test_set]
    (found,) = [
        found
        for block in table.blocks
        for row in block.rows
        if row.kind != t.DEGRADED_INPUT
        for found in row.cells
        if found.column == column
    ]
    return found


def cell_numbers(cell: PlannedCell, results: Path) -> Iterator[str]:
    """A line per metric of a cell, with its interval and the paper's number; or why there is none.

    Args:
        cell: as it is planned.
        results: `results/<tier>`.
    """
    found = measured_cell(cell, results)
    measured = found.status in t.MEASURED
    if not measured:
        yield f"{found.status}: {found.reason}" if found.reason else found.status
    for shown in found.shown:
        yield _shown_line(shown, found) if measured else f"{shown.metric}: {_paper_text(shown)}"


def _shown_line(shown: t.Shown, cell: t.Cell) -> str:
    value = metric_text(shown.metric, shown.value, shown.infinite)
    parts = [f"{shown.metric} {value}{unit(shown.metric)}"]
    if shown.interval:
        low, high = (metric_text(shown.metric, end) for end in shown.interval)
        parts.append(f"95 % interval {low} to {high}")
    else:
        parts.append("no interval (fewer than two scenes)")
    parts.append(f"mean of {cell.n} of {cell.n_total} images")
    if shown.seeds > 1:
        parts.append(f"{shown.seeds} seeds")
    parts.append(_paper_text(shown))
    if shown.degraded_input is not None:
        parts.append(f"degraded input: {metric_text(shown.metric, shown.degraded_input)}")
    return "; ".join(parts)


def _paper_text(shown: t.Shown) -> str:
    if shown.paper is None:
        return "the paper prints no number here"
    if shown.difference is None:
        return f"the paper: {shown.paper_text}"
    return f"the paper: {shown.paper_text} ({difference_text(shown.metric, shown.difference)})"


def _job_lines(kind: str, job: Job) -> Iterator[str]:
    yield f"{kind}: took {duration_text(job.wall_seconds)}, ended {job.ended.isoformat()}"
    yield f"{kind}: on {machine_text(job)}"
    yield f"{kind}: with {versions_text(job)}"
    yield f"{kind}: commit {commit_text(job)}"


def _degradation_lines(spec: TestSetSpec) -> Iterator[str]:
    if spec.noise is not None:
        sigmas = ", ".join(f"{sigma:g}" for sigma in spec.noise.sigmas)
        yield (
            f"noise, added on reading: sigma {sigmas}, {spec.noise.variant}, "
            f"seeded by {spec.noise.seeding.replace('_', ' ')}"
        )
    if spec.crop is not None:
        yield f"crop: the central {spec.crop} x {spec.crop} pixels"
    if spec.parameter is not None:
        yield f"only images with {spec.parameter} = {', '.join(map(str, spec.parameter_values))}"


def as_text(heading: str, sections: Iterable[Section]) -> str:
    """The sections under a heading, indented."""
    lines = [heading]
    for title, content in sections:
        lines += ["", title, *(f"  {line}" for line in content)]
    return "\n".join(lines)
