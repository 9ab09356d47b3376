"""Everything that one run left behind, read once per table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.per_image import Evaluation, read_evaluation
from ndr.records.provenance import (
    EvaluationProvenance,
    evaluation_folder,
    evaluation_provenance,
    run_folder,
    training_provenance,
)
from ndr.records.record import ResultFileError
from ndr.records.table_result import EvaluationFacts, TrainingFacts
from ndr.results import check_protocol_versions
from ndr.specs.typed_file import plain


@dataclass(frozen=True, slots=True)
class RunResults:
    """Values and facts of a run; what is missing is None and has a reason."""

    run: str
    evaluation: Evaluation | None
    missing: str = ""
    """Why there is no evaluation: the file that is not there."""
    invalid: str = ""
    """Why the evaluation cannot be used: what is wrong with the file."""
    provenance: EvaluationProvenance | None = None
    """Of the evaluation; None where there is none that can be used."""
    training: TrainingFacts | None = None

    @property
    def failures(self) -> Mapping[str, str]:
        """Test sets that could not be evaluated, with the reason."""
        return self.provenance.failures if self.provenance else {}

    @property
    def unavailable(self) -> Mapping[str, str]:
        """Metrics that could not be computed on this machine, with the reason."""
        return self.provenance.unavailable_metrics if self.provenance else {}

    @property
    def facts(self) -> EvaluationFacts | None:
        """What a table keeps of the evaluation."""
        job = self.provenance
        if job is None:
            return None
        return EvaluationFacts(
            source=job.source,
            spec_sha256=job.evaluation_sha256,
            training_sha256=job.training_sha256,
            checkpoint_sha256=job.checkpoint_sha256,
            wall_seconds=job.wall_seconds,
            parameters=job.parameters,
            tiling=json.dumps(plain(job.tiling), sort_keys=True) if job.tiling else "",
        )


def _training_facts(results: Path, run: str) -> TrainingFacts | None:
    """What a table keeps of the training of `run`; None where no provenance file is there."""
    job = training_provenance(results, run)
    if job is None:
        return None
    header = CheckpointHeader.read_if_there(run_folder(results, run) / "checkpoint.safetensors")
    spec = header and header.spec
    return TrainingFacts(
        spec_sha256=job.spec_sha256,
        source_fingerprint=job.source_fingerprint,
        steps_done=job.steps_done,
        steps_planned=job.steps_planned,
        wall_seconds=job.wall_seconds,
        parameters=job.parameters,
        balance=spec.setting.balance if spec else None,
        batch=spec.recipe.batch if spec else None,
        patch=spec.recipe.patch if spec else None,
    )


def read_run_results(results: Path, run: str) -> RunResults:
    """Read the evaluation and the training of `run` below `results` (`results/<tier>`).

    A damaged file costs the numbers of its run alone: `invalid` says which file it is.
    """
    path = evaluation_folder(results, run) / "per_image.csv"
    training = None
    try:
        job = evaluation_provenance(results, run)
        training = _training_facts(results, (job and job.training_run) or run)
        evaluation = read_evaluation(path, run, may_be_empty=bool(job and job.failures))
    except FileNotFoundError:
        return RunResults(run, None, missing=f"{path} is not there", training=training)
    except ResultFileError as error:
        return RunResults(run, None, invalid=str(error), training=training)
    if job is None:
        reason = f"no provenance.json beside {path}; delete {path.parent} and run again"
        return RunResults(run, None, invalid=reason, training=training)
    check_protocol_versions(evaluation, job)
    return RunResults(run, evaluation, provenance=job, training=training)
