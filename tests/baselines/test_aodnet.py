"""AOD-Net: its formula, and Caffe's files without Caffe."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from baselines.dehazing.old_weight_files import read_caffe_model
from ndr.method import CheckpointError
from ndr.registry import create, load_official


def integer(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def block(number: int, content: bytes) -> bytes:
    return integer(number << 3 | 2) + integer(len(content)) + content


def caffe_layer(name: str, *blobs: torch.Tensor) -> bytes:
    content = block(1, name.encode()) + block(2, b"Convolution") + integer(10 << 3) + integer(300)
    for blob in blobs:
        shape = block(1, b"".join(integer(size) for size in blob.shape))
        values = struct.pack(f"<{blob.numel()}f", *blob.flatten().tolist())
        content += block(7, block(5, values) + block(7, shape))
    return block(100, content)


def write_caffe_model(path: Path, state: dict[str, torch.Tensor]) -> None:
    names = dict.fromkeys(key.split(".")[0] for key in state)
    layers = [caffe_layer(n, state[f"{n}.weight"], state[f"{n}.bias"]) for n in names]
    fixed = integer(9 << 3 | 5) + b"\0\0\0\0" + integer(9 << 3 | 1) + bytes(8)
    path.write_bytes(block(1, b"a network") + fixed + b"".join([*layers, caffe_layer("relu")]))


def random_aodnet() -> torch.nn.Module:
    method = create("aodnet").eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) - 0.5)
    return method


def test_formula() -> None:
    """J = K I - K + 1, cut at 0."""
    method, image = random_aodnet(), torch.rand(1, 3, 9, 11)
    with torch.no_grad():
        k = method.estimate(image)
        assert torch.equal(method.restore(image), torch.relu(k * image - k + 1))
        assert (k == 0).any()
        assert (k > 0).any()


def test_layers_see_several_earlier_ones() -> None:
    method = create("aodnet")
    shapes = [tuple(getattr(method, f"conv{n}").weight.shape) for n in range(1, 6)]
    assert shapes == [(3, 3, 1, 1), (3, 3, 3, 3), (3, 6, 5, 5), (3, 6, 7, 7), (3, 12, 3, 3)]


def test_weights_of_caffe(tmp_path: Path) -> None:
    method, image = random_aodnet(), torch.rand(1, 3, 9, 11)
    path = tmp_path / "AOD_Net.caffemodel"
    write_caffe_model(path, dict(method.state_dict()))
    with torch.no_grad():
        assert torch.equal(load_official("aodnet", path).restore(image), method.restore(image))
    torch.save(method.state_dict(), tmp_path / "aod.pth")
    with torch.no_grad():
        again = load_official("aodnet", tmp_path / "aod.pth")
        assert torch.equal(again.restore(image), method.restore(image))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "AOD_Net.caffemodel"
    with pytest.raises(FileNotFoundError, match=r"expected a \.caffemodel file"):
        read_caffe_model(path)
    write_caffe_model(path, dict(random_aodnet().state_dict()))
    whole = path.read_bytes()
    for content, message in (
        (whole[:-5], "cannot be read as one .*cut off"),
        (b"<html>not found</html>", "found a web page"),
        (block(1, b"a network"), "found none"),
        (b"", "found an empty file"),
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_caffe_model(path)
    path.write_bytes(whole + caffe_layer("conv6", torch.rand(1, 1, 1, 1), torch.rand(1)))
    with pytest.raises(CheckpointError, match=r"2 unknown: conv6\.bias; conv6\.weight"):
        load_official("aodnet", path)
