"""Which method with which weights: a run of the suite, its authors' checkpoint, or none at all."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ndr.checkpoint import check_shapes, read_shapes
from ndr.evaluation.loaded_method import LoadedMethod, load_method, ready
from ndr.method import TIERS, CheckpointError
from ndr.nearest_name import unknown_name
from ndr.published_weights import short
from ndr.records.checkpoint_header import CheckpointHeader
from ndr.records.downloads import FetchedWeights
from ndr.records.provenance import ROOT, file_sha256
from ndr.records.record import ResultFileError
from ndr.records.shipped_weights import ShippedHeader
from ndr.registry import fitting_arguments, method_arguments, method_class, official_state
from ndr.shipped_weights import PHOTOGRAPHS, ShippedWeights, ShippedWeightsError, may_lack, unpacked
from ndr.specs.run_spec import EvaluationSpec

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"
SHIPPED = ROOT / "weights"
"""The networks that the suite has trained."""
OWN_METHOD = "ndr_restore"
"""Whose checkpoint is meant where no method is named."""
SHORT_TIER = "smoke"
"""Its trainings take seconds."""
OFFICIAL = "official"
"""In place of a file: the checkpoint that the method's authors publish."""
MOST_ARGUMENT = 1024
"""Number in a spec that is taken for sound however small the network is."""


@dataclass(frozen=True, slots=True)
class WeightRequest:
    """What the command line says of the weights."""

    weights: str | None
    """A checkpoint, a run's folder, a run's id, the record of `ndr.fetch_weights`, or `OFFICIAL`,
    with ":" and a name where a method's authors publish several."""
    method: str | None = None
    """Needed for authors' checkpoints and for methods without weights."""
    tier: str | None = None
    """Where to look for a run's id; None: in all tiers."""
    results: Path = Path("results")
    preset: str | None = None
    """Sizes of the network of an authors' checkpoint; None: as published."""
    mirrors: tuple[str, ...] = ()
    """Folders or addresses where authors' checkpoints are looked for first."""
    downloads: Path = Path("data/weights")
    """Where fetched checkpoints of authors are kept."""


def load_requested(request: WeightRequest, device: torch.device) -> tuple[LoadedMethod, str]:
    """Create the method and load its weights.

    Returns:
        The method in evaluation mode on `device`, and one line that says what it is.

    Raises:
        CheckpointError: weights are missing, not wanted, damaged, or of another network.
        UnknownNameError: no such method or run, with the nearest names.
        FileNotFoundError: no such file.
    """
    if request.weights is None:
        if request.method is None:
            return _shipped(_for_photographs(), device)
        return _without_weights(request, device)
    if request.weights.partition(":")[0] == OFFICIAL:
        return _of_authors(*_published(request), request.preset, device)
    path = found_weights(request)
    name, file, problem = request.method, path, ""
    if path.suffix == ".json":
        try:
            record = FetchedWeights.read(path)
        except ResultFileError as error:
            raise CheckpointError(str(error)) from error
        if record.file is None:
            raise CheckpointError(f"{path}: the weights were not fetched: {record.reason}")
        name, file = name or record.method, Path(record.file)
    elif path.suffix == ".safetensors":
        try:
            return _of_run(request, path, CheckpointHeader.read(path), device)
        except ResultFileError as error:
            problem = f" ({error.__cause__})"
        # Authors publish safetensors files too.
        with contextlib.suppress(ResultFileError):
            header = ShippedHeader.read(path)
            spec = header.spec
            _check_network(spec.method, spec.arguments, path, "weights.", may_lack(header))
            return _shipped(path, device)
    if name is None:
        raise CheckpointError(
            f"{path}: damaged, or no checkpoint of a run of this suite{problem}; if it is the "
            "authors' checkpoint of a method, name the method with --method"
        )
    return _of_authors(name, file, request.preset, device)


def _published(request: WeightRequest) -> tuple[str, Path]:
    """The method and the checkpoint of its authors, fetched where it is not there yet."""
    from ndr.data.fetch.transfer import Waits
    from ndr.fetch_weights import fetched, official_weights

    assert request.weights is not None
    name, wanted = request.method or OWN_METHOD, request.weights.partition(":")[2]
    known = [weights.name for weights in method_class(name).info.official_weights]
    if not known:
        raise CheckpointError(f"{name}: no checkpoint of its authors is known; give a file")
    if not wanted and len(known) > 1:
        forms = ", ".join(f"--weights {OFFICIAL}:{each}" for each in known)
        raise CheckpointError(
            f"{name}: its authors publish several checkpoints; say which: {forms}"
        )
    weights = official_weights(name, wanted or known[0])
    logger.info("checkpoint %s of %s, licence: %s", weights.name, name, weights.licence)
    answer = fetched(name, weights, request.downloads, request.mirrors, Waits())
    if answer.file is None:
        raise CheckpointError(answer.reason)
    return name, Path(answer.file)


def found_weights(request: WeightRequest) -> Path:
    """The file that `request.weights` means.

    Raises:
        FileNotFoundError: a path that does not exist.
        UnknownNameError: a run's id that no tier has, with the nearest names.
        CheckpointError: several tiers have the run.
    """
    assert request.weights is not None
    path = Path(request.weights)
    if path.is_dir():
        path = path / CHECKPOINT
    if path.is_file():
        return path
    if path.name != request.weights or "__" not in request.weights:
        raise FileNotFoundError(f"{path}: no such file of weights")
    tiers: Sequence[str] = TIERS if request.tier is None else (request.tier,)
    runs = {
        (tier, file.parent.name): file
        for tier in tiers
        for file in sorted((request.results / tier / "runs").glob(f"*/{CHECKPOINT}"))
    }
    found = [file for (_, run), file in runs.items() if run == request.weights]
    if not found:
        place = f"run in {request.results}/{request.tier or '<tier>'}/runs"
        raise unknown_name(place, request.weights, {run for _, run in runs})
    if len(found) > 1:
        places = ", ".join(str(file.parent) for file in found)
        raise CheckpointError(f"{request.weights}: found in {places}; choose with --tier")
    return found[0]


