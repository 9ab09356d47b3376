"""The method of an evaluation with its weights: a run's checkpoint, its authors', or none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ndr.checkpoint import load_run_checkpoint
from ndr.data.image_files import ImageFileError
from ndr.data.manifest import ManifestError
from ndr.device import DeviceError, lay_out_channels_last
from ndr.evaluation.degraded_images import EvaluationError
from ndr.evaluation.tiling import TilingError
from ndr.method import CheckpointError, Method, SideInformation, parameter_count
from ndr.nearest_name import UnknownNameError
from ndr.records.provenance import file_sha256
from ndr.records.record import ResultFileError
from ndr.registry import method_class, official_state
from ndr.specs.run_spec import EvaluationSpec
from ndr.specs.typed_file import SpecError, plain

EXPECTED_ERRORS = (
    CheckpointError,
    DeviceError,
    EvaluationError,
    ImageFileError,
    ManifestError,
    OSError,
    ResultFileError,
    SpecError,
    TilingError,
    UnknownNameError,
)
"""Of an evaluation: their message says all that the user needs; others keep their traceback."""


@dataclass(frozen=True, slots=True)
class LoadedMethod:
    """A method in evaluation mode, and where its numbers come from."""

    method: Method
    source: str
    """`retrained`, `shipped`, `official_weights`, or `no_training` for methods without training."""
    checkpoint_sha256: str | None
    official_weights: str | None = None
    """Name of the authors' checkpoint, where the file is one whose hash the method knows."""


class _UsedParameters(TorchFunctionMode):
    """Notes the parameters that operations take, whichever module they belong to."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # Asking for a device or a shape is no use of the numbers; a transposed view is.
        if isinstance(result, torch.Tensor) or func.__name__ != "__get__":
            for value in tree_leaves((args, kwargs)):
                if isinstance(value, torch.nn.Parameter):
                    self.sizes[id(value)] = value.numel()
        return result


PROBE = 64
"""Side in pixels of the image that parameters are counted on."""


def restoring_parameters(method: Method) -> int:
    """How many learned numbers restoring an image uses.

    Parts that serve the training alone (discriminators, NDR-Degrad) and layers that a network holds
    but never uses are not among them.

    Raises:
        ImageError: the method refuses a grey image of 64 pixels.
    """
    if not parameter_count(method):
        return 0
    device = next(method.parameters()).device
    grey = torch.full((1, 3, PROBE, PROBE), 0.5, device=device)
    clean = grey.repeat_interleave(method.scale, -1).repeat_interleave(method.scale, -2)
    with torch.inference_mode(), _UsedParameters() as used:
        method.restore(grey, SideInformation(25.0, clean))
    return sum(used.sizes.values())


def load_method(
    spec: EvaluationSpec,
    checkpoint: str | Path | None = None,
    official_weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> LoadedMethod:
    """Create the method of `spec` and load its weights.

    Args:
        spec: names the method, all its arguments, and the training that the checkpoint is of.
        checkpoint: final checkpoint of the run.
        official_weights: checkpoint that the method's authors publish, instead.
        device: where the method goes.

    Raises:
        UnknownNameError: no such method, with the nearest names.
        CheckpointError: weights are missing, not wanted, of another spec or of another network.
        FileNotFoundError: no such file.
    """
    cls = method_class(spec.method)
    _check_weights(spec, cls.info.trainable, checkpoint, official_weights)
    method = cls(**spec.arguments)
    source, known = "no_training", None
    if checkpoint is not None:
        assert spec.training_sha256 is not None  # see _check_weights
        source = load_run_checkpoint(method, checkpoint, spec.training_sha256).source
    elif official_weights is not None:
        state = official_state(cls, official_weights)
        for name, value in cls.official_changes(state).items():
            # Lists where the spec comes from JSON.
            if plain(spec.arguments[name]) != plain(value):
                raise CheckpointError(
                    f"{spec.run}: {official_weights} is of a network with {name}={value!r}, but "
                    f"the evaluation asks for {spec.arguments[name]!r}; plan it with "
                    f"{name}={value!r}"
                )
        method.load_official_state(state, str(official_weights))
        source = "official_weights"
    file = checkpoint or official_weights
    sha256 = None if file is None else file_sha256(file)
    if source == "official_weights":
        known = next((w.name for w in cls.info.official_weights if w.sha256 == sha256), None)
    return LoadedMethod(ready(method, device), source, sha256, known)


def ready(method: Method, device: torch.device | str) -> Method:
    """A method with its weights, in evaluation mode on a device."""
    method = method.eval().requires_grad_(False).to(device)
    lay_out_channels_last(method)
    return method


def _check_weights(
    spec: EvaluationSpec,
    trainable: bool,
    checkpoint: str | Path | None,
    official_weights: str | Path | None,
) -> None:
    if checkpoint is not None and official_weights is not None:
        raise CheckpointError(
            f"{spec.run}: found both a checkpoint and official weights; give one of them"
        )
    if trainable and checkpoint is None and official_weights is None:
        raise CheckpointError(
            f"{spec.run}: {spec.method} has weights to load; give the run's checkpoint "
            "(--checkpoint) or its authors' (--official-weights)"
        )
    if not trainable and (checkpoint is not None or official_weights is not None):
        raise CheckpointError(
            f"{spec.run}: {spec.method} is not trained and takes no weights; leave "
            f"{checkpoint or official_weights} out"
        )
    if checkpoint is not None and spec.training_sha256 is None:
        raise CheckpointError(
            f"{spec.run}: the evaluation spec names no training (training_sha256 is null), so "
            f"{checkpoint} cannot be checked; plan the evaluation with its training, or pass "
            "authors' weights with --official-weights"
        )
