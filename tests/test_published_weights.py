"""Files of weights that others publish: unwrapped alike, and refused in a line that names them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ndr.checkpoint import CheckpointError
from ndr.published_weights import read_state
from ndr.registry import create, fitting_arguments, load_official, method_class, official_state
from tests.baselines.official_shapes import official_shapes

STATE = {"a.weight": torch.rand(2), "b.c.bias": torch.rand(3)}


def same(state: dict[str, Tensor], other: dict[str, Tensor] = STATE) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[k], other[k]) for k in other)


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in STATE.items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"params": STATE},
        {"params": prefixed("other."), "params_ema": STATE},
        {"state_dict": prefixed("module.")},
        {"epoch": 3, "model_state_dict": prefixed("_orig_mod."), "optimizer": {"lr": 0.1}},
        {"net": prefixed("module._orig_mod.")},
        {"generator": STATE, "discriminator": prefixed("other.")},
        {"model": {"state_dict": STATE}},
        {"iteration": 7, "restorer": STATE},
        {"a._orig_mod.weight": STATE["a.weight"], "b._orig_mod.c.bias": STATE["b.c.bias"]},
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_wrappers_are_taken_off(tmp_path: Path, content: object, legacy: bool) -> None:
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    assert same(read_state(tmp_path / "w.pth"))


@pytest.mark.parametrize("prefix", ["", "module.", "params.", "params.module.", "_orig_mod."])
def test_safetensors_are_unwrapped_alike(tmp_path: Path, prefix: str) -> None:
    save_file(prefixed(prefix), tmp_path / "w.safetensors")
    assert same(read_state(tmp_path / "w.safetensors"))
    save_file(prefixed(prefix), tmp_path / "w.pth")  # the content tells, not the ending
    assert same(read_state(tmp_path / "w.pth"))


def test_the_average_is_taken_where_a_file_holds_both(tmp_path: Path) -> None:
    others = {f"params.{key}": value + 1 for key, value in STATE.items()}
    save_file({**others, **prefixed("params_ema.")}, tmp_path / "w.safetensors")
    assert same(read_state(tmp_path / "w.safetensors"))


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))
    assert "weights_only" not in message
    return message


def test_what_is_no_state_dict_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    for content, words in (
        ({"epoch": 3, "best": 31.2}, "found the keys 'epoch' (int), 'best' (float)"),
        ({}, "found nothing"),
        (torch.zeros(3), "found a Tensor"),
        ({f"key{n}": n for n in range(20)}, "and 12 more"),
        ({"module.a": torch.zeros(1), "a": torch.zeros(1)}, "several keys differ by module."),
    ):
        torch.save(content, path)
        assert words in refused(path)


def test_objects_are_not_unpickled_and_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": STATE, "time": datetime.datetime(2020, 1, 1)}, path)
    assert "a Python object (datetime.datetime) beside tensors" in refused(path)
    torch.save(torch.nn.Conv2d(1, 1, 1), path)
    assert "(torch.nn.modules.conv.Conv2d)" in refused(path)
    path.write_bytes(pickle.dumps({"a": np.zeros(3)}))
    refused(path)
    mark = tmp_path / "executed"
    path.write_bytes(f"cos\nmkdir\n(V{mark}\ntR.".encode())
    refused(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.ckpt.index", b"\0" * 40 + bytes.fromhex("57fb808b247547db"), "TensorFlow"),
        ("model.ckpt.data-00000-of-00001", b"\1\2\3" * 40, "TensorFlow"),
        ("w.mat", b"MATLAB 5.0 MAT-file, Platform: PCWIN" + bytes(128), "a .mat file of MATLAB"),
        ("w.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
        ("w.pth", b"<!DOCTYPE html><html>Google Drive - Virus scan", "a web page"),
        ("w.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
        ("w.pth", b"", "an empty file"),
        ("w.tar.gz", b"\x1f\x8b\x08" + bytes(30), "a gzip archive"),
        ("w.xyz", b"something", "something else (.xyz, 9 bytes)"),
        ("w.pth", b"no checkpoint", "truncated, damaged, or no file of PyTorch"),
    ],
)
def test_files_of_other_programs_are_named(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refused(tmp_path / name)


def test_files_of_numpy_and_damaged_files_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.zeros(3))
    assert "an .npz file of NumPy" in refused(tmp_path / "w.npz")
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        read_state(tmp_path / "missing.pth")
    save_file(STATE, tmp_path / "w.safetensors")
    torch.save(STATE, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        content = (tmp_path / name).read_bytes()
        for length in (4, 50, len(content) // 2, len(content) - 1):
            (tmp_path / name).write_bytes(content[:length])
            assert "again" in refused(tmp_path / name) or "found" in refused(tmp_path / name)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = create("ffdnet", "smoke").state_dict()
    key = next(iter(state))
    for value in (torch.nan, torch.inf):
        torch.save({**state, key: torch.full_like(state[key], value)}, tmp_path / "w.pth")
        with pytest.raises(CheckpointError, match=rf"1 of {len(state)} tensors hold NaN.*{key}"):
            load_official("ffdnet", tmp_path / "w.pth", "smoke")


@pytest.mark.parametrize(("method", "name"), [("dehazenet", "w.mat"), ("aodnet", "w.caffemodel")])
def test_files_of_another_method_are_refused_in_one_line(
    tmp_path: Path, method: str, name: str
) -> None:
    torch.save(STATE, tmp_path / name)
    with pytest.raises(CheckpointError, match="a file of PyTorch") as caught:
        official_state(method_class(method), tmp_path / name)
    assert "\n" not in str(caught.value)


def test_the_file_tells_the_sizes_of_its_network(tmp_path: Path) -> None:
    """Sizes that no preset has, and no published checkpoint of the list."""
    for method, sizes in (
        ("nafnet", {"width": 8, "middle_blocks": 2, "encoder_blocks": (1, 2, 1, 3)}),
        ("swinir", {"width": 12, "depths": (2, 4), "heads": (2, 3), "training_size": 32}),
        ("ircnn", {"channels": 10, "levels": (50.0,)}),
    ):
        network = create(method, "smoke", **sizes)
        state = {
            key.removeprefix("network.").replace("networks.0.", "model."): value
            for key, value in network.state_dict().items()
        }
        _, arguments = fitting_arguments(method, state, "w.pth")
        assert {key: arguments[key] for key in sizes} == sizes
        torch.save(state, tmp_path / "w.pth")
        loaded = load_official(method, tmp_path / "w.pth", "smoke")
        assert same(dict(loaded.state_dict()), dict(network.state_dict()))


@pytest.mark.parametrize("method", ["nafnet", "swinir", "ircnn", "edsr", "restormer"])
def test_published_files_are_known_by_their_shapes(method: str) -> None:
    """Whatever they are called; none is downloaded."""
    published = {w.name: w for w in method_class(method).info.official_weights}
    for name, shapes in official_shapes(method).items():
        state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
        preset, arguments = fitting_arguments(method, state, "renamed.pth")
        assert preset == published[name].preset
        assert arguments.items() >= dict(published[name].changes).items()


def test_a_preset_that_would_fit_is_named() -> None:
    state = create("ffdnet", "smoke").state_dict()
    assert fitting_arguments("ffdnet", state, "w.pth")[0] == "smoke"
    with pytest.raises(
        CheckpointError, match=r"w\.pth does not fit .*it fits the sizes of 'smoke'"
    ):
        fitting_arguments("ffdnet", state, "w.pth", "paper")
    with pytest.raises(CheckpointError, match=r"w\.pth does not fit FFDNet: \d+ missing"):
        fitting_arguments("ffdnet", STATE, "w.pth")


def test_files_of_didmdn_name_the_reason(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth: .* their classifier, which takes 512x512"):
        load_official("didmdn", tmp_path / "w.pth")


def test_a_record_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    from ndr.photos.weight_source import WeightRequest, load_requested

    path = tmp_path / "w.json"
    for content in (b"[" * 100_000, b"\xff\xfe", b"{", json.dumps([1]).encode(), b'{"a": 1e999}'):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"w\.json is damaged") as caught:
            load_requested(WeightRequest(str(path)), torch.device("cpu"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"channels": 10**9, "depth": 3},
        {"channels": 4, "depth": 10**9},
        {"channels": "wide"},
        {"colours": 3},
        {"channels": [[[3]]]},
    ],
)
def test_a_spec_of_another_network_than_its_weights_takes_no_memory(
    tmp_path: Path, arguments: dict[str, object]
) -> None:
    from ndr.checkpoint import write_checkpoint
    from ndr.photos.weight_source import WeightRequest, load_requested
    from tests.run_headers import header, run_spec

    spec = dataclasses.replace(run_spec(), arguments=arguments)
    write_checkpoint(tmp_path / "c.safetensors", create("dncnn", "smoke"), header(spec))
    with pytest.raises(CheckpointError, match=r"c\.safetensors.*(its spec|does not fit)") as caught:
        load_requested(WeightRequest(str(tmp_path / "c.safetensors")), torch.device("cpu"))
    assert "\n" not in str(caught.value)


def test_a_spec_nested_thousands_deep_is_refused(tmp_path: Path) -> None:
    from ndr.photos.weight_source import WeightRequest, load_requested

    for depth in (100, 500, 100_000):
        nested = '{"spec": {"arguments": {"width": ' + "[" * depth + "]" * depth + "}}}"
        save_file(STATE, tmp_path / "c.safetensors", {"ndr": nested})
        with pytest.raises(CheckpointError, match=r"levels of lists|thousands deep") as caught:
            load_requested(WeightRequest(str(tmp_path / "c.safetensors")), torch.device("cpu"))
        assert "\n" not in str(caught.value)
