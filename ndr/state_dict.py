"""Reading the state dict of a checkpoint, and loading it without leaving anything out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


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
