"""Weights in the files of Caffe, MATLAB and MatConvNet, read without these programs.

A `.caffemodel` file is a protocol-buffer message: numbered fields, each a variable-length integer,
a block of 4 or 8 bytes, or a block with its length in front, which may be a message again. Only the
fields that lead to the weights are looked at; nothing in the file can run.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.dehazing.matlab_file import read_variables
from ndr.method import CheckpointError
from ndr.published_weights import kind_of_file, short

# Numbers of the fields in Caffe's `caffe.proto`.
_NET_LAYER = 100
_LAYER_NAME, _LAYER_BLOBS = 1, 7
_BLOB_DATA, _BLOB_SHAPE = 5, 7
_SHAPE_DIM = 1

_INTEGER, _EIGHT_BYTES, _BLOCK, _FOUR_BYTES = 0, 1, 2, 5


def _integer(message: memoryview, position: int) -> tuple[int, int]:
    """Variable-length integer at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("an integer is longer than 64 bits")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and content of each field of a message."""
    position = 0
    while position < len(message):
        key, position = _integer(message, position)
        number, kind = key >> 3, key & 7
        if kind == _INTEGER:
            value, position = _integer(message, position)
            yield number, value
            continue
        if kind == _BLOCK:
            size, position = _integer(message, position)
        elif kind in (_FOUR_BYTES, _EIGHT_BYTES):
            size = 4 if kind == _FOUR_BYTES else 8
        else:
            raise ValueError(f"field {number} is of the unknown kind {kind}")
        if position + size > len(message):
            raise ValueError(f"field {number} is cut off")
        yield number, message[position : position + size]
        position += size


def _blocks(message: memoryview, number: int) -> Iterator[memoryview]:
    for found, content in _fields(message):
        if found == number and isinstance(content, memoryview):
            yield content


def _tensor(blob: memoryview) -> Tensor:
    shape: list[int] = []
    for message in _blocks(blob, _BLOB_SHAPE):
        for packed in _blocks(message, _SHAPE_DIM):
            position = 0
            while position < len(packed):
                length, position = _integer(packed, position)
                shape.append(length)
    data = b"".join(bytes(block) for block in _blocks(blob, _BLOB_DATA))
    values = struct.unpack(f"<{len(data) // 4}f", data)
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def read_caffe_model(path: str | Path) -> Mapping[str, Tensor]:
    """Read the convolutions of a `.caffemodel` file.

    Returns:
        `<layer>.weight` (out, in, height, width) and `<layer>.bias` of each layer with weights.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not such a file, or a damaged one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; expected a .caffemodel file")
    state = {}
    try:
        for layer in _blocks(memoryview(path.read_bytes()), _NET_LAYER):
            name = next(bytes(block).decode() for block in _blocks(layer, _LAYER_NAME))
            blobs = [_tensor(blob) for blob in _blocks(layer, _LAYER_BLOBS)]
            for part, blob in zip(("weight", "bias"), blobs, strict=False):
                state[f"{name}.{part}"] = blob
    except OSError:
        raise
    except Exception as error:  # sizes and text of any value
        raise _refused(path, ".caffemodel", error) from error
    if not state:
        raise _refused(path, ".caffemodel", None)
    return state


def _refused(path: Path, ending: str, error: Exception | None) -> CheckpointError:
    found = kind_of_file(path)
    if not found:
        found = f"what cannot be read as one ({short(error)})" if error else "none"
    return CheckpointError(
        f"{path}: expected a {ending} file with weights, found {found}; copy or download it again"
    )


def _content(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; expected a .mat file")
    try:
        return read_variables(path)
    except ValueError as error:
        raise _refused(path, ".mat", error) from error


def read_matlab_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Numeric arrays of a file by name.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a `.mat` file, or one with something else than numbers.
    """
    arrays = _content(path)
    for key, value in arrays.items():
        if not isinstance(value, np.ndarray):
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
        layers = [layer for (layer,) in content["net"][0]["layers"]]
        return [(layer["filters"], layer["biases"]) for layer in layers if "filters" in layer]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: expected a MatConvNet network `net` with `layers`, found "
            f"{', '.join(sorted(content))[:200] or 'nothing'}"
        ) from error
