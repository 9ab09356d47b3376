"""The networks that the suite has trained and ships: packed for git, and taken from there.

A file `weights/<run>.safetensors` holds one training: its weights in half precision, and, as
metadata, its spec, curve and circumstances. Parts that only training needs (`Method.training_only`)
and the snapshots of D are left out, unless figures ask for them. It is known by what was trained,
not by the code that trained it: `shipped_key`. `python -m ndr.shipped_weights` turns it back into
the files that a training leaves.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import logging
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ndr.atomic_file import atomic_path, write_text
from ndr.model_cards import OVERVIEW, card, core_seconds, overview
from ndr.records.provenance import TrainingProvenance, file_sha256
from ndr.records.record import ResultFileError
from ndr.records.shipped_weights import METADATA_KEY, ShippedFile, ShippedHeader, ShippedIndex
from ndr.registry import method_class
from ndr.specs.run_spec import RunSpec, run_parts
from ndr.specs.typed_file import SpecError, canonical_json, plain

if TYPE_CHECKING:
    from torch import Tensor

    from ndr.method import Method

log = logging.getLogger("ndr.shipped_weights")

INDEX = "index.json"
PHOTOGRAPHS = ("ndr_restore__photographs__seed_0", "ndr_restore__noise_rain_haze__seed_0")
"""Runs that restore photographs if none is named, the best first."""
_WEIGHTS, _SNAPSHOTS = "weights.", "snapshots."


class ShippedWeightsError(ValueError):
    """Shipped weights that are missing, damaged or of another run; the message says which."""


def shipped_key(spec: RunSpec) -> str:
    """What identifies a training across versions of the suite, 64 hexadecimal digits.

    It is the spec without constructor arguments at their default, so that an argument that a
    method gets later leaves its shipped networks known, and without `changes`, which repeat some.
    """
    content = plain(spec)
    parameters = inspect.signature(method_class(spec.method)).parameters
    content["arguments"] = {
        name: value
        for name, value in content["arguments"].items()
        if name not in parameters or value != plain(parameters[name].default)
    }
    del content["changes"]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ShippedWeights:
    """The shipped runs of one folder, by key."""

    folder: Path
    files: Mapping[str, ShippedFile]

    @classmethod
    def of(cls, folder: Path) -> ShippedWeights:
        """Read the index; a folder without one ships nothing.

        Raises:
            ResultFileError: the index is damaged.
        """
        index = ShippedIndex.read_if_there(folder / INDEX)
        return cls(folder, {} if index is None else {each.key: each for each in index.runs})

    def find(self, spec: RunSpec) -> ShippedFile | None:
        """The entry of a training; None where it is not shipped."""
        return self.files.get(shipped_key(spec))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all shipped runs, in order."""
        return tuple(sorted({run_parts(entry.run).seed for entry in self.files.values()}))

    def step_seconds(self, method: str) -> float | None:
        """Mean seconds of a step of a method's shipped runs; None where it has none."""
        seconds = [e.seconds_per_step for e in self.files.values() if e.method == method]
        return statistics.fmean(seconds) if seconds else None

    def problem(self, entry: ShippedFile) -> str:
        """What is wrong with an entry's file, in a few words; empty where it is as it was."""
        path = self.folder / entry.file
        if not path.is_file():
            return f"{path} is missing; take it from git again"
        if file_sha256(path) != entry.sha256:
            return f"{path} is damaged (its hash is not that of the index); take it from git again"
        return ""


