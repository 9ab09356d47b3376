"""Reads what trainings and evaluations wrote beside their results: provenance and spec."""

from __future__ import annotations

import datetime
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.tables.result import EvaluationFacts, TrainingFacts

MAX_HEADER_BYTES = 100 * 2**20


class ProvenanceError(ValueError):
    """A provenance file that is damaged or lacks a key."""


def run_folder(results: Path, run: str) -> Path:
    """Folder of a training: checkpoint, curve and provenance."""
    return results / "runs" / run


def evaluation_folder(results: Path, run: str) -> Path:
    """Folder of an evaluation: per-image values, provenance and pictures."""
    return results / "evaluations" / run


def read_provenance(path: Path) -> dict[str, Any]:
    """One provenance file.

    Raises:
        FileNotFoundError: no such file.
        ProvenanceError: not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ProvenanceError(f"{path}: {error}; delete {path.parent} and run again") from error
    if not isinstance(content, dict):
        raise ProvenanceError(f"{path}: expected a JSON object; delete {path.parent} and run again")
    return content


def _demand(content: Mapping[str, Any], key: str, path: Path) -> Any:
    if key not in content:
        raise ProvenanceError(f"{path}: no key {key!r}; delete {path.parent} and run again")
    return content[key]


def checkpoint_spec(checkpoint: Path) -> dict[str, Any]:
    """The run spec inside a checkpoint's safetensors header; empty where there is no checkpoint.

    The header is 8 bytes of length (little-endian) and JSON; no weight is read.

    Raises:
        ProvenanceError: the file is no safetensors file.
    """
    if not checkpoint.is_file():
        return {}
    try:
        with checkpoint.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER_BYTES:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
        spec = json.loads(header["__metadata__"]["ndr"])["spec"]
        return json.loads(spec) if isinstance(spec, str) else spec
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ProvenanceError(
            f"{checkpoint} is not a checkpoint of this suite ({error}); delete it and run again"
        ) from error


def training_facts(results: Path, run: str) -> TrainingFacts | None:
    """Facts of the training of `run`; None where no provenance file is there."""
    folder = run_folder(results, run)
    path = folder / "provenance.json"
    if not path.is_file():
        return None
    content = read_provenance(path)
    spec = checkpoint_spec(folder / "checkpoint.safetensors")
    recipe = spec.get("recipe", {})
    return TrainingFacts(
        spec_sha256=_demand(content, "spec_sha256", path),
        source_fingerprint=_demand(content, "source_fingerprint", path),
        steps_done=_demand(content, "steps_done", path),
        steps_planned=_demand(content, "steps_planned", path),
        wall_seconds=_demand(content, "wall_seconds", path),
        parameters=content.get("parameters"),
        balance=spec.get("setting", {}).get("balance"),
        batch=recipe.get("batch"),
        patch=recipe.get("patch"),
    )


@dataclass(frozen=True, slots=True)
class EvaluatedImages:
    """How many images of a test set were evaluated."""

    n: int
    n_total: int


@dataclass(frozen=True, slots=True)
class EvaluationProvenance:
    """What the report takes from the provenance of an evaluation."""

    facts: EvaluationFacts
    images: dict[str, EvaluatedImages]
    """By test set."""
    protocols: tuple[str, ...]
    protocol_versions: dict[str, int]
    """By protocol; results from before versions were recorded are of version 1."""
    training_run: str | None
    """Id of the training whose checkpoint was evaluated."""
    failures: dict[str, str]
    """Test sets that could not be evaluated, with the reason."""
    unavailable: dict[str, str]
    """Metrics that could not be computed, with the reason."""


def evaluation_provenance(results: Path, run: str) -> EvaluationProvenance | None:
    """Provenance of the evaluation of `run`; None where no file is there.

    Raises:
        ProvenanceError: the file is damaged or lacks a key.
    """
    path = evaluation_folder(results, run) / "provenance.json"
    if not path.is_file():
        return None
    content = read_provenance(path)
    tiling = content.get("tiling")
    facts = EvaluationFacts(
        source=_demand(content, "source", path),
        spec_sha256=_demand(content, "evaluation_sha256", path),
        training_sha256=_demand(content, "training_sha256", path),
        checkpoint_sha256=_demand(content, "checkpoint_sha256", path),
        wall_seconds=_demand(content, "wall_seconds", path),
        parameters=content.get("parameters"),
        tiling="" if tiling is None else json.dumps(tiling, sort_keys=True),
    )
    images = {
        test_set: EvaluatedImages(*counts)
        for test_set, counts in _demand(content, "images", path).items()
    }
    return EvaluationProvenance(
        facts,
        images,
        tuple(_demand(content, "protocols", path)),
        content.get("protocol_versions", {}),
        _demand(content, "training_run", path),
        content.get("failures", {}),
        content.get("unavailable_metrics", {}),
    )


def finished_at(provenance: Mapping[str, Any]) -> datetime.datetime | None:
    """When the job of a provenance file ended; None where it does not say."""
    try:
        started = datetime.datetime.fromisoformat(provenance["started"])
        return started + datetime.timedelta(seconds=provenance["wall_seconds"])
    except (KeyError, TypeError, ValueError):
        return None
