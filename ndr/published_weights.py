"""Weights that others publish: what kind of file it is, and the state dict inside it.

Nothing is unpickled but tensors. A file that is something else, or damaged, is refused in one line
that names what it holds.
"""

from __future__ import annotations

import errno
import io
import pickletools
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from ndr.checkpoint import CheckpointError
from ndr.records.checkpoint_header import MAX_HEADER_BYTES

WRAPPERS = (
    *("params_ema", "ema", "g_ema", "params", "state_dict", "model_state_dict", "model"),
    *("generator", "netG", "net", "network", "weights"),
)
"""Keys under which trainings keep the state dict of the network that restores; averages first."""
_FLAT_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict")
"""Those that stand in front of keys where a file holds no dicts; no network is called like this."""
_PREFIXES = ("module.", "_orig_mod.")
"""What training on several GPUs, and compiling, put in front of keys."""

_KINDS = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras, or MATLAB 7.3)"),
    (b"MATLAB 5.0 MAT-file", "a .mat file of MATLAB"),
    (b"MATLAB 7.3 MAT-file", "a .mat file of MATLAB 7.3"),
    (b"version https://git-lfs", "a pointer of Git LFS in place of the file; run git lfs pull"),
    (b"/annex/objects/", "a pointer of git-annex in place of the file; run git annex get"),
    (b"<!doctype", "a web page; the address needs a login or a confirmation"),
    (b"<html", "a web page; the address needs a login or a confirmation"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it"),
)
_TENSORFLOW = re.compile(r".*\.(index|meta|data-\d{5}-of-\d{5}|pb|tflite)")
_TENSORFLOW_INDEX = bytes.fromhex("57fb808b247547db")
"""The last bytes of the table that a TensorFlow checkpoint's `.index` is."""
_LEGACY_PICKLES = 4
"""In PyTorch's first format: a number, a version, the machine, the content; the storages follow."""
PYTORCH, SAFETENSORS = "a file of PyTorch", "a safetensors file"


def kind_of_file(path: Path) -> str:
    """What a file is by its first and last bytes, in words; empty where that cannot be told.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(512)
        file.seek(max(0, path.stat().st_size - 8))
        tail = file.read(8)
    if not head:
        return "an empty file"
    known = [kind for start, kind in _KINDS if head[: len(start)].lower() == start.lower()]
    if known:
        return known[0]
    if tail == _TENSORFLOW_INDEX or (_TENSORFLOW.fullmatch(path.name) and head[:2] != b"PK"):
        return "a part of a TensorFlow checkpoint"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER_BYTES:
        return SAFETENSORS
    if head[:2] == b"PK":
        return _kind_of_zip(path)
    return PYTORCH if head[:1] == b"\x80" or head[257:262] == b"ustar" else ""


def _kind_of_zip(path: Path) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        return PYTORCH  # what is wrong with it, PyTorch says
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        return PYTORCH
    if any(name.endswith(".npy") for name in names):
        return "an .npz file of NumPy"
    return "a zip archive without a network of PyTorch; unpack it"


def described(path: Path) -> str:
    """What a file is, in words for a refusal."""
    kind = kind_of_file(path)
    return kind or f"something else ({path.suffix or 'no ending'}, {path.stat().st_size} bytes)"


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a published checkpoint of PyTorch, by its content, without unpickling code.

    Wrappers of the state dict are taken off, see `WRAPPERS`.

    Raises:
        FileNotFoundError: no such file.
        OSError: it cannot be read.
        CheckpointError: damaged, of another program, or without a state dict; says what it holds.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; expected a .pth or .safetensors file")
    kind = kind_of_file(path)
    if kind == SAFETENSORS or (not kind and path.suffix == ".safetensors"):
        content: Any = _safetensors(path)
    elif kind == PYTORCH or (not kind and path.suffix in (".pth", ".pt", ".ckpt", ".bin")):
        content = _pytorch(path)
    else:
        raise CheckpointError(
            f"{path}: expected weights of PyTorch (.pth, .safetensors), found {described(path)}"
        )
    return _state_of(content, str(path))


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: truncated or damaged ({short(error)}); copy or download it again"
        ) from error


def _pytorch(path: Path) -> Any:
    import torch

    try:
        _check_globals(path)
        with warnings.catch_warnings():  # about the protocol, of files that are then refused
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the last: a place that no file has
            raise
        raise _damaged(path, error) from error
    except Exception as error:  # a reader of three formats, given anything
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found is None:
            raise _damaged(path, error) from error
        raise CheckpointError(
            f"{path}: it holds a Python object ({found[1][:80]}) beside tensors, which is not read "
            "here because it could run anything; where you trust the file, save the network's "
            "state_dict() alone and give that"
        ) from error


def _check_globals(path: Path) -> None:
    """Raise `ValueError` where a pickle in the file names what cannot be a name, or is damaged.

    PyTorch builds its refusal of a name by searches that take minutes where the name is long.
    """
    import zipfile

    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head != b"PK\x03\x04":
            for _ in range(_LEGACY_PICKLES if head[:1] == b"\x80" else 0):
                _check_pickle(file)
            return
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.file_size > path.stat().st_size:
                    raise ValueError(f"{member.filename[:80]} unpacks to {member.file_size} bytes")
                if member.filename.endswith(".pkl"):
                    _check_pickle(io.BytesIO(archive.read(member)))


def _check_pickle(file: BinaryIO) -> None:
    for operation, argument, _ in pickletools.genops(file):
        if operation.name != "GLOBAL":
            continue
        name = str(argument).replace(" ", ".", 1)
        if not re.fullmatch(r"[\w.<>]{1,200}", name):
            raise ValueError(f"no name of a class: {short(ValueError(name))}")


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path}: truncated, damaged, or no file of PyTorch ({short(error)}); copy or download it "
        "again"
    )


def short(error: BaseException) -> str:
    """The first words of another library's error: no advice of its own, no stack."""
    # PyTorch's own words come behind its advice.
    text = " ".join(str(error).split("WeightsUnpickler error:")[-1].split())
    text = re.split(r"(?<=[.:;])\s|\bException raised\b|weights_only", text)[0].strip(" .:;")
    text = "".join(c if c.isprintable() else "\ufffd" for c in text[:100])
    return text or type(error).__name__


