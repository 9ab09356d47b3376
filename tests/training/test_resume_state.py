from __future__ import annotations

import logging
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from ndr.method import CheckpointError
from ndr.training.resume_state import ResumeFile
from tests.training.tiny_training import (
    TinyMethod,
    resume_file,
    tiny_spec,
    tiny_state,
    train_tiny,
    write_sets,
)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture
def saved(sets: Path, tmp_path: Path) -> ResumeFile:
    spec = tiny_spec(steps=4)
    file = resume_file(tmp_path, spec)
    train_tiny(tiny_state(spec), spec, sets, file, save_every=0.0)
    return file


def test_the_file_is_named_by_spec_source_and_data(saved: ResumeFile) -> None:
    assert saved.path.name == f"{tiny_spec(steps=4).sha256()}-{'f' * 16}-{'d' * 16}.pt"
    assert set(saved.path.parent.iterdir()) == {saved.path, saved.previous}


def test_the_file_holds_tensors_and_plain_values_only(saved: ResumeFile) -> None:
    content = torch.load(saved.path, weights_only=True)
    assert content["step"] == 4
    assert {"model", "optimisers", "curve", "snapshots", "random", "seconds"} <= content.keys()


def test_a_state_of_another_run_is_another_file(saved: ResumeFile) -> None:
    assert resume_file(saved.path.parent, tiny_spec(steps=5)).read() is None
    spec_sha256 = tiny_spec(steps=4).sha256()
    assert ResumeFile(saved.path.parent, spec_sha256, "e" * 16, "d" * 64).read() is None
    assert ResumeFile(saved.path.parent, spec_sha256, "f" * 16, "e" * 64).read() is None


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "text", "pickle", "foreign"])
def test_a_damaged_file_is_set_aside_by_name(
    damage: str, saved: ResumeFile, sets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = saved.path.read_bytes()
    if damage == "truncated":
        saved.path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        saved.path.write_bytes(b"")
    elif damage == "flipped":  # a bit of a weight, which PyTorch itself would not notice
        weight = saved.read()["model"]["last.weight"].numpy().tobytes()
        place = content.index(weight)
        saved.path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    elif damage == "text":
        saved.path.write_text("no state at all")
    elif damage == "pickle":
        torch.save({"run": Path("/an/object")}, saved.path)
    else:
        other = ResumeFile(saved.path.parent, "0" * 64, "f" * 16, "d" * 64)
        state = tiny_state(tiny_spec(steps=4))
        other.save(state)
        other.path.replace(saved.path)
    saved.previous.unlink()
    with caplog.at_level(logging.WARNING):
        assert saved.read() is None
    aside = saved.path.with_name(saved.path.name + ".damaged")
    assert str(saved.path) in caplog.text
    assert str(aside) in caplog.text
    assert aside.exists()
    assert not saved.path.exists()
    spec = tiny_spec(steps=4)
    assert train_tiny(tiny_state(spec), spec, sets, saved).step == 4


def test_a_failed_save_leaves_the_old_state(saved: ResumeFile) -> None:
    before = saved.path.read_bytes()
    state = tiny_state(tiny_spec(steps=4))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))  # as if the disk were full
    try:
        with pytest.raises(OSError, match=saved.path.name):
            saved.save(state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert saved.path.read_bytes() == before
    assert set(saved.path.parent.iterdir()) == {saved.path, saved.previous}


@pytest.mark.parametrize("part", range(4))
def test_wrong_bits_in_the_directory_lead_to_the_state_before(
    part: int, saved: ResumeFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Some bits matter to nobody; with the others the state before is the last good one."""
    good, before = saved.path.read_bytes(), saved.previous.read_bytes()
    directory = good.index(b"PK\x01\x02")
    random = np.random.default_rng(part)
    steps = set()
    for place in random.integers(directory, len(good), 60):
        damaged = bytearray(good)
        damaged[place] ^= 1 << random.integers(8)
        saved.path.write_bytes(damaged)
        saved.previous.write_bytes(before)
        content = saved.read()
        assert content is not None
        steps.add(content["step"])
        assert saved.saved_step == content["step"]
    assert steps == {3, 4}
    assert f"goes on from {saved.previous}" in caplog.text


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(saved: ResumeFile) -> None:
    saved.path.unlink()
    saved.path.mkdir()
    with pytest.raises(OSError, match=saved.path.name):
        saved.read()
    assert saved.path.is_dir()


def test_a_kill_between_two_names_loses_nothing(saved: ResumeFile) -> None:
    saved.path.replace(saved.previous)
    content = saved.read()
    assert content is not None
    assert content["step"] == 4


def test_a_state_of_another_network_is_refused(saved: ResumeFile) -> None:
    wider = tiny_spec(steps=4, arguments={"width": 5, "dropout": 0.2, "norm": True})
    with pytest.raises(CheckpointError, match=r"first\.weight"):
        tiny_state(wider).load(saved.read(), str(saved.path))


def test_the_file_can_be_removed_twice(saved: ResumeFile) -> None:
    saved.remove()
    saved.remove()
    assert not list(saved.path.parent.iterdir())
    assert saved.read() is None


def test_draws_between_steps_continue(saved: ResumeFile) -> None:
    state = tiny_state(tiny_spec(steps=4))
    torch.manual_seed(5)
    saved.save(state)
    expected = torch.rand(3)
    again = tiny_state(tiny_spec(steps=4))
    again.load(saved.read(), str(saved.path))
    assert torch.equal(torch.rand(3), expected)
    assert isinstance(again.method, TinyMethod)
