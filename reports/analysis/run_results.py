"""Everything that one run left behind, read once per table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ndr.metrics.protocol import PROTOCOLS, protocol_versions
from ndr.records.per_image import Evaluation, ResultFileError, read_evaluation
from ndr.records.provenance import (
    EvaluatedImages,
    EvaluationProvenance,
    evaluation_folder,
    evaluation_provenance,
    training_facts,
)
from ndr.records.table_result import EvaluationFacts, TrainingFacts

FIRST_VERSION = 1
"""Version of protocols in provenance files from before versions were recorded."""


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
    failures: dict[str, str] = field(default_factory=dict)
    """Test sets that could not be evaluated, with the reason."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Metrics that could not be computed on this machine, with the reason."""


def _check_versions(evaluation: Evaluation, provenance: EvaluationProvenance) -> None:
    """Refuse the numbers of protocols whose arithmetic is another one today."""
    for name, version in protocol_versions(PROTOCOLS).items():
        found = provenance.protocol_versions.get(name, FIRST_VERSION)
        if found != version:
            evaluation.refuse_protocol(
                name,
                f"expected version {version} of protocol {name!r}, found {found}; delete "
                f"{evaluation.path.parent} and run again",
            )


def read_run_results(results: Path, run: str) -> RunResults:
    """Read the evaluation and the training of `run` below `results` (`results/<tier>`).

    Raises:
        ProvenanceError: a provenance file is damaged.
    """
    path = evaluation_folder(results, run) / "per_image.csv"
    facts = evaluation_provenance(results, run)
    behind = run if facts is None or facts.training_run is None else facts.training_run
    training = training_facts(results, behind)
    try:
        evaluation = read_evaluation(path, run, may_be_empty=bool(facts and facts.failures))
    except FileNotFoundError:
        return RunResults(run, None, missing=f"{path} is not there", training=training)
    except ResultFileError as error:
        return RunResults(run, None, invalid=str(error), training=training)
    if facts is None:
        reason = f"no provenance.json beside {path}; delete {path.parent} and run again"
        return RunResults(run, None, invalid=reason, training=training)
    _check_versions(evaluation, facts)
    return RunResults(
        run,
        evaluation,
        facts=facts.facts,
        images=facts.images,
        protocols=facts.protocols,
        training=training,
        failures=facts.failures,
        unavailable=facts.unavailable,
    )