def pack(
    run: Path,
    target: Path,
    validation: Mapping[str, float],
    degraded_input: Mapping[str, float],
    *,
    whole: bool = False,
) -> ShippedFile:
    """Write the shipped form of a finished training, its card, and its entry of the index.

    Args:
        run: the training's folder (checkpoint, curve, representation, provenance).
        target: the folder of shipped weights.
        validation: PSNR on validation images, in dB.
        degraded_input: the same of the degraded images.
        whole: with what restores nothing and figures ask for: NDR-Degrad, snapshots of D.

    Raises:
        FileNotFoundError, CheckpointError, ResultFileError: the training is not complete.
        ShippedWeightsError: a weight is not finite.
    """
    from safetensors.torch import load_file, save

    from ndr.checkpoint import is_part, read_checkpoint

    state, header = read_checkpoint(run / "checkpoint.safetensors")
    if infinite := [name for name, value in state.items() if not value.isfinite().all()]:
        raise ShippedWeightsError(f"{run}: {infinite[0]} is not finite; the training diverged")
    cls = method_class(header.spec.method)
    computed = _computed(cls(**header.spec.arguments), state)
    left_out = {*computed, *(() if whole else cls.training_only)}
    halves = {
        _WEIGHTS + key: _halved(value) for key, value in state.items() if not is_part(key, left_out)
    }
    if whole:
        snapshots = load_file(run / "representation.safetensors")
        halves |= {_SNAPSHOTS + name: _halved(value) for name, value in snapshots.items()}
    shipped = ShippedHeader(
        key=shipped_key(header.spec),
        spec=header.spec,
        training=TrainingProvenance.read(run / "provenance.json"),
        curve=(run / "curve.csv").read_text(encoding="utf-8"),
        # In the order that the file gives them back in: its card is the same when written again.
        validation={name: round(value, 4) for name, value in sorted(validation.items())},
        validation_gain={
            name: round(value - degraded_input[name], 4)
            for name, value in sorted(validation.items())
        },
        computed=computed,
    )
    file = target / f"{header.run}.safetensors"
    content = save(halves, metadata={METADATA_KEY: canonical_json(shipped.content())})
    with atomic_path(file) as temporary:
        temporary.write_bytes(content)
    write_text(file.with_suffix(".md"), card(shipped, len(content)))
    entry = ShippedFile(
        run=header.run,
        key=shipped.key,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        method=header.spec.method,
        seconds_per_step=round(core_seconds(shipped.training), 4),
    )
    _add_entry(target, entry)
    return entry


def _add_entry(folder: Path, entry: ShippedFile) -> None:
    """To the index, in place of one of the same run or key, and to the overview of all cards."""
    known = ShippedWeights.of(folder).files.values()
    others = [each for each in known if each.run != entry.run and each.key != entry.key]
    runs = tuple(sorted([*others, entry], key=lambda each: each.run))
    ShippedIndex(runs=runs).write(folder / INDEX)
    headers = []
    for each in runs:
        try:
            headers.append(ShippedHeader.read(folder / each.file))
        except (FileNotFoundError, ResultFileError) as error:
            # Another run's file: what was just packed is not lost for it.
            log.warning("%s; it is left out of %s", error, folder / OVERVIEW)
    write_text(folder / OVERVIEW, overview(headers))


def take_over(entry: ShippedFile, source: ShippedWeights, target: Path) -> ShippedHeader:
    """Copy one run from another folder of shipped weights, as of another machine.

    Args:
        entry: of the index of `source`.
        source: the other folder.
        target: this one; an entry of the same run or key is replaced.

    Raises:
        ShippedWeightsError: the file is missing, damaged, or of another run than the index says.
    """
    if problem := source.problem(entry):
        raise ShippedWeightsError(problem)
    path = source.folder / entry.file
    _, _, header = unpacked(path)
    _check_run(entry, header, path)
    with atomic_path(target / entry.file) as temporary:
        shutil.copyfile(path, temporary)
    write_text((target / entry.file).with_suffix(".md"), card(header, entry.bytes))
    _add_entry(target, entry)
    return header


def _check_run(entry: ShippedFile, header: ShippedHeader, path: Path) -> None:
    if header.key != entry.key or shipped_key(header.spec) != entry.key:
        raise ShippedWeightsError(
            f"{path} is of another run ({header.spec.run}) than the index says"
        )


