"""Weights in files: what a run leaves, with the spec it was trained under, and what others publish.

Loading leaves nothing out: every missing, unknown or wrongly shaped key is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ndr.atomic_file import atomic_path
from ndr.records.checkpoint_header import METADATA_KEY, CheckpointHeader
from ndr.records.record import ResultFileError
from ndr.specs.typed_file import canonical_json


class CheckpointError(ValueError):
    """A checkpoint that does not fit the network it is loaded into."""


def load_strictly(method: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict; every difference in keys or shapes is an error that lists them.

    Raises:
        CheckpointError: the first ten missing, unknown and wrongly shaped keys.
    """
    expected = method.state_dict()
    missing = sorted(expected.keys() - state.keys())
    unknown = sorted(state.keys() - expected.keys())
    shapes = [
        f"{key}: expected {tuple(expected[key].shape)}, found {tuple(state[key].shape)}"
        for key in sorted(expected.keys() & state.keys())
        if expected[key].shape != state[key].shape
    ]
    problems = [
        f"{len(keys)} {kind}: " + "; ".join(keys[:10])
        for kind, keys in (("missing", missing), ("unknown", unknown), ("of other shape", shapes))
        if keys
    ]
    if problems:
        raise CheckpointError(
            f"{source} does not fit {type(method).__name__}: {' | '.join(problems)}"
        )
    method.load_state_dict(state)


def _state_of(content: Any, source: str) -> Mapping[str, Tensor]:
    """The state dict inside a published checkpoint, whatever wraps it."""
    for wrapper in ("params_ema", "params", "state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if isinstance(content, Mapping) and all(isinstance(v, Mapping) for v in content.values()):
        # A bank of networks with a state dict each (IRCNN): their names come first.
        content = {
            f"{bank}.{key}": v for bank, state in content.items() for key, v in state.items()
        }
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(
            f"{source}: expected a state dict of tensors; it holds something else"
        )
    return {key.removeprefix("module."): value for key, value in content.items()}


def read_state(path: str | Path) -> Mapping[str, Tensor]:
    """Read a published checkpoint (.pth, .pt, .ckpt or .safetensors) without unpickling code."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; expected a .pth or .safetensors file")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    return _state_of(content, str(path))


def write_checkpoint(path: str | Path, method: nn.Module, header: CheckpointHeader) -> None:
    """Write the weights and buffers of a method; equal content gives equal bytes.

    Args:
        path: final name; the file appears when it is complete.
        method: its state dict is written, tied tensors once per name.
        header: what the checkpoint is.

    Raises:
        OSError: the disk is full or not writable; the message names `path`.
    """
    from safetensors.torch import save

    # Copies: safetensors refuses tensors that share memory, and wants plain strides.
    state = {
        key: value.detach().to("cpu").clone(memory_format=torch.contiguous_format)
        for key, value in method.state_dict().items()
    }
    content = save(state, metadata={METADATA_KEY: canonical_json(header.content())})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], CheckpointHeader]:
    """Read weights and header of a checkpoint of this suite.

    Returns:
        The state dict on the CPU, and the header that `write_checkpoint` was given.

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
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return state, CheckpointHeader.read(path)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({error}); delete it and run again"
        ) from error
    except ResultFileError as error:
        raise CheckpointError(str(error)) from error


def load_run_checkpoint(
    method: nn.Module, path: str | Path, expected_spec_sha256: str
) -> CheckpointHeader:
    """Load the weights of a run into a method, if the run is the expected one.

    Args:
        method: created with the arguments of the run's spec.
        path: the checkpoint.
        expected_spec_sha256: `RunSpec.sha256()` of the run that is asked for.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: damaged, of another spec (both hashes are named), or of another shape.
    """
    state, header = read_checkpoint(path)
    if header.spec_sha256 != expected_spec_sha256:
        raise CheckpointError(
            f"{path} is of another spec: expected {expected_spec_sha256}, found "
            f"{header.spec_sha256} (run {header.run}); delete the file and train again"
        )
    load_strictly(method, state, str(path))
    return header
