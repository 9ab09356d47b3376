"""What the panel of a cell says of its run: spec, hashes, versions, hardware, time, energy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.number_format import count_text, duration_text
from reports.page.origin import commit_text, machine_text, versions_text
from reports.provenance_files import evaluation_folder, read_provenance, run_folder
from reports.tables.result import EvaluationFacts, Row, TrainingFacts

NOT_REPORTED = "not reported"
TEXT, CODE, HASH = "text", "code", "hash"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a panel."""

    term: str
    kind: str
    """`text`, `code` or `hash`: how it is set."""
    value: str


def run_facts(results: Path, row: Row) -> list[Fact]:
    """Facts of the run behind a row, in the order of the panel.

    Args:
        results: `results/<tier>`.
        row: a row with a run.

    Raises:
        ProvenanceError: a provenance file is damaged.
    """
    assert row.run is not None
    evaluation = _provenance(evaluation_folder(results, row.run) / "provenance.json")
    behind = evaluation.get("training_run") or row.run
    training = _provenance(run_folder(results, behind) / "provenance.json")
    facts = [Fact("Run", CODE, row.run)]
    if row.evaluation:
        facts.append(Fact("Source", TEXT, row.evaluation.source.replace("_", " ")))
    if row.training:
        facts += _of_training(row.training, training)
    if row.evaluation:
        facts += _of_evaluation(row.evaluation, evaluation)
    facts += _hashes(row)
    return facts


def _provenance(path: Path) -> Mapping[str, Any]:
    return read_provenance(path) if path.is_file() else {}


def _of_training(facts: TrainingFacts, provenance: Mapping[str, Any]) -> Iterator[Fact]:
    steps = f"{count_text(facts.steps_done)} of {count_text(facts.steps_planned)}"
    if facts.batch:
        steps += f", batch {facts.batch}"
    if facts.patch:
        steps += f", patch {facts.patch} x {facts.patch}"
    if facts.balance:
        steps += f", {facts.balance}"
    yield Fact("Steps", TEXT, steps)
    yield Fact("Parameters", TEXT, count_text(facts.parameters))
    yield Fact("Training time", TEXT, duration_text(facts.wall_seconds))
    yield Fact("Energy of training", TEXT, _energy(provenance))
    yield from _machine("Training", provenance)


def _of_evaluation(facts: EvaluationFacts, provenance: Mapping[str, Any]) -> Iterator[Fact]:
    yield Fact("Evaluation time", TEXT, f"{duration_text(facts.wall_seconds)}, all test sets")
    if provenance.get("seconds_per_megapixel"):
        speed = f"{provenance['seconds_per_megapixel']:.2f} s per megapixel"
        yield Fact("Restoring", TEXT, speed)
    if facts.tiling:
        yield Fact("Tiles", CODE, facts.tiling)
    yield from _machine("Evaluation", provenance)


def _machine(job: str, provenance: Mapping[str, Any]) -> Iterator[Fact]:
    if not provenance:
        return
    device = provenance.get("device")
    hardware = machine_text(provenance) + (f"; on {device}" if device else "")
    yield Fact(f"{job} hardware", TEXT, hardware)
    yield Fact(f"{job} versions", TEXT, versions_text(provenance))
    yield Fact(f"{job} commit", CODE, commit_text(provenance))


def _energy(provenance: Mapping[str, Any]) -> str:
    """Energy that a GPU reported, in kilowatt hours; most machines report none."""
    joules = provenance.get("energy_joules")
    return NOT_REPORTED if joules is None else f"{joules / 3.6e6:.3g} kWh"


def _hashes(row: Row) -> Iterator[Fact]:
    if row.training:
        yield Fact("Training spec", HASH, row.training.spec_sha256)
        yield Fact("Source code", HASH, row.training.source_fingerprint)
    if row.evaluation:
        yield Fact("Evaluation spec", HASH, row.evaluation.spec_sha256)
        if row.evaluation.checkpoint_sha256:
            yield Fact("Checkpoint", HASH, row.evaluation.checkpoint_sha256)