def _of_run(
    request: WeightRequest, path: Path, header: CheckpointHeader, device: torch.device
) -> tuple[LoadedMethod, str]:
    spec = header.spec
    if request.method not in (None, spec.method):
        raise CheckpointError(
            f"{path} is of {spec.method}, but --method says {request.method}; leave it out"
        )
    _check_network(spec.method, spec.arguments, path)
    evaluation = _spec(spec.method, spec.arguments, spec.tier, header.run, header.spec_sha256)
    loaded = load_method(evaluation, checkpoint=path, device=device)
    trained = f"{header.steps_done} of {spec.recipe.steps} steps"
    if header.steps_done < spec.recipe.steps or spec.tier == SHORT_TIER:
        logger.warning(
            "%s was trained for %s at the tier %s only: photographs may come out worse than they "
            "went in; use weights of a long training",
            *(header.run, trained, spec.tier),
        )
    return loaded, f"run {header.run} of tier {spec.tier}"


def _check_network(
    name: str,
    arguments: Mapping[str, Any],
    path: Path,
    prefix: str = "",
    absent: Collection[str] = (),
) -> None:
    """Raise unless a file has, below `prefix`, the weights of the network that its spec describes.

    Nothing is made before: a spec may ask for gigabytes, or for millions of layers.
    """
    cls = method_class(name)
    shapes = {
        key.removeprefix(prefix): shape
        for key, shape in read_shapes(path).items()
        if key.startswith(prefix)
    }
    weights = sum(math.prod(shape) for shape in shapes.values())
    if _largest(arguments) > max(weights, MOST_ARGUMENT):
        raise CheckpointError(f"{path}: its spec asks for a larger network than its weights are of")
    try:
        with torch.device("meta"):
            method = cls(**arguments)
    except Exception as error:  # whatever a constructor raises for values of any kind
        raise CheckpointError(
            f"{path}: its spec describes no network of {name} ({short(error)}); delete it and run "
            "again"
        ) from error
    check_shapes(method, shapes, str(path), absent)


def _largest(value: Any) -> float:
    if isinstance(value, (int, float)):
        return abs(value)
    items = value.values() if isinstance(value, Mapping) else value
    return max(map(_largest, items), default=0) if isinstance(value, (Mapping, list, tuple)) else 0


def _of_authors(
    name: str, path: Path, preset: str | None, device: torch.device
) -> tuple[LoadedMethod, str]:
    cls = method_class(name)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of weights")
    if not cls.info.trainable:
        raise CheckpointError(f"{name} is not trained and takes no weights; leave {path} out")
    known = next((w for w in cls.info.official_weights if w.sha256 == file_sha256(path)), None)
    if known is not None and preset is None:
        sizes, arguments = known.preset, method_arguments(name, known.preset, known.changes)
    else:
        state = official_state(cls, path)
        sizes, arguments = fitting_arguments(name, state, str(path), preset)
    evaluation = _spec(name, arguments, sizes, path.name, None)
    loaded = load_method(evaluation, official_weights=path, device=device)
    words = "published weights" if loaded.official_weights else "weights (not a published file)"
    return loaded, f"{cls.info.paper_label} with {words} {loaded.official_weights or path.name}"


def _for_photographs() -> Path:
    """The shipped network that restores photographs where none is named."""
    shipped = ShippedWeights.of(SHIPPED)
    by_run = {entry.run: entry for entry in shipped.files.values()}
    entry = next((by_run[run] for run in PHOTOGRAPHS if run in by_run), None)
    if entry is None:
        raise CheckpointError(
            f"{SHIPPED} holds no network for photographs: give --weights (a run's checkpoint or "
            "id), or --method for one that is not trained"
        )
    if problem := shipped.problem(entry):
        raise CheckpointError(problem)
    return shipped.folder / entry.file


def _shipped(path: Path, device: torch.device) -> tuple[LoadedMethod, str]:
    try:
        method, _, header = unpacked(path)
    except ShippedWeightsError as error:
        raise CheckpointError(str(error)) from error
    loaded = LoadedMethod(ready(method, device), "shipped", file_sha256(path))
    steps = header.training.steps_done
    return loaded, f"run {header.spec.run}, which this suite trained for {steps} steps and ships"


def _without_weights(request: WeightRequest, device: torch.device) -> tuple[LoadedMethod, str]:
    assert request.method is not None
    cls = method_class(request.method)
    if cls.info.trainable:
        raise CheckpointError(
            f"{request.method} has weights to load: give --weights, the checkpoint of a run or the "
            "file that its authors publish"
        )
    arguments = method_arguments(request.method, request.preset or "paper", {})
    evaluation = _spec(request.method, arguments, "paper", request.method, None)
    loaded = load_method(evaluation, device=device)
    return loaded, f"{cls.info.paper_label}, which is not trained"


def _spec(
    method: str, arguments: dict[str, Any], tier: str, run: str, training_sha256: str | None
) -> EvaluationSpec:
    """The spec that `load_method` wants; nothing is evaluated here."""
    return EvaluationSpec(
        tier=tier,
        run=run,
        method=method,
        arguments=arguments,
        training_sha256=training_sha256,
        test_sets=(),
        protocols=(),
        suite_seed=0,
    )
