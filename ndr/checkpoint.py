"""Weights that a run leaves, with the spec it was trained under, and how weights are loaded.

Loading leaves nothing out: every missing, unknown or wrongly shaped key is an error.
`ndr.published_weights` reads what others publish.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ndr.atomic_file import atomic_path
from ndr.records.checkpoint_header import METADATA_KEY, CheckpointHeader
from ndr.records.record import ResultFileError
from ndr.specs.typed_file import canonical_json


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or does not fit the network it is loaded into."""


def load_strictly(method: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict; every difference in keys or shapes is an error that lists them.

    Raises:
        CheckpointError: the first ten missing, unknown and wrongly shaped keys; or weights that are
            no numbers.
    """
    check_shapes(method, {key: value.shape for key, value in state.items()}, source)
    broken = [
        key
        for key, value in state.items()
        if value.is_floating_point() and not value.is_meta and not torch.isfinite(value).all()
    ]
    if broken:
        raise CheckpointError(
            f"{source}: {len(broken)} of {len(state)} tensors hold NaN or infinity, first "
            f"{broken[0]}; its training went wrong, or the file is damaged: take another"
        )
    method.load_state_dict(state)


def check_shapes(
    method: nn.Module,
    shapes: Mapping[str, Sequence[int]],
    source: str,
    may_lack: Collection[str] = (),
) -> None:
    """Raise unless the keys and shapes are those of the network, which may be on `meta`.

    Args:
        method: the network.
        shapes: of the weights, by key.
        source: where they are from, for the message.
        may_lack: children and weights of the network that need not be there.

    Raises:
        CheckpointError: the first ten missing, unknown and wrongly shaped keys.
    """
    expected = {key: tuple(value.shape) for key, value in method.state_dict().items()}
    missing = sorted(key for key in expected.keys() - shapes.keys() if not is_part(key, may_lack))
    unknown = sorted(shapes.keys() - expected.keys())
    others = [
        f"{key}: expected {expected[key]}, found {tuple(shapes[key])}"
        for key in sorted(expected.keys() & shapes.keys())
        if expected[key] != tuple(shapes[key])
    ]
    problems = [
        f"{len(keys)} {kind}: " + "; ".join(_shown(key) for key in keys[:10])
        for kind, keys in (("missing", missing), ("unknown", unknown), ("of other shape", others))
        if keys
    ]
    if problems:
        raise CheckpointError(
            f"{source} does not fit {type(method).__name__}: {' | '.join(problems)}"
        )


def is_part(key: str, names: Collection[str]) -> bool:
    """Whether a weight has one of these names, or belongs to a child that has.

    >>> [is_part(key, {"head", "mask"}) for key in ("head.bias", "mask", "masks.bias")]
    [True, True, False]
    """
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _shown(key: str) -> str:
    """A key of somebody's file for a message: short, without codes that command a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in key[:160])


def read_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of a safetensors file by key; the tensors are not read.

    Raises:
        CheckpointError: truncated or of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged or no safetensors file ({error}); delete it and run again"
    )


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
        raise _damaged(path, error) from error
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