def _state_of(content: Any, source: str) -> dict[str, Tensor]:
    """The state dict inside a published checkpoint, whatever wraps it."""
    for _ in range(len(WRAPPERS)):
        inner = _unwrapped(content)
        if inner is None:
            break
        content = inner
    if isinstance(content, Mapping) and all(isinstance(v, Mapping) for v in content.values()):
        # A bank of networks with a state dict each (IRCNN): their names come first.
        content = {
            f"{bank}.{key}": v for bank, state in content.items() for key, v in state.items()
        }
    tensors = isinstance(content, Mapping) and all(
        isinstance(key, str) and isinstance(v, Tensor) for key, v in content.items()
    )
    if not tensors or not content:
        raise CheckpointError(
            f"{source}: expected a state dict of tensors, found {_described_content(content)}"
        )
    return _without_prefixes(content, source)


def _unwrapped(content: Any) -> Mapping[Any, Any] | None:
    """What the first wrapper holds, or the one state dict beside other things."""
    if not isinstance(content, Mapping):
        return None
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping) and content[wrapper]:
            return content[wrapper]
    inner = [value for value in content.values() if isinstance(value, Mapping) and value]
    states = [value for value in inner if all(isinstance(v, Tensor) for v in value.values())]
    return states[0] if len(states) == 1 and len(inner) < len(content) else None


def _described_content(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    if not content:
        return "nothing"
    shown = [f"{str(key)[:40]!r} ({type(value).__name__})" for key, value in content.items()]
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return f"the keys {', '.join(shown[:8])}{more}"


def _without_prefixes(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    for wrapper in _FLAT_WRAPPERS:
        inside = {
            key.removeprefix(f"{wrapper}."): value
            for key, value in state.items()
            if key.startswith(f"{wrapper}.")
        }
        if inside and all(key.startswith(tuple(f"{w}." for w in _FLAT_WRAPPERS)) for key in state):
            state = inside
            break
    plain = dict(_renamed(state))
    if len(plain) < len(state):
        raise CheckpointError(f"{source}: several keys differ by {' or '.join(_PREFIXES)} alone")
    return plain


def _renamed(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for key, value in state.items():
        name = key
        while name.startswith(_PREFIXES):
            for prefix in _PREFIXES:
                name = name.removeprefix(prefix)
        # A compiled part of a network has the word inside of its keys.
        yield name.replace("._orig_mod.", "."), value