def _computed(fresh: Method, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of the buffers that are those of a network as it is made, such as masks of windows."""
    return tuple(
        sorted(
            name
            for name, value in fresh.named_buffers()
            if name in state and state[name].equal(value)
        )
    )


def _halved(value: Tensor) -> Tensor:
    """In half precision where that holds its numbers; variances of features can be beyond it."""
    half = value.half() if value.is_floating_point() else value
    return half if half.isfinite().all() else value


def may_lack(header: ShippedHeader) -> set[str]:
    """Children and weights of the network that need not be in its shipped file."""
    return {*method_class(header.spec.method).training_only, *header.computed}


def unpacked(path: Path) -> tuple[Method, dict[str, Tensor], ShippedHeader]:
    """The network of a shipped file in single precision, the snapshots of D, and the metadata.

    Parts that only training needs hold zeros where the file lacks them, and buffers that the
    network computes what it computes.

    Raises:
        FileNotFoundError: no such file.
        ShippedWeightsError: damaged, no shipped file, or of a network of another shape.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ndr.checkpoint import is_part, load_strictly
    from ndr.method import CheckpointError

    try:
        header = ShippedHeader.read(path)
        tensors = load_file(path)
    except (ResultFileError, SafetensorError) as error:
        raise ShippedWeightsError(f"{path}: {error}") from error
    method = method_class(header.spec.method)(**header.spec.arguments)
    parts: dict[str, dict[str, Tensor]] = {_WEIGHTS: {}, _SNAPSHOTS: {}}
    for name, value in tensors.items():
        prefix = _WEIGHTS if name.startswith(_WEIGHTS) else _SNAPSHOTS
        whole = value.float() if value.is_floating_point() else value
        parts[prefix][name.removeprefix(prefix)] = whole
    absent = {
        key: torch.zeros_like(value) if is_part(key, method.training_only) else value
        for key, value in method.state_dict().items()
        if is_part(key, may_lack(header))
    }
    try:
        load_strictly(method, {**absent, **parts[_WEIGHTS]}, str(path))
    except CheckpointError as error:
        raise ShippedWeightsError(str(error)) from error
    return method, parts[_SNAPSHOTS], header


def take(spec: RunSpec, folder: Path, results: Mapping[str, Path]) -> ShippedHeader:
    """Write what a training leaves from its shipped form.

    Args:
        spec: the training.
        folder: of the shipped weights.
        results: final names of `checkpoint`, `curve`, `representation`, `provenance`.

    Raises:
        ShippedWeightsError: not shipped, missing, damaged, or of another run.
    """
    from safetensors.torch import save

    from ndr.checkpoint import write_checkpoint
    from ndr.records.checkpoint_header import CheckpointHeader

    shipped = ShippedWeights.of(folder)
    entry = shipped.find(spec)
    if entry is None:
        raise ShippedWeightsError(
            f"{spec.run}: no network in {folder} was trained as asked; train it: "
            "--config train_missing=true"
        )
    if problem := shipped.problem(entry):
        raise ShippedWeightsError(problem)
    path = folder / entry.file
    method, snapshots, header = unpacked(path)
    _check_run(entry, header, path)
    write_text(results["curve"], header.curve)
    with atomic_path(results["representation"]) as temporary:
        temporary.write_bytes(save(snapshots))
    training = replace(header.training, spec_sha256=spec.sha256(), run=spec.run)
    training.write(results["provenance"])
    write_checkpoint(
        results["checkpoint"],
        method,
        CheckpointHeader(
            run=spec.run,
            spec_sha256=spec.sha256(),
            source_fingerprint=training.source_fingerprint,
            data_sha256=training.data_sha256,
            steps_done=training.steps_done,
            parameters=training.parameters,
            spec=spec,
            shipped=True,
        ),
    )
    return header


def main(argv: Sequence[str] | None = None) -> int:
    """Take one run: exit code 0, or 2 with the reason."""
    parser = argparse.ArgumentParser(
        prog="python -m ndr.shipped_weights", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--spec-json", required=True, metavar="JSON", help="the run")
    parser.add_argument(
        "--weights", required=True, type=Path, metavar="DIR", help="shipped weights"
    )
    results = ("checkpoint", "curve", "representation", "provenance")
    for name in results:
        parser.add_argument(f"--{name}", required=True, type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        spec = RunSpec.from_json(arguments.spec_json)
        header = take(spec, arguments.weights, {name: getattr(arguments, name) for name in results})
    except (ShippedWeightsError, ResultFileError, SpecError, OSError) as error:
        log.error("%s", error)
        return 2
    log.info(
        "%s: as trained in %d steps, %s",
        spec.run,
        header.training.steps_done,
        json.dumps(header.validation_gain),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
