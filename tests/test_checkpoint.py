from __future__ import annotations

import dataclasses
import resource
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ndr.checkpoint import load_run_checkpoint, read_checkpoint, write_checkpoint
from ndr.method import CheckpointError
from tests.run_headers import header

HEADER = header(run="tiny__mix__seed_0", spec_sha256="a" * 64)


class Tied(nn.Module):
    """Weights in the channels-last format, a buffer, and one tensor under two names."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, width, 3)
        self.other = nn.Conv2d(3, width, 3)
        self.other.weight = self.one.weight
        self.norm = nn.BatchNorm2d(width)
        self.to(memory_format=torch.channels_last)


def test_weights_and_metadata_come_back(tmp_path: Path) -> None:
    written, read = Tied(), Tied()
    written.norm.running_mean += 3
    write_checkpoint(tmp_path / "runs" / "c.safetensors", written, HEADER)
    state, found = read_checkpoint(tmp_path / "runs" / "c.safetensors")
    assert found == HEADER
    assert all(value.is_contiguous() for value in state.values())
    assert load_run_checkpoint(read, tmp_path / "runs" / "c.safetensors", "a" * 64) == HEADER
    for key, value in written.state_dict().items():
        assert torch.equal(read.state_dict()[key], value)


def test_equal_content_gives_equal_bytes_under_one_metadata_key(tmp_path: Path) -> None:
    method = Tied()
    for name in "ab":
        arguments = dict(reversed(HEADER.spec.arguments.items()))
        spec = HEADER.spec if name == "a" else dataclasses.replace(HEADER.spec, arguments=arguments)
        write_checkpoint(tmp_path / name, method, dataclasses.replace(HEADER, spec=spec))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safe_open(tmp_path / "a", framework="pt") as file:
        assert list(file.metadata()) == ["ndr"]


def test_a_checkpoint_of_another_spec_is_refused_with_both_hashes(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", Tied(), HEADER)
    method = Tied()
    before = {key: value.clone() for key, value in method.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"expected {'b' * 64}, found {'a' * 64}"):
        load_run_checkpoint(method, tmp_path / "c", "b" * 64)
    assert all(torch.equal(method.state_dict()[key], value) for key, value in before.items())


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", Tied(), HEADER)
    with pytest.raises(CheckpointError, match=r"one\.weight: expected \(5, 3, 3, 3\)"):
        load_run_checkpoint(Tied(5), tmp_path / "c", "a" * 64)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        read_checkpoint(tmp_path / "absent")
    write_checkpoint(tmp_path / "cut", Tied(), HEADER)
    content = (tmp_path / "cut").read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"cut is damaged.*delete it"):
        read_checkpoint(tmp_path / "cut")
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"foreign.*'ndr'"):
        read_checkpoint(tmp_path / "foreign")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", Tied(), HEADER)
    before = (tmp_path / "c").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match=f"cannot write {tmp_path / 'c'}"):
            write_checkpoint(tmp_path / "c", Tied(6), HEADER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "c").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "c"]


def test_nothing_that_is_no_number_enters_the_metadata(tmp_path: Path) -> None:
    spec = dataclasses.replace(HEADER.spec, arguments={"width": float("nan")})
    broken = dataclasses.replace(HEADER, spec=spec)
    with pytest.raises(ValueError, match="JSON"):
        write_checkpoint(tmp_path / "c", Tied(), broken)
    assert not (tmp_path / "c").exists()
