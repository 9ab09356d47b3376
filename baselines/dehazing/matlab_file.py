"""Arrays and networks in MATLAB's `.mat` files, which hold data only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ndr.method import CheckpointError


def _content(path: str | Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; expected a .mat file")
    try:
        content = loadmat(path, struct_as_record=True)
    except (MatReadError, ValueError, NotImplementedError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read as a .mat file: {error}") from error
    return {key: value for key, value in content.items() if not key.startswith("__")}


def read_matlab_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Numeric arrays of a file by name.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a `.mat` file, or one with something else than numbers.
    """
    arrays = _content(path)
    for key, value in arrays.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
            raise CheckpointError(f"{path}: expected arrays of numbers, found {key!r}")
    return arrays


def read_matconvnet_layers(path: str | Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Filters (height, width, in, out) and biases of a MatConvNet network's layers, in order.

    Layers without weights are left out.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a `.mat` file, or one without such a network.
    """
    content = _content(path)
    try:
        layers = [layer[0, 0] for layer in content["net"]["layers"][0, 0].flat]
        return [
            (layer["filters"], layer["biases"])
            for layer in layers
            if "filters" in layer.dtype.names
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: expected a MatConvNet network `net` with `layers`: {error}"
        ) from error
