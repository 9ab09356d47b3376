"""Everything that one run left behind, read once per table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reports.evaluation_rows import Evaluation, ResultFileError, read_evaluation
from reports.provenance_files import (
    EvaluatedImages,
    evaluation_folder,
    evaluation_provenance,
    training_facts,
)
from reports.table_result import EvaluationFacts, TrainingFacts


@dataclass(frozen=True, slots=True)
class RunResults:
    """Values and facts of a run; what is missing is None and has a reason."""

    run: str
    evaluation: Evaluation | None
    missing: str = ""
    """Why there is no evaluation: the file that is not there."""
    invalid: str = ""
    """Why the evaluation cannot be used: what is wrong with the file."""
    facts: EvaluationFacts | None = None
    images: dict[str, EvaluatedImages] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    """Protocols that the evaluation was to use."""
    training: TrainingFacts | None = None


def read_run_results(results: Path, run: str) -> RunResults:
    """Read the evaluation and the training of `run` below `results` (`results/<tier>`).

    Raises:
        ProvenanceError: a provenance file is damaged.
    """
    path = evaluation_folder(results, run) / "per_image.csv"
    training = training_facts(results, run)
    try:
        evaluation = read_evaluation(path, run)
    except FileNotFoundError:
        return RunResults(run, None, missing=f"{path} is not there", training=training)
    except ResultFileError as error:
        return RunResults(run, None, invalid=str(error), training=training)
    facts = evaluation_provenance(results, run)
    if facts is None:
        reason = f"no provenance.json beside {path}; delete {path.parent} and run again"
        return RunResults(run, None, invalid=reason, training=training)
    return RunResults(
        run,
        evaluation,
        facts=facts.facts,
        images=facts.images,
        protocols=facts.protocols,
        training=training,
    )
