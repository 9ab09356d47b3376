"""Final weights of a run: a safetensors file that carries the spec it was trained under."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ndr.atomic_file import atomic_path
from ndr.method import CheckpointError, load_strictly

METADATA_KEY = "ndr"
"""The one metadata key. safetensors writes several keys in a random order, and equal trainings
are to give equal files."""


def write_checkpoint(path: str | Path, method: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write the weights and buffers of a method; equal content gives equal bytes.

    Args:
        path: final name; the file appears when it is complete.
        method: its state dict is written, tied tensors once per name.
        metadata: what the checkpoint is, as plain JSON: `run`, `spec_sha256`,
            `source_fingerprint`, `spec`, `steps_done`, `parameters`.

    Raises:
        OSError: the disk is full or not writable; the message names `path`.
    """
    from safetensors.torch import save

    # Copies: safetensors refuses tensors that share memory, and wants plain strides.
    state = {
        key: value.detach().to("cpu").clone(memory_format=torch.contiguous_format)
        for key, value in method.state_dict().items()
    }
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), allow_nan=False)
    content = save(state, metadata={METADATA_KEY: text})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights and metadata of a checkpoint of this suite.

    Returns:
        The state dict on the CPU, and the metadata that `write_checkpoint` was given.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: truncated, of another format, or not written by this suite.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; train the run first")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({error}); delete it and run again"
        ) from error
    try:
        content = json.loads(metadata[METADATA_KEY])
    except (KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path}: expected metadata {METADATA_KEY!r} with JSON, found keys {sorted(metadata)}; "
            "this is no checkpoint of a run of this suite"
        ) from error
    return state, content


def load_run_checkpoint(
    method: nn.Module, path: str | Path, expected_spec_sha256: str
) -> dict[str, Any]:
    """Load the weights of a run into a method, if the run is the expected one.

    Args:
        method: created with the arguments of the run's spec.
        path: the checkpoint.
        expected_spec_sha256: `RunSpec.sha256()` of the run that is asked for.

    Returns:
        The checkpoint's metadata.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: damaged, of another spec (both hashes are named), or of another shape.
    """
    state, metadata = read_checkpoint(path)
    found = metadata.get("spec_sha256")
    if found != expected_spec_sha256:
        raise CheckpointError(
            f"{path} is of another spec: expected {expected_spec_sha256}, found {found} "
            f"(run {metadata.get('run')}); delete the file and train again"
        )
    load_strictly(method, state, str(path))
    return metadata
